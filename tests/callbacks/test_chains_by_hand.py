"""Chains computed by hand, each with its arithmetic: delays, limits, and the zones that a number may be in."""

from typing import Any

from tests.callbacks.by_hand import BUSINESS_DAYS, after, chain, hours


class TestChains:
    def test_the_last_delay_repeats_up_to_the_limit(self) -> None:
        """Berlin, Wednesday 10:00 UTC, delays 10 and 60, limit 4: + 10, + 60, + 60, + 60, and no fifth."""
        call = {"callback_retry_schedule": [10, 60], "max_callback_attempts": 4}
        assert chain("2025-01-15T10:00:00Z", *["busy"] * 5, call=call) == (
            ["2025-01-15T10:10:00Z", "2025-01-15T11:10:00Z", "2025-01-15T12:10:00Z", "2025-01-15T13:10:00Z"],
            "exhausted",
        )

    def test_used_retries_count_over_all_outcomes(self) -> None:
        """The default policy. No answer: k = 0 of 3, + 1440 min. Busy: k = 1 of 5, + 60. Busy: k = 2 of 5, + 60.

        Voicemail then: k = 3 of 3, exhausted, though it is the first voicemail.
        """
        assert chain("2025-01-15T10:00:00Z", "no_answer", "busy", "busy", "voicemail") == (
            ["2025-01-16T10:00:00Z", "2025-01-16T11:00:00Z", "2025-01-16T12:00:00Z"],
            "exhausted",
        )

    def test_a_limit_below_the_length_of_the_schedule_cuts_it(self) -> None:
        """The call's limit 1 stands before the campaign's schedule of three: + 30 min, and no second."""
        campaign = {"callback_retry_schedule": [30, 120, 1440], "max_callback_attempts": 3}
        call = {"max_callback_attempts": 1}
        assert chain("2025-01-15T10:00:00Z", "busy", "busy", call=call, campaign=campaign) == (
            ["2025-01-15T10:30:00Z"],
            "exhausted",
        )

    def test_a_named_policy_hides_the_schedule_and_the_limit_of_the_workspace(self) -> None:
        """The workspace says 5 min, once; the campaign's policy says busy: 20 min, twice. + 20, + 20.

        Not its switch: a workspace whose automatic callbacks are off makes none.
        """
        workspace = {"callback_retry_schedule": [5], "max_callback_attempts": 1}
        policy = {"busy": {"delays": [20], "limit": 2}}
        first = "2025-01-15T10:00:00Z"
        assert chain(first, *["busy"] * 3, workspace=workspace, policy=policy) == (
            ["2025-01-15T10:20:00Z", "2025-01-15T10:40:00Z"],
            "exhausted",
        )
        off = {**workspace, "auto_callback": False}
        assert chain(first, "busy", workspace=off, policy=policy) == ([], "auto_callback_off")

    def test_a_linear_policy_keeps_its_interval_and_stops_at_other_outcomes(self) -> None:
        """Three retries, 10 min apart, on busy only: + 10, + 10; no answer then ends the chain."""
        policy = {"number_of_retries": 3, "interval_minutes": 10, "mechanism": "linear", "on_status": ["busy"]}
        assert chain("2025-01-15T10:00:00Z", "busy", "busy", "no_answer", policy=policy) == (
            ["2025-01-15T10:10:00Z", "2025-01-15T10:20:00Z"],
            "no_answer",
        )

    def test_an_exponential_policy_doubles_its_interval(self) -> None:
        """Four retries from 15 min: 15, 30, 60, 120, summing up to 225 min after 10:00."""
        policy = {
            "number_of_retries": 4,
            "interval_minutes": 15,
            "mechanism": "exponential",
            "on_status": ["no-answer"],
        }
        assert chain("2025-01-15T10:00:00Z", *["no_answer"] * 5, policy=policy) == (
            ["2025-01-15T10:15:00Z", "2025-01-15T10:45:00Z", "2025-01-15T11:45:00Z", "2025-01-15T13:45:00Z"],
            "exhausted",
        )


class TestLimits:
    def test_a_third_call_waits_until_the_first_is_a_day_old(self) -> None:
        """At most 2 in 24 h. Calls at 10:00 and 10:05; the next at 10:10 would be the third.

        The first leaves the period at 10:00 the next day: open (11:00 in Berlin).
        """
        limits = [[{"max": 2, "period_hours": 24, "scope": "number"}]]
        call = {"callback_retry_schedule": [5, 5]}
        assert chain("2025-01-15T10:00:00Z", "busy", "busy", call=call, contact_limits=limits) == (
            ["2025-01-15T10:05:00Z", "2025-01-16T10:00:00Z"],
            None,
        )

    def test_where_the_limit_ends_at_night_the_window_decides(self) -> None:
        """At most 1 in 12 h. 10:00 UTC + 12 h = 22:00 = 23:00 in Berlin: closed until 09:00 = 08:00 UTC."""
        limits = [[{"max": 1, "period_hours": 12, "scope": "number"}]]
        assert chain("2025-01-15T10:00:00Z", "busy", call=after(5), contact_limits=limits) == (
            ["2025-01-16T08:00:00Z"],
            None,
        )

    def test_of_two_limits_the_later_decides(self) -> None:
        """At most 1 in 2 h and 2 in 48 h. Calls at 10:00 and, 2 h on, 12:00; the third at 10:00 + 48 h."""
        limits = [
            [{"max": 1, "period_hours": 2, "scope": "number"}],
            [{"max": 2, "period_hours": 48, "scope": "number"}],
        ]
        call = {"callback_retry_schedule": [5, 5]}
        assert chain("2025-01-15T10:00:00Z", "busy", "busy", call=call, contact_limits=limits) == (
            ["2025-01-15T12:00:00Z", "2025-01-17T10:00:00Z"],
            None,
        )


class TestZonesOfANumber:
    def test_a_mobile_in_australia_is_called_when_all_of_its_zones_are_open(self) -> None:
        """In January from the Cocos Islands (UTC+6:30) to Sydney and Lord Howe (UTC+11).

        09:00 in the west is 02:30 UTC, 20:00 in the east is 09:00 UTC. 00:00 + 5 min: too early; 08:54:31 + 5 min:
        29 seconds before the end.
        """
        assert chain("2025-01-15T00:00:00Z", phone="+61412345678", call=after(5)) == (["2025-01-15T02:30:00Z"], None)
        assert chain("2025-01-15T08:54:31Z", phone="+61412345678", call=after(5)) == (["2025-01-16T02:30:00Z"], None)

    def test_a_freephone_number_of_north_america_has_half_an_hour_a_day(self) -> None:
        """From Guam (UTC+10) to Pago Pago (UTC-11), with St. John's (UTC-3:30), in January.

        Guam opens at 23:00 UTC, the next day there; St. John's closes at 23:30. Friday the 17th, 23:00 UTC, is Saturday
        in Guam: on business days the next time is Sunday 23:00 UTC nowhere but in Guam; so Monday.
        """
        phone = "+18005551234"
        assert chain("2025-01-15T12:00:00Z", phone=phone, call=after(5)) == (["2025-01-15T23:00:00Z"], None)
        call = after(5, days=BUSINESS_DAYS)
        assert chain("2025-01-17T12:00:00Z", phone=phone, call=call) == (["2025-01-20T23:00:00Z"], None)

    def test_zones_that_are_never_open_together_give_way_to_the_cut_window_of_the_fallback(self) -> None:
        """A Russian mobile: from UTC+2 to UTC+12. Open 10:00 to 18:00: 08:00 to 16:00 UTC, and 22:00 to 06:00 UTC.

        Never both. So Berlin's clock, cut to 11:00 to 17:00: 10:00 to 16:00 UTC. 15:55 + 10 min: the next day at 10:00.
        With 09:00 to 20:00 they have 07:00 to 08:00 UTC in common: 07:00 UTC the next day.
        """
        narrow = after(10, **hours("10:00", "18:00"))
        assert chain("2025-01-15T15:55:00Z", phone="+79161234567", call=narrow) == (["2025-01-16T10:00:00Z"], None)
        assert chain("2025-01-15T15:55:00Z", phone="+79161234567", call=after(10)) == (["2025-01-16T07:00:00Z"], None)

    def test_a_number_that_says_nothing_is_called_from_eleven_to_five_on_the_campaigns_clock(self) -> None:
        """International freephone. The campaign is in New York (UTC-5): 11:00 is 16:00 UTC, 17:00 is 22:00 UTC.

        14:00 UTC + 30 min = 09:30 there: open by the window, not by the cut. 21:59:00 + 30 min: the next day.
        """
        fallback: dict[str, Any] = {"phone": "+80012345678", "campaign_zone": "America/New_York", "call": after(30)}
        assert chain("2025-01-15T14:00:00Z", **fallback) == (["2025-01-15T16:00:00Z"], None)
        assert chain("2025-01-15T21:59:00Z", **fallback) == (["2025-01-16T16:00:00Z"], None)
