"""The filters ``since`` and ``until`` of lists, each served by an index."""

from datetime import timedelta
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers

from dialer.workspaces.api.fields import InstantField
from dialer.workspaces.api.serializers import Filters
from dialer.workspaces.api.views import Lists
from dialer.workspaces.ids import first_id_at

_CLOCKS = timedelta(hours=1)
"""Ids come from the clocks of hosts, times from that of the database; they differ by less than this."""


class Period(Filters):
    """A period; its start belongs to it, its end does not."""

    since = InstantField(required=False, help_text="At this time or later")
    until = InstantField(required=False, help_text="Before this time")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if "since" in attrs and "until" in attrs and attrs["since"] >= attrs["until"]:
            raise serializers.ValidationError({"until": ["must be after since"]})
        return attrs


def made_within(rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
    """Take ``since`` and ``until`` out of the filters, and return the rows created then.

    Ids increase with time, so the index of a list by id leads to them.
    """
    since, until = asked.pop("since", None), asked.pop("until", None)
    if since is not None:
        rows = rows.filter(id__gte=first_id_at(since - _CLOCKS), created_at__gte=since)
    if until is not None:
        rows = rows.filter(id__lt=first_id_at(until + _CLOCKS), created_at__lt=until)
    return rows


def within(rows: QuerySet[Any], column: str, asked: dict[str, Any]) -> QuerySet[Any]:
    """Take ``since`` and ``until`` out of the filters, and return the rows whose ``column`` is within them."""
    for name, lookup in (("since", "gte"), ("until", "lt")):
        if name in asked:
            rows = rows.filter(**{f"{column}__{lookup}": asked.pop(name)})
    return rows


class ListsByTime(Lists):
    """A list that ``since`` and ``until`` limit by ``time_column``; it is then ordered by that column, newest first."""

    time_column: ClassVar[str]

    def offered_orderings(self) -> tuple[str, ...]:
        if {"since", "until"} & self.request.query_params.keys():
            return (f"-{self.time_column}", self.time_column)
        return tuple(self.orderings)

    def within(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        """Apply ``since`` and ``until``; a list in the order of a time leaves out rows without one."""
        rows = within(rows, self.time_column, asked)
        ordering = self.request.query_params.get("ordering") or self.default_ordering()
        is_by_time = ordering.removeprefix("-") == self.time_column
        return rows.filter(**{f"{self.time_column}__isnull": False}) if is_by_time else rows
