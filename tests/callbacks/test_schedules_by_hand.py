"""Calling windows computed by hand, each with its arithmetic: clocks that change, zones off the hour, days."""

from datetime import timedelta

from tests.callbacks.by_hand import BUSINESS_DAYS, after, chain, hours


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
