"""Maps the dialer's exceptions to API errors."""

from collections.abc import Mapping

from dialer.campaigns.imports import FileTooLarge, TooManyImports
from dialer.campaigns.lifecycle import CampaignNotStartable
from dialer.campaigns.settings import InvalidCampaign
from dialer.contacts.contacts import ContactOnACall
from dialer.dialing.conversation import AlreadyAnalyzed
from dialer.dialing.single_calls import InvalidCall, NumberSuppressed
from dialer.rules.schedule_settings import InvalidSettings
from dialer.setup.retry_policies import DefaultNeeded
from dialer.workspaces.api.errors import Problem, answers, conflict, conflicts, invalid

_AS_SENT = {
    "caller_id": "from",
    "config_webhooks": "config.webhooks",
    "calls_per_second": "pacing.calls_per_second",
    "max_concurrent_calls": "pacing.max_concurrent_calls",
}
"""Fields of campaigns and calls whose path in the body differs from their name in the domain module."""


@answers(InvalidSettings)
def _invalid(error: InvalidSettings) -> Problem:
    return invalid(error.errors)


@answers(InvalidCampaign)
def _invalid_campaign(error: InvalidCampaign) -> Problem:
    return invalid(_renamed(error.errors))


@answers(InvalidCall)
def _invalid_call(error: InvalidCall) -> Problem:
    return invalid(_renamed(error.errors))


@answers(CampaignNotStartable, conflicts_with=["campaign_not_startable"])
def _not_startable(error: CampaignNotStartable) -> Problem:
    return conflict("campaign_not_startable", f"The campaign cannot run: {error}.")


@answers(FileTooLarge)
def _file_too_large(error: FileTooLarge) -> Problem:
    return Problem(status=413, code="too_large", message=f"Not accepted: {error}.")


conflicts(
    {
        ContactOnACall: ("contact_on_a_call", "The contact is being called; delete it when the call has ended."),
        DefaultNeeded: ("default_needed", "A workspace needs a default policy; make another one the default first."),
        NumberSuppressed: ("contact_suppressed", "The contact's number is on the list of numbers not to be called."),
        TooManyImports: ("too_many_imports", "This workspace has too many imports under way; wait for one to end."),
        AlreadyAnalyzed: ("already_analyzed", "The call has an analysis; `replace: true` replaces it."),
    }
)


def _renamed(errors: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {_AS_SENT.get(path, path): reasons for path, reasons in errors.items()}
