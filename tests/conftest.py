"""What every test has: a database and a Valkey database of its worker's own, and no test skipped unseen."""

import os
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker

from config.celery import app
from tests import databases

pytest_plugins = ["tests.simulated_carrier", "tests.contracts.watching"]

# A slow machine is no bug, and what passes here passes there; `--hypothesis-profile=thorough` looks for new cases.
hypothesis.settings.register_profile("ringback", deadline=None, derandomize=True)
hypothesis.settings.register_profile("thorough", deadline=None, derandomize=False, max_examples=2_000)
hypothesis.settings.load_profile("ringback")

_TEMPLATE = "ringback_template_{}"
_ALLOWED_SKIPS = Path(__file__).with_name("allowed_skips.txt")


@pytest.fixture(scope="session", autouse=True)
def _own_valkey_database(worker_id: str) -> None:
    """Give each worker a numbered database of the one Valkey; pytest-django does the same with PostgreSQL."""
    number = 1 if worker_id == "master" else 2 + int(worker_id.removeprefix("gw"))
    for name in ("REDIS_URL", "BROKER_URL"):
        url = getattr(settings, name)
        if url.startswith(("redis://", "rediss://")):
            setattr(settings, name, f"{url.rpartition('/')[0]}/{number}")
    app.conf.update(broker_url=settings.BROKER_URL)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
    django_db_blocker: DjangoDbBlocker,
    worker_id: str,
    testrun_uid: str,
) -> None:
    """Keep connections, as the processes of the ``Procfile`` do: a new one reads PostgreSQL's catalogue again.

    One of several workers migrates a database, and all copy it.
    """
    settings.DATABASES["default"]["OPTIONS"]["pool"] = dict(databases.POOL)
    if worker_id != "master":
        with django_db_blocker.unblock():
            databases.copy_migrated(_TEMPLATE.format(testrun_uid))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Drop the database that the workers of this run copied, when they have ended."""
    if distributed := session.config.pluginmanager.get_plugin("dsession"):
        databases.drop(_TEMPLATE.format(distributed.nodemanager.testrunuid))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Note what the migrations left in the new database: it stays when a test's rows are deleted."""
    with django_db_blocker.unblock():
        databases.kept_tables()


@pytest.fixture(scope="session", autouse=True)
def _quick_emptying() -> Generator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: databases.empty())
        yield


@pytest.fixture(scope="session", autouse=True)
def _quick_static_files() -> None:
    """Look for a static file when it is asked for, not for all of them whenever a test makes a client."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> None:
    """Hash test users' passwords quickly: what makes it slow protects nobody here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report, item.nodeid)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report, collector.nodeid)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport, nodeid: str) -> None:
    """Make a skip in CI that is not on the list a failure: a test that does not run tests nothing."""
    if report.skipped and os.environ.get("CI") == "true" and nodeid not in allowed_skips():
        report.outcome = "failed"
        report.longrepr = f"skipped in CI and not in tests/{_ALLOWED_SKIPS.name}: {report.longrepr}"


def allowed_skips() -> frozenset[str]:
    """Return the ids of the tests that may be skipped: a line each, ``#`` begins a comment."""
    lines = (line.partition("#")[0].strip() for line in _ALLOWED_SKIPS.read_text().splitlines())
    return frozenset(line for line in lines if line)
