"""Dates on a 24-hour clock, with the day of the week."""

DATE_FORMAT = "D j M Y"
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = "D j M Y H:i:s"
