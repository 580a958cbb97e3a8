"""What laws ask, as it is shipped: every file is valid, sourced, and can be called under."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from dialer.rules.calling_window import next_opening
from dialer.rules.limit_presets import Preset, presets
from dialer.rules.schedule_settings import parse, parse_contact_limits
from dialer.rules.window_settings import window_in_force
from tests.factories import NOW

EVERY = list(presets().values())


@pytest.mark.parametrize("preset", EVERY, ids=lambda preset: preset.code)
def test_every_preset_is_valid_and_names_public_sources(preset: Preset) -> None:
    assert parse(preset.schedule) == preset.schedule
    assert parse_contact_limits(preset.contact_limits) == preset.contact_limits
    assert preset.code.upper() == preset.jurisdiction or preset.jurisdiction == "US"
    assert preset.name
    assert preset.applies_to
    assert preset.sources
    for source in preset.sources:
        assert source.title
        assert urlsplit(source.url).hostname
        assert urlsplit(source.url).scheme in ("https", "http")


@pytest.mark.parametrize("preset", EVERY, ids=lambda preset: preset.code)
def test_under_every_preset_somebody_may_be_called_within_a_week(preset: Preset) -> None:
    window = window_in_force(call={}, campaign={}, workspace=preset.schedule, country=None).window

    assert next_opening(window, ("UTC",), at=NOW, ring_timeout=timedelta(seconds=30), within=timedelta(days=7))


def test_the_presets_say_what_the_laws_say() -> None:
    found = presets()

    assert found["us-fl"].contact_limits == [{"max": 3, "period_hours": 24, "scope": "number"}]
    assert found["us-fl"].schedule == {"calling_hours": {"start": "08:00", "end": "20:00"}}
    assert found["us-debt-collection"].contact_limits == [{"max": 7, "period_hours": 7 * 24, "scope": "number"}]
    assert found["fr"].contact_limits == [{"max": 4, "period_hours": 30 * 24, "scope": "number"}]
    assert "sat" not in found["fr"].schedule["calling_hours"]
    assert found["fr"].schedule["holidays"] == {"region": "FR"}


def test_a_preset_over_a_schedule_keeps_what_is_no_window() -> None:
    schedule = {"auto_callback": False, "callback_retry_schedule": [5], "days": ["mon"], "holidays": {"region": "DE"}}

    assert presets()["us-fl"].over(schedule) == {
        "auto_callback": False,
        "callback_retry_schedule": [5],
        "calling_hours": {"start": "08:00", "end": "20:00"},
    }
