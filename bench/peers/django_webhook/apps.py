from django.apps import AppConfig


class Facts(AppConfig):
    name = "bench.peers.django_webhook"
    label = "facts"
    default_auto_field = "django.db.models.BigAutoField"
