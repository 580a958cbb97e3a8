"""What is done in the real run, in its order, through the public API, and what becomes of it."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from dialer.carriers.simulation.ledger import Place, Text, entries
from tests.real_run import people
from tests.real_run.judge import Evidence, Finding, Plan, judge
from tests.real_run.people import Person, csv_of
from tests.real_run.processes import PATIENCE_SECONDS, Installation, NotReached, until
from tests.real_run.receiver import receipts

OURS = "+493012345678"
ROUND_THE_CLOCK = {"calling_hours": {"start": "00:00", "end": "24:00"}}
PROMISED_IN, MOVED_BY, CALLED_OFF_BEFORE = timedelta(seconds=12), timedelta(seconds=10), timedelta(seconds=20)


class Broken(Exception):
    """What the world saw is not what was to happen; the message tells the story."""


class Run:
    """An integrator at work on one installation."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {installation.key}"
        self._plan = Plan(secret="")
        self._began = time.monotonic()
        self._done: list[str] = []

    def act(self, *, left_alone: bool) -> list[Finding]:
        """Do everything and return what was found; raises :class:`Broken`.

        ``left_alone``: also wait for a retry that nobody touches, which is due a minute after its call ended.
        """
        try:
            self._set_up()
            self._begin(left_alone=left_alone)
            self._wait_for_first_calls()
            self._work_on_the_queue()
            self._lose_the_default_worker()
            return self._wait_for_all()
        except NotReached as not_reached:
            raise Broken(self._story(str(not_reached))) from None

    def _set_up(self) -> None:
        self._post("personas/", {"name": "Sara"})
        self._post("lines/", {"name": "Simulated", "caller_ids": [OURS], "is_default": True, "calls_per_second": None})
        self._send("PATCH", "settings/", {"schedule": ROUND_THE_CLOCK})
        endpoint = self._post(
            "webhooks/", {"name": "Integrator", "url": self._installation.receiver_url, "events": ["*"]}
        )
        self._endpoint, self._plan.secret = endpoint["id"], endpoint["secret"]
        self._since = _now()
        self._say("the endpoint is there")

    def _begin(self, *, left_alone: bool) -> None:
        """Start a campaign, promise a callback, and call somebody who asks for more."""
        self._renewals = self._campaign("Renewals", minutes=10)
        self._start(self._renewals, *people.CAMPAIGN)
        self._plan.campaigns = 2
        if left_alone:
            self._start(self._campaign("Left alone", minutes=1), people.LEFT_ALONE)
            self._plan.campaigns += 1
        promised = self._post("contacts/", {"name": people.PROMISED.name, "phone": people.PROMISED.phone})
        self._post(
            "callbacks/",
            {
                "contact_id": promised["id"],
                "scheduled_at": (_now() + PROMISED_IN).isoformat(),
                "type": "customer_requested",
            },
        )
        self._post("calls/", {"contact": {"name": people.ASKING.name, "phone": people.ASKING.phone}})
        self._plan.people.append(people.PROMISED)
        self._plan.asking = people.ASKING
        self._say("the campaign runs, a callback is promised")

    def _wait_for_first_calls(self) -> None:
        def have_ended() -> bool:
            evidence = self._evidence()
            return all(evidence.ends(person.phone) for person in people.CAMPAIGN)

        until(have_ended, what="a call.ended of the first call to each person of the campaign")
        self._say("the first calls have ended")

    def _work_on_the_queue(self) -> None:
        """Do what operators do, to retries that are due in minutes; what is called off would be due in this run."""
        self._carrier("inbound", {"from": people.RINGS_US.phone, "to": OURS})
        self._act(people.CALLED_NOW, "call-now")
        self._move(people.MOVED, MOVED_BY)
        self._act(people.SKIPPED, "skip")
        self._move(people.CANCELLED, CALLED_OFF_BEFORE)
        self._act(people.CANCELLED, "cancel")
        self._move(people.HANDLED, CALLED_OFF_BEFORE)
        self._act(people.HANDLED, "complete")
        self._move(people.SUPPRESSED, CALLED_OFF_BEFORE)
        self._post("suppressions/", {"phone": people.SUPPRESSED.phone, "reason": "manual"})
        self._say("the queue was worked on, somebody rings us")

    def _lose_the_default_worker(self) -> None:
        """Kill -9 it while it reads a large file, and lose its messages: what is asked for then stands in rows only."""
        campaign = self._campaign("Surveys", minutes=10)
        first, *_ = people.IMPORTED
        self._post(f"campaigns/{campaign}/contacts/", {"contacts": [{"name": first.name, "phone": first.phone}]})
        self._post(f"campaigns/{campaign}/start/")
        self._import(campaign, csv_of(people.IMPORTED, times=people.REPEATED))
        until(self._installation.is_reading_an_import, what="a worker reads the large file", pause=0)
        killed = self._installation.kill_children("worker-default")
        self._installation.kill("worker-default")
        self._plan.people += people.IMPORTED
        self._say(f"worker-default was killed while it read, {killed} children first")
        self._text()
        self._in_bulk()
        self._replay()
        lost = self._installation.forget_messages("default")
        self._installation.start("worker-default")
        until(lambda: self._installation.is_ready("worker-default", starts=2), what="worker-default is ready again")
        self._say(f"the broker lost {lost} messages, worker-default is there again")

    def _text(self) -> None:
        self._post("messages/", {"contact": {"name": "Jane", "phone": people.WRITTEN_TO}, "body": "We call at five."})
        self._plan.text_to = people.WRITTEN_TO

    def _in_bulk(self) -> None:
        chosen = {"campaign_id": self._renewals, "outcome": "no_answer"}
        self._post("callbacks/bulk/", {"action": "call_now", "filter": chosen})

    def _replay(self) -> None:
        """Ask for all that arrived; what came before that was asked is to come again."""
        came = frozenset(receipt.id for receipt in self._evidence().receipts)
        asked = {"since": self._since.isoformat(), "statuses": ["delivered"]}
        self._post(f"webhooks/{self._endpoint}/replay/", asked)
        self._plan.replayed = came

    def _wait_for_all(self) -> list[Finding]:
        """Look until all is kept, and what was called off is past the time at which it would have been called."""
        called_off = until(self._called_off, what="told when what was called off was due")
        findings: list[Finding] = []

        def all_kept() -> bool:
            nonlocal findings
            findings = judge(self._plan, self._evidence())
            return all(finding.is_kept for finding in findings) and _now() > called_off

        until(all_kept, what="everything", seconds=PATIENCE_SECONDS + 60)
        return findings

    def _called_off(self) -> datetime | None:
        evidence = self._evidence()
        times = [evidence.promises(person.phone) for person in (people.CANCELLED, people.HANDLED, people.SUPPRESSED)]
        return max(time for found in times for time in found) + timedelta(seconds=2) if all(times) else None

    def _campaign(self, name: str, *, minutes: int) -> str:
        schedule = {**ROUND_THE_CLOCK, "callback_retry_schedule": [minutes], "max_callback_attempts": 1}
        (persona,) = self._send("GET", "personas/")["results"]
        made = self._post("campaigns/", {"name": name, "persona_id": persona["id"], "schedule": schedule})
        return str(made["id"])

    def _start(self, campaign: str, *cast: Person) -> None:
        self._import(campaign, csv_of(cast))
        self._post(f"campaigns/{campaign}/start/", retry_on=409)  # until the file is read there is nobody to call
        self._plan.people += cast

    def _move(self, person: Person, by: timedelta) -> None:
        self._act(person, "reschedule", {"scheduled_at": (_now() + by).isoformat()})

    def _import(self, campaign: str, content: bytes) -> None:
        self._send("POST", f"campaigns/{campaign}/contacts/", content, content_type="text/csv")

    def _act(self, person: Person, verb: str, body: Mapping[str, Any] | None = None) -> None:
        pending = self._send("GET", "callbacks/?status=pending&limit=500")["results"]
        (callback,) = [row for row in pending if row["contact"]["phone"] == person.phone]
        self._post(f"callbacks/{callback['id']}/{verb}/", body or {})

    def _carrier(self, path: str, body: Mapping[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self._installation.carrier_secret}"}
        answer = requests.post(f"{self._installation.carrier_url}/{path}", json=body, headers=headers, timeout=10)
        answer.raise_for_status()

    def _post(self, path: str, body: Mapping[str, Any] | None = None, *, retry_on: int = 0) -> Any:
        return self._send("POST", path, body or {}, retry_on=retry_on)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        content_type: str = "application/json",
        retry_on: int = 0,
    ) -> Any:
        options: dict[str, Any] = {"json": body} if not isinstance(body, bytes) else {"data": body}
        url = f"{self._installation.url}/api/v1/{path}"

        def answer() -> requests.Response | None:
            given = self._session.request(
                method, url, headers={"Content-Type": content_type}, timeout=PATIENCE_SECONDS, **options
            )
            return None if given.status_code == retry_on else given

        given = until(answer, what=f"{method} {path} answers something else than {retry_on}")
        if not given.ok:
            message = f"{method} {path} answered {given.status_code}: {given.text[:500]}"
            raise NotReached(message)
        return given.json()

    def _evidence(self) -> Evidence:
        found = entries(self._installation.ledger)
        return Evidence(
            places=[entry for entry in found if isinstance(entry, Place)],
            texts=[entry for entry in found if isinstance(entry, Text)],
            receipts=receipts(self._installation.inbox),
        )

    def _say(self, what: str) -> None:
        self._done.append(f"  {time.monotonic() - self._began:5.1f} s  {what}")

    def _story(self, unmet: str) -> str:
        findings = judge(self._plan, self._evidence())
        broken = [finding for finding in findings if not finding.is_kept]
        at_fault = list(dict.fromkeys(name for finding in broken for name in finding.processes))
        lines = [f"the real run broke {time.monotonic() - self._began:.0f} s after its start: {unmet}", *self._done]
        lines += [f"  {'kept  ' if f.is_kept else 'BROKEN'}  {f.rule}: {f.seen}" for f in findings]
        lines += [f"  {name} has ended by itself" for name in self._installation.ended()]
        for name in at_fault:
            lines += [f"{name} said last:", *(f"    {line}" for line in self._installation.log(name))]
        return "\n".join(lines)


def _now() -> datetime:
    return datetime.now(UTC)
