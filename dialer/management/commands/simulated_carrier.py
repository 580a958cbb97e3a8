"""``manage.py simulated_carrier``: runs the simulated carrier beside a local run, with the settings of that run."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from dialer.carriers.simulation.service import DEFAULTS, Options, add_arguments, run


class Command(BaseCommand):
    help = "Run the simulated carrier until SIGTERM or Ctrl-C; what a number does is in docs/simulated-carrier.md."
    requires_system_checks = ()  # it uses neither the database nor anything that the checks are about

    def add_arguments(self, parser: CommandParser) -> None:
        where = urlsplit(settings.SIMULATED_CARRIER_URL)
        known = {
            "host": where.hostname,
            "port": where.port,
            "ledger": Path(settings.SIMULATED_CARRIER_LEDGER),
            "secret": settings.SIMULATED_CARRIER_SECRET,
            "report_url": f"{settings.PUBLIC_URL}/carriers/simulated/",
            "api_url": f"{settings.PUBLIC_URL}/api/v1",
            "api_key": settings.DEMO_API_KEY,
        }
        add_arguments(parser, {**DEFAULTS, **{name: value for name, value in known.items() if value}})

    def handle(self, *_: object, **options: Any) -> None:
        run(Options.of(options))
