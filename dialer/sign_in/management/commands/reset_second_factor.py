"""Removes somebody's second factor, for an installation whose only superuser lost theirs."""

from argparse import ArgumentParser

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from dialer.sign_in import second_factor
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", default="", help="for the audit")

    def handle(self, *, username: str, reason: str, **_: object) -> None:
        user = User.objects.filter(username=username).first()
        if user is None or not second_factor.reset(user, actor=SYSTEM, reason=reason, now=database_now()):
            message = f"There is no second factor of a user {username}."
            raise CommandError(message)
        self.stdout.write(f"The second factor of {username} is reset.")
