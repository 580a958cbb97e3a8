"""A Django project whose facts django-webhook tells to receivers; it runs in an environment of its own."""
