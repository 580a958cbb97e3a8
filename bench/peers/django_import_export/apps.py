from django.apps import AppConfig


class People(AppConfig):
    name = "bench.peers.django_import_export"
    label = "people"
