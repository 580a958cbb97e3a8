"""Secrets that a page shows once: in the answer itself, never in a notice, which travels in a cookie."""

from dataclasses import dataclass

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownOnce:
    """A secret, what it is, and what to do with it."""

    title: str
    text: str
    advice: str


def shown_once(request: HttpRequest, secret: ShownOnce, *, then: str) -> HttpResponse:
    """Render the page with the secret and a link to ``then``; in a dialog, in place of its form."""
    context = {**admin.site.each_context(request), "title": secret.title, "secret": secret, "then": then}
    answer = TemplateResponse(request, "workspaces/admin/shown_once.html", context)
    add_never_cache_headers(answer)
    if request.headers.get("HX-Request"):
        answer["HX-Retarget"], answer["HX-Reselect"], answer["HX-Reswap"] = "#dialog", "#shown-once", "innerHTML"
    return answer
