"""What ``make audit`` makes of the words of ``pip-audit``."""

import json

import pytest

from config.local.advisories import verdict_of

SAFE = {"name": "django", "version": "5.2", "vulns": []}
SKIPPED = {"name": "gunicorn", "skip_reason": "Dependency not found on PyPI and could not be audited"}
VULNERABLE = {"name": "idna", "version": "3.0", "vulns": [{"id": "PYSEC-2024-60", "fix_versions": ["3.7"]}]}


def report(*packages: object) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_a_vulnerability_is_named_with_the_version_that_mends_it() -> None:
    verdict = verdict_of(report(SAFE, VULNERABLE), complaint="")

    assert verdict.vulnerable == ["idna 3.0: PYSEC-2024-60, mended in 3.7"]
    assert verdict.lines() == list(verdict.vulnerable)


def test_packages_that_nobody_could_ask_about_are_not_taken_for_safe() -> None:
    verdict = verdict_of(report(SAFE, SKIPPED), complaint="No known vulnerabilities found")

    assert (verdict.asked, verdict.vulnerable) == (1, [])
    assert verdict.lines()[2:4] == ["NOT AUDITED: 1", f"gunicorn: {SKIPPED['skip_reason']}"]


@pytest.mark.parametrize("output", ["", "<html>", "[]", "{}"])
def test_without_a_report_nothing_is_taken_for_safe_and_the_reason_is_told(output: str) -> None:
    verdict = verdict_of(output, complaint="warning\nConnectionError: no route to host\n")

    assert (verdict.asked, verdict.vulnerable) == (0, [])
    assert "all packages: ConnectionError: no route to host" in verdict.lines()
