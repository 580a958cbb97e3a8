"""The verbs of the queue as buttons on a row and its page, and as actions on ticked rows."""

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.utils.html import format_html
from unfold.enums import ActionVariant

from callbacks.admin.forms import ReasonForm, form_of, zone_of
from callbacks.admin.many import ManyAtOnce
from callbacks.models import Callback
from callbacks.verbs import VERBS, Verb
from dialer.workspaces.admin.time_zone import on_clock
from dialer.workspaces.admin.verbs import about, bulk, button
from dialer.workspaces.clock import database_now

_VARIANTS = {"call_now": ActionVariant.PRIMARY, "cancel": ActionVariant.DANGER}


class QueueVerbs(ManyAtOnce):
    """Adds each verb of the queue as a button (``skip``) and as an action on many rows (``skip_selected``)."""

    def do_verb(self, request: HttpRequest, verb: Verb, form: ReasonForm, row: Callback) -> Callback:
        return verb.do(row.pk, **about(request, row), **form.given(row))

    def press(self, request: HttpRequest, verb: Verb, form: ReasonForm, object_id: str) -> HttpResponse:
        """Do a verb to one row and show its notice, with an undo button if the verb can be undone."""

        def do(row: Callback) -> str:
            done = self.do_verb(request, verb, form, row)
            said = verb.said.format(contact=row.contact, when=_when(done))
            return self._with_undo(request, row, said) if verb.can_be_undone else said

        return self.act(request, object_id, do, form=form)

    def _with_undo(self, request: HttpRequest, row: Callback, said: str) -> str:
        return format_html(
            '{} <form method="post" action="{}" class="inline"><input type="hidden" name="csrfmiddlewaretoken" '
            'value="{}"><input type="hidden" name="_form_submitted" value="True">'
            '<button type="submit" class="cursor-pointer font-semibold underline">Undo</button></form>',
            said,
            self.url_of("undo", row.pk),
            get_token(request),
        )


def _when(row: Callback) -> str:
    now = database_now()
    return "at once" if row.scheduled_at <= now else f"on {on_clock(row.scheduled_at, zone_of(row), now=now)}"


def _button(name: str, verb: Verb) -> object:
    def press(self: QueueVerbs, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        return self.press(request, verb, form, object_id)

    press.__name__ = name
    return button(
        verb.title,
        asks=verb.explains,
        does=verb.submit or verb.title,
        icon=verb.icon,
        permission="act",
        form=form_of(verb),
        variant=_VARIANTS.get(name),
    )(press)


def _bulk(name: str, verb: Verb) -> object:
    def do_to_one(self: QueueVerbs, request: HttpRequest, form: ReasonForm, row: Callback) -> None:
        self.do_verb(request, verb, form, row)

    do_to_one.__name__ = f"{name}_selected"
    does = verb.submit or verb.title
    return bulk(verb.title, asks=verb.explains, does=does, did=verb.did, form=form_of(verb))(do_to_one)


for _name, _verb in VERBS.items():
    setattr(QueueVerbs, _name, _button(_name, _verb))
    setattr(QueueVerbs, f"{_name}_selected", _bulk(_name, _verb))
