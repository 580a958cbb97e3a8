"""A Django project that imports contacts by django-import-export; it runs in an environment of its own."""
