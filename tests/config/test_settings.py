import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import CheckMessage
from django.test import Client, override_settings
from pytest_django.fixtures import Settings as SettingsWrapper

from config import checks
from config.env import BASE_DIR, env
from config.local.settings import RELAXED


def test_the_example_names_every_setting_and_no_other() -> None:
    example = (BASE_DIR / ".env.example").read_text()

    named = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", example, flags=re.MULTILINE)

    assert sorted(set(named)) == sorted(env.scheme)
    assert len(named) == len(set(named))


def test_only_config_reads_the_environment() -> None:
    readers = [
        path
        for app in ("callbacks", "dialer", "webhooks")
        for path in (BASE_DIR / app).rglob("*.py")
        if re.search(r"os\.environ|os\.getenv|environ\.", path.read_text())
    ]

    assert readers == []


def test_defaults_are_safe_and_settings_load_with_nothing_set(tmp_path: Path) -> None:
    code = (
        "import django.conf; s = django.conf.settings;"
        "print(s.DEBUG, s.SECURE_SSL_REDIRECT, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE,"
        "s.SECURE_HSTS_SECONDS > 0, s.ALLOWED_HOSTS, s.WEBHOOK_ALLOWED_NETWORKS)"
    )

    done = subprocess.run(  # noqa: S603 — our own code
        [sys.executable, "-c", code],
        env={"DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": str(BASE_DIR)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split(maxsplit=5) == ["False", "True", "True", "True", "True", "[] []\n"]
    assert done.stderr == ""


def test_a_missing_database_is_named_with_what_to_do(
    settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", "")
    settings.REDIS_URL = settings.BROKER_URL = "memcached://localhost"

    problems = checks.servers_are_named()

    assert ids(problems) == ["config.E001", "config.E002", "config.E003"]
    assert all(problem.hint for problem in problems)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ENCRYPTION_KEYS", [], ["config.E005"]),
        ("ENCRYPTION_KEYS", ["not a key"], ["config.E004"]),
        ("ALLOWED_HOSTS", [], ["config.W001"]),
        ("WEBHOOK_ALLOWED_NETWORKS", ["10.0.0.1/8"], ["config.E006"]),
        ("TRUSTED_PROXIES", ["proxy.example.com"], ["config.E008"]),
        ("HORIZON_SECONDS", 0, ["config.E007"]),
    ],
)
def test_a_wrong_setting_is_named_and_the_right_ones_are_not(
    settings: SettingsWrapper, name: str, value: object, expected: list[str]
) -> None:
    before = ids(checks.secrets_are_given() + checks.hosts_are_named())
    setattr(settings, name, value)

    after = ids(checks.secrets_are_given() + checks.hosts_are_named())

    assert (before, after) == ([], expected)


def test_a_proxy_that_is_not_named_is_warned_of(settings: SettingsWrapper) -> None:
    settings.BEHIND_TLS, settings.TRUSTED_PROXIES = True, []
    unnamed = ids(checks.proxies_are_named())
    settings.TRUSTED_PROXIES = ["10.1.2.3"]

    assert (unnamed, checks.proxies_are_named()) == (["config.W003"], [])


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("SECRET_KEY_FALLBACKS", ["a" * 64], ["config.W004"]), ("NUMBER_HASH_KEY", "k3pt-secret", ["config.W005"])],
)
def test_a_weak_key_that_must_not_be_changed_is_warned_of(
    settings: SettingsWrapper, name: str, value: object, expected: list[str]
) -> None:
    before = ids(checks.former_keys_are_long())
    setattr(settings, name, value)

    told = checks.former_keys_are_long()

    assert (before, ids(told)) == ([], expected)
    assert "k3pt-secret" not in str(told)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DEBUG", True, ["config.E009"]),
        ("ALLOWED_HOSTS", ["ringback.example.com", "*"], ["config.E010"]),
        ("SECRET_KEY", "", ["config.E011"]),
        ("SECRET_KEY", "k3pt-secret", ["config.E011"]),
        ("METRICS_TOKEN", "k3pt-secret", ["config.E011"]),
    ],
)
def test_what_only_a_local_run_may_do_is_refused_elsewhere(
    settings: SettingsWrapper, name: str, value: object, expected: list[str]
) -> None:
    settings.LOCAL_RUN = False
    settings.METRICS_TOKEN = ""
    before = ids(checks.nothing_is_relaxed())
    setattr(settings, name, value)

    elsewhere = checks.nothing_is_relaxed()
    settings.LOCAL_RUN = True

    assert (before, ids(elsewhere), ids(checks.nothing_is_relaxed())) == ([], expected, [])
    assert name in elsewhere[0].msg
    assert "k3pt-secret" not in str(elsewhere)


def test_a_local_run_is_nothing_that_a_server_starts_as_by_default() -> None:
    assert env.scheme["LOCAL_RUN"] == (bool, False)
    assert RELAXED["LOCAL_RUN"] == "1"


def test_pages_may_run_no_script_of_others(client: Client) -> None:
    policy = client.get("/healthz").headers["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "script-src 'self' 'unsafe-eval';" in policy
    assert "frame-ancestors 'none'" in policy


@override_settings(SECURE_SSL_REDIRECT=True)
def test_behind_tls_everything_but_the_probes_is_redirected(client: Client) -> None:
    assert client.get("/admin/login/").status_code == 301
    assert client.get("/healthz").status_code == 200


def ids(problems: list[CheckMessage]) -> list[str]:
    return [str(problem.id) for problem in problems]
