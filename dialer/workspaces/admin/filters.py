"""Filters with fixed choices, which need no query for them."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest


class ChoiceFilter(admin.SimpleListFilter):
    """Offers pairs of a value and a text; ignores any other value."""

    offered: ClassVar[Sequence[tuple[str, str]]]
    path: ClassVar[str]
    """The field that the value is compared with."""

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:  # noqa: ARG002 — Django's signature
        return list(self.offered)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002 — Django's signature
        return queryset.filter(**{self.path: self.value()}) if self.value() in dict(self.offered) else queryset
