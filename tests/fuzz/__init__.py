"""The API asked at random by Schemathesis from its own schema, over HTTP; ``make fuzz`` runs it for long."""
