"""``manage.py demo``: the demo's workspace, made once; to be run at every start of the demo."""

from django.core.management.base import BaseCommand

from config.demo import workspace
from dialer.workspaces.clock import database_now


class Command(BaseCommand):
    help = "Make the demo's workspace where there is none; its password and key are DEMO_PASSWORD and DEMO_API_KEY."

    def handle(self, *_: object, **__: object) -> None:
        demo = workspace.start(now=database_now())
        self.stdout.write(f"demo workspace {demo.workspace.public_id}")
