"""On a 24-hour clock, with the day of the week: what somebody who plans calls looks for."""

DATE_FORMAT = "D j M Y"
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = "D j M Y H:i:s"
