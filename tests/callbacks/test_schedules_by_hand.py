"""Schedules computed by hand, each with its arithmetic, through the code that schedules and previews.

``chain`` gives the times of the attempts after the first, and why there are no more. Times are UTC; a phone rings for
30 seconds, and a window is 09:00 to 20:00 every day unless the case says otherwise.
"""

from datetime import datetime, timedelta
from typing import Any

from callbacks.preview import Question, preview
from dialer.rules.schedule_settings import parse, parse_retry_policy

Chain = tuple[list[str], str | None]
BUSINESS_DAYS = ["mon", "tue", "wed", "thu", "fri"]


def chain(
    first: str,
    *outcomes: str,
    zone: str = "Europe/Berlin",
    phone: str = "",
    call: dict[str, Any] | None = None,
    campaign: dict[str, Any] | None = None,
    workspace: dict[str, Any] | None = None,
    **others: Any,
) -> Chain:
    """Imagine a chain whose attempts end with these outcomes; return its later times and why it stops."""
    answer = preview(_question(first, outcomes, zone, phone, call or {}, campaign or {}, workspace or {}, **others))
    times = [attempt["at"] for attempt in answer["attempts"][1:]]
    return times, answer["stop"]["reason"] if answer["stop"] else None


def _question(  # noqa: PLR0917
    first: str,
    outcomes: tuple[str, ...],
    zone: str,
    phone: str,
    call: dict[str, Any],
    campaign: dict[str, Any],
    workspace: dict[str, Any],
    **others: Any,
) -> Question:
    policy = others.pop("policy", None)
    return Question(
        phone=phone,
        time_zone="" if phone else zone,
        first_attempt_at=datetime.fromisoformat(first),
        outcomes=outcomes or ("no_answer",),
        workspace_zone=others.pop("workspace_zone", "Europe/Berlin"),
        call=parse(call),
        campaign=parse(campaign),
        workspace=parse(workspace),
        campaign_policy=parse_retry_policy(policy) if policy else None,
        **others,
    )


def after(minutes: int, **window: Any) -> dict[str, Any]:
    """Settings of a call: one delay, and a window."""
    return {"callback_retry_schedule": [minutes], **window}


def hours(start: str, end: str) -> dict[str, Any]:
    return {"calling_hours": {"start": start, "end": end}}


class TestClocksPutForward:
    def test_an_opening_inside_the_skipped_hour_is_the_first_instant_after_it(self) -> None:
        """Berlin, 30 March 2025: at 01:00 UTC clocks go from 02:00 to 03:00. Open 02:30 to 03:30.

        20:00 UTC on the 29th + 60 min = 21:00 = 22:00 in Berlin, closed. On the 30th 02:30 is skipped; the first
        instant after the gap is 01:00 UTC and shows 03:00, which is before 03:30: open.
        """
        assert chain("2025-03-29T20:00:00Z", call=after(60, **hours("02:30", "03:30"))) == (
            ["2025-03-30T01:00:00Z"],
            None,
        )

    def test_a_window_that_lies_wholly_in_the_skipped_hour_does_not_open_that_day(self) -> None:
        """Berlin, open 02:15 to 02:45: none of it exists on 30 March.

        On the 31st it opens at 02:15 summer time (UTC+2) = 00:15 UTC.
        """
        assert chain("2025-03-29T20:00:00Z", call=after(60, **hours("02:15", "02:45"))) == (
            ["2025-03-31T00:15:00Z"],
            None,
        )

    def test_a_morning_after_the_change_comes_an_hour_earlier_in_utc(self) -> None:
        """New York, 9 March 2025: 02:00 becomes 03:00 at 07:00 UTC.

        00:30 UTC on the 9th is 19:30 on Saturday (UTC-5); + 60 min is 20:30, closed. Sunday 09:00 is summer time
        (UTC-4) = 13:00 UTC, not 14:00.
        """
        assert chain("2025-03-09T00:30:00Z", zone="America/New_York", call=after(60)) == (
            ["2025-03-09T13:00:00Z"],
            None,
        )

    def test_a_day_of_minutes_is_1440_of_them_whatever_the_clock_does(self) -> None:
        """Berlin: 29 March 10:00 winter time = 09:00 UTC; + 1440 min = 30 March 09:00 UTC = 11:00 summer time."""
        assert chain("2025-03-29T09:00:00Z", call=after(1440)) == (["2025-03-30T09:00:00Z"], None)

    def test_a_clock_that_is_put_forward_at_midnight_has_no_first_half_hour_that_day(self) -> None:
        """Havana, 9 March 2025: at 05:00 UTC clocks go from 00:00 to 01:00. Open 00:00 to 00:30.

        20:00 UTC on the 8th + 10 min is 15:10 there, closed. The 9th begins at 01:00. The 10th: 00:00 summer time
        (UTC-4) = 04:00 UTC.
        """
        assert chain("2025-03-08T20:00:00Z", zone="America/Havana", call=after(10, **hours("00:00", "00:30"))) == (
            ["2025-03-10T04:00:00Z"],
            None,
        )

    def test_lord_howe_skips_half_an_hour_only(self) -> None:
        """Lord Howe, 5 October 2025: at 15:30 UTC on the 4th clocks go from 02:00 (UTC+10:30) to 02:30 (UTC+11).

        Open 01:45 to 02:45. 15:14 UTC + 1 min = 15:15 = 01:45: open. And from 15:29 + 1 min = 15:30 the clock shows
        02:30, still before 02:45.
        """
        call = after(1, **hours("01:45", "02:45"))
        assert chain("2025-10-04T15:14:00Z", zone="Australia/Lord_Howe", call=call) == (["2025-10-04T15:15:00Z"], None)
        assert chain("2025-10-04T15:29:00Z", zone="Australia/Lord_Howe", call=call) == (["2025-10-04T15:30:00Z"], None)
        # The closing, 02:45 summer time, is 15:45 UTC: half an hour after the opening, not an hour. At 15:44:31 there
        # are 29 seconds left; the next day opens at 01:45 (UTC+11) = 14:45 UTC.
        assert chain("2025-10-04T15:43:31Z", zone="Australia/Lord_Howe", call=call) == (["2025-10-05T14:45:00Z"], None)


class TestClocksPutBack:
    def test_both_passes_of_a_repeated_hour_are_open_and_nothing_closes_between_them(self) -> None:
        """Berlin, 26 October 2025: 03:00 becomes 02:00 at 01:00 UTC. Open 02:00 to 03:00: 00:00 to 02:00 UTC.

        00:58:50 UTC + 1 min = 00:59:50 shows 02:59:50; ten seconds later it is 02:00 again, and open: no move.
        """
        assert chain("2025-10-26T00:58:50Z", call=after(1, **hours("02:00", "03:00"))) == (
            ["2025-10-26T00:59:50Z"],
            None,
        )

    def test_after_the_second_pass_the_window_closes(self) -> None:
        """Berlin, as above: the second pass ends at 02:00 UTC.

        01:58:31 + 1 min = 01:59:31, 29 seconds before: too late. On the 27th 02:00 is winter time = 01:00 UTC.
        """
        assert chain("2025-10-26T01:58:31Z", call=after(1, **hours("02:00", "03:00"))) == (
            ["2025-10-27T01:00:00Z"],
            None,
        )

    def test_a_window_in_half_of_the_repeated_hour_opens_twice(self) -> None:
        """Berlin, open 02:30 to 03:00: 00:30 to 01:00 UTC, and once more 01:30 to 02:00 UTC.

        01:05 UTC + 5 min = 01:10 shows 02:10 of the second pass: closed until 01:30.
        """
        assert chain("2025-10-26T01:05:00Z", call=after(5, **hours("02:30", "03:00"))) == (
            ["2025-10-26T01:30:00Z"],
            None,
        )

    def test_the_same_time_of_day_is_an_hour_earlier_on_the_wall(self) -> None:
        """New York: 1 November 19:45 summer time = 23:45 UTC; + 1440 min = 2 November 23:45 UTC = 18:45: open."""
        assert chain("2025-11-01T23:45:00Z", zone="America/New_York", call=after(1440)) == (
            ["2025-11-02T23:45:00Z"],
            None,
        )

    def test_a_clock_that_is_put_back_at_midnight_has_its_last_hour_twice(self) -> None:
        """Cairo, 30 October 2025: 24:00 becomes 23:00 at 21:00 UTC. Open 23:00 to 24:00: 20:00 to 22:00 UTC.

        20:54:50 + 5 min = 20:59:50: open, as nothing closes at 21:00. 21:55:00 + 5 min = 22:00 is 00:00 on the 31st;
        its evening opens at 23:00 winter time (UTC+2) = 21:00 UTC.
        """
        call = after(5, **hours("23:00", "24:00"))
        assert chain("2025-10-30T20:54:50Z", zone="Africa/Cairo", call=call) == (["2025-10-30T20:59:50Z"], None)
        assert chain("2025-10-30T21:55:00Z", zone="Africa/Cairo", call=call) == (["2025-10-31T21:00:00Z"], None)


class TestZonesOffTheHour:
    def test_kathmandu_closes_at_a_quarter_past_two_utc(self) -> None:
        """Kathmandu is UTC+5:45: 20:00 there is 14:15 UTC, 09:00 is 03:15 UTC.

        14:09:30 + 5 min = 14:14:30, 30 seconds before the closing: just allowed. A second later it is not.
        """
        assert chain("2025-01-15T14:09:30Z", zone="Asia/Kathmandu", call=after(5)) == (["2025-01-15T14:14:30Z"], None)
        assert chain("2025-01-15T14:09:31Z", zone="Asia/Kathmandu", call=after(5)) == (["2025-01-16T03:15:00Z"], None)

    def test_chatham_is_open_while_the_date_in_utc_is_still_the_day_before(self) -> None:
        """Chatham in summer is UTC+13:45: 20:00 on 15 January is 06:15 UTC; 09:00 on the 16th is 19:15 UTC on the 15th.

        06:10 UTC + 10 min = 06:20 = 20:05 there: closed.
        """
        assert chain("2025-01-15T06:10:00Z", zone="Pacific/Chatham", call=after(10)) == (["2025-01-15T19:15:00Z"], None)

    def test_st_johns_opens_at_half_past_twelve_utc(self) -> None:
        """St. John's in winter is UTC-3:30: 09:00 is 12:30 UTC. 11:00 UTC + 15 min = 07:45 there: closed."""
        assert chain("2025-01-15T11:00:00Z", zone="America/St_Johns", call=after(15)) == (
            ["2025-01-15T12:30:00Z"],
            None,
        )


class TestDays:
    def test_the_last_evening_of_the_year_moves_past_a_public_holiday(self) -> None:
        """Berlin: 31 December 2025, 19:30 = 18:30 UTC, + 60 min = 20:30: closed. 1 January is a holiday in Germany.

        Friday, 2 January 2026, 09:00 = 08:00 UTC.
        """
        call = after(60, holidays={"region": "DE"})
        assert chain("2025-12-31T18:30:00Z", call=call) == (["2026-01-02T08:00:00Z"], None)

    def test_a_holiday_of_one_region_is_a_working_day_in_another(self) -> None:
        """Corpus Christi, Thursday 19 June 2025, is a holiday in Bavaria and not in Berlin.

        18 June 19:50 = 17:50 UTC, + 20 min = 20:10: closed. 09:00 summer time = 07:00 UTC: on the 20th, or the 19th.
        """
        bavaria, berlin = ({"holidays": {"region": region}} for region in ("DE-BY", "DE-BE"))
        assert chain("2025-06-18T17:50:00Z", call=after(20, **bavaria)) == (["2025-06-20T07:00:00Z"], None)
        assert chain("2025-06-18T17:50:00Z", call=after(20, **berlin)) == (["2025-06-19T07:00:00Z"], None)

    def test_a_date_that_is_closed_is_closed_for_the_contacts_day_not_utcs(self) -> None:
        """Tokyo (UTC+9), 8 May 2025 closed: 7 May 15:00 UTC to 8 May 15:00 UTC.

        7 May 19:55 = 10:55 UTC, + 10 min = 20:05: closed. The 8th is closed; the 9th opens at 00:00 UTC.
        """
        call = after(10, holidays={"dates": ["2025-05-08"]})
        assert chain("2025-05-07T10:55:00Z", zone="Asia/Tokyo", call=call) == (["2025-05-09T00:00:00Z"], None)

    def test_the_weekend_is_that_of_the_country_of_the_number(self) -> None:
        """Thursday, 9 January 2025, to Sunday. Both windows 09:00 to 20:00.

        Riyadh (UTC+3), weekend Friday and Saturday: 16:30 UTC is 19:30, + 60 min closed; Sunday 09:00 = 06:00 UTC.
        Delhi (UTC+5:30), Sunday only: 14:00 UTC is 19:30; Friday 09:00 = 03:30 UTC. From Saturday the 11th: Monday.
        Berlin, Saturday and Sunday: from Friday the 10th, 19:30 = 18:30 UTC, to Monday 09:00 = 08:00 UTC.
        """
        call = after(60, day_selection_mode="weekend_off")
        assert chain("2025-01-09T16:30:00Z", phone="+966501234567", call=call) == (["2025-01-12T06:00:00Z"], None)
        assert chain("2025-01-09T14:00:00Z", phone="+919812345678", call=call) == (["2025-01-10T03:30:00Z"], None)
        assert chain("2025-01-11T14:00:00Z", phone="+919812345678", call=call) == (["2025-01-13T03:30:00Z"], None)
        assert chain("2025-01-10T18:30:00Z", phone="+493012345678", call=call) == (["2025-01-13T08:00:00Z"], None)

    def test_intervals_that_join_at_midnight_have_no_closing_between_them(self) -> None:
        """Berlin, open Friday 20:00 to 24:00 and Saturday 00:00 to 02:00.

        Friday 17 January 2025: 22:58:50 UTC + 1 min = 22:59:50 = 23:59:50: goes on past midnight, no move.
        Without Saturday: closed in ten seconds; the next Friday 20:00 is 24 January 19:00 UTC.
        """
        friday = {"fri": [{"start": "20:00", "end": "24:00"}]}
        both = {**friday, "sat": [{"start": "00:00", "end": "02:00"}]}
        first = "2025-01-17T22:58:50Z"
        assert chain(first, call=after(1, calling_hours=both)) == (["2025-01-17T22:59:50Z"], None)
        assert chain(first, call=after(1, calling_hours=friday)) == (["2025-01-24T19:00:00Z"], None)

    def test_of_several_intervals_a_day_the_next_one_is_taken(self) -> None:
        """Berlin, Wednesday 15 January 2025, open 09:00 to 12:00 and 14:00 to 18:00.

        11:50 = 10:50 UTC, + 15 min = 12:05: closed until 14:00 = 13:00 UTC.
        """
        intervals = [{"start": "09:00", "end": "12:00"}, {"start": "14:00", "end": "18:00"}]
        call = after(15, calling_hours=dict.fromkeys(BUSINESS_DAYS, intervals))
        assert chain("2025-01-15T10:50:00Z", call=call) == (["2025-01-15T13:00:00Z"], None)

    def test_a_window_shorter_than_a_phone_rings_never_opens(self) -> None:
        """One minute a day, and phones that ring for 90 seconds: no opening within 366 days."""
        call = after(5, **hours("09:00", "09:01"))
        ring = timedelta(seconds=90)
        assert chain("2025-01-15T10:00:00Z", call=call, ring_timeout=ring) == ([], "no_opening")

    def test_a_phone_that_does_not_ring_is_still_not_called_at_the_closing(self) -> None:
        """Berlin, 20:00 = 19:00 UTC is closed, also where nothing has to ring before it: 09:00 = 08:00 UTC."""
        assert chain("2025-01-15T18:55:00Z", call=after(5), ring_timeout=timedelta()) == (
            ["2025-01-16T08:00:00Z"],
            None,
        )


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
