"""What every route of the REST API stands on: keys, scopes, one shape of errors, pages, limits, idempotency."""
