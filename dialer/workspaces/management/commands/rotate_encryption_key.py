"""``manage.py rotate_encryption_key``: encrypts every stored secret with the first of ``ENCRYPTION_KEYS``."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dialer.workspaces import key_rotation


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret with the first key of ENCRYPTION_KEYS. Put a new key in front, restart, "
        "run this, and remove the old key when it says that every secret is under the first key. Safe while serving."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        parser.add_argument("--batch", type=int, default=key_rotation.BATCH, help="secrets per batch (%(default)s)")

    def handle(self, *_: object, batch: int, dry_run: bool, **__: object) -> None:
        if batch < 1:
            message = "--batch must be 1 or more"
            raise CommandError(message)
        did = "would be rewritten" if dry_run else "rewritten"
        unreadable = changed = 0
        for column in key_rotation.columns():
            came = key_rotation.rotate(column, batch=batch, dry_run=dry_run)
            said = f"{column}: {came.rewritten} {did}, {came.newest} under the newest key already"
            if came.changed:
                said += f", {came.changed} changed meanwhile"
            if came.unreadable:
                said += f", {len(came.unreadable)} that no key opens: {', '.join(came.unreadable[:20])}"
            self.stdout.write(said)
            unreadable += len(came.unreadable)
            changed += came.changed
        if unreadable:
            message = f"{unreadable} secrets are under none of ENCRYPTION_KEYS; they are left as they are."
            raise CommandError(message)
        self.stdout.write(_conclusion(dry_run=dry_run, changed=changed))


def _conclusion(*, dry_run: bool, changed: int) -> str:
    if dry_run:
        return "Nothing was changed."
    if changed:
        return f"{changed} were changed by somebody meanwhile and may be under another key: run this again."
    return "Every secret is under the first key; the others can be taken away when every process runs with it."
