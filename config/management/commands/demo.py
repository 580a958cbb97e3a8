"""``manage.py demo``: creates the demo's workspace once; run it at every start of the demo."""

from django.core.management.base import BaseCommand

from config.demo import workspace
from dialer.workspaces.clock import database_now


class Command(BaseCommand):
    help = "Create the demo's workspace if there is none; its password and key are DEMO_PASSWORD and DEMO_API_KEY."

    def handle(self, *_: object, **__: object) -> None:
        demo = workspace.start(now=database_now())
        self.stdout.write(f"demo workspace {demo.workspace.public_id}")
