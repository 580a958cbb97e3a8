"""A carrier that speaks Twilio's REST API: keeps calls and messages, and reports to the addresses it is given.

The number called decides what happens, by its last two digits as in :data:`ENDINGS`. Requests are refused as Twilio
refuses them, and reports are signed by Twilio's own library. It is fast: seconds of a call take milliseconds.
"""

import base64
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from twilio.request_validator import RequestValidator

ACCOUNT, TOKEN = "AC" + "a1" * 16, "the account's token"
TALK_SECONDS = 20
_STEP_SECONDS = 0.03
_PREFIX = f"/2010-04-01/Accounts/{ACCOUNT}/"
_REQUIRED_OF_CALLS = ("To", "From")
_KNOWN_OF_CALLS = {
    *("To", "From", "Url", "Method", "Twiml", "Timeout", "TimeLimit", "MachineDetection", "Record"),
    *("StatusCallback", "StatusCallbackMethod", "StatusCallbackEvent"),
}
_KNOWN_OF_MESSAGES = {"To", "From", "Body", "StatusCallback"}
_LIVE = ("queued", "ringing", "in-progress")


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a call to a number goes."""

    status: str
    answered_by: str = ""
    sip_code: str = ""
    rings: bool = True
    answers: bool = False
    talks_on: bool = False
    code: int | None = None
    is_silent: bool = False
    repeats: int = 1
    backwards: bool = False


ENDINGS: Mapping[str, Ending] = {
    "00": Ending(status="completed", answered_by="human", answers=True),
    "01": Ending(status="completed", answered_by="machine_start", answers=True),
    "02": Ending(status="no-answer"),
    "03": Ending(status="busy", rings=False, sip_code="486"),
    "04": Ending(status="failed", code=21217),
    "05": Ending(status="busy", sip_code="603"),
    "06": Ending(status="failed", rings=False, sip_code="503"),
    "07": Ending(status="completed", answered_by="human", answers=True, is_silent=True),
    "08": Ending(status="failed", rings=False, sip_code="404"),
    "12": Ending(status="completed", answered_by="human", answers=True, repeats=2),
    "13": Ending(status="completed", answered_by="human", answers=True, backwards=True),
    "15": Ending(status="failed", code=21215),
    "16": Ending(status="failed", code=21212),
    "18": Ending(status="completed", answered_by="human", answers=True, talks_on=True),
}


@dataclass(kw_only=True)
class _Call:
    sid: str
    form: Mapping[str, list[str]]
    ending: Ending
    created: datetime
    status: str = "queued"
    answered_by: str = ""
    duration: int | None = None
    ended: datetime | None = None
    sequence: Iterator[int] = field(default_factory=itertools.count)
    over: threading.Event = field(default_factory=threading.Event)

    def resource(self) -> dict[str, Any]:
        return {
            "sid": self.sid,
            "account_sid": ACCOUNT,
            "to": self.form["To"][0],
            "from": self.form["From"][0],
            "status": self.status,
            "direction": "outbound-api",
            "date_created": format_datetime(self.created),
            "start_time": format_datetime(self.created),
            "end_time": format_datetime(self.ended) if self.ended else None,
            "duration": None if self.duration is None else str(self.duration),
            "answered_by": self.answered_by or None,
        }


class FakeTwilio:
    """``requests`` are all that came, with path and form; ``is_full`` makes it answer 429."""

    def __init__(self) -> None:
        self.url = ""
        self.is_full = False
        self.answers: list[tuple[int, bytes]] = []
        """Answers to the next requests, instead of its own; nothing is created."""
        self.requests: list[tuple[str, Mapping[str, list[str]]]] = []
        self._calls: dict[str, _Call] = {}
        self._sids = itertools.count(1)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def calls_to(self, number: str) -> int:
        return sum(call.form["To"] == [number] for call in self._calls.values())

    def answer(self, method: str, path: str, form: Mapping[str, list[str]], authorization: str) -> tuple[int, Any]:
        self.requests.append((path, form))
        if self.answers:
            return self.answers.pop(0)
        expected = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if authorization != f"Basic {expected}" or not path.startswith(_PREFIX):
            return 401, _error(401, 20003, "Authenticate")
        return self._route(method, path.removeprefix(_PREFIX).split("/"), form)

    def report(self, url: str, form: Mapping[str, str], *, token: str = TOKEN) -> requests.Response | None:
        """Post a signed report; ``None`` if nobody takes it."""
        signed = RequestValidator(token).compute_signature(url, form)
        try:
            return requests.post(url, data=form, headers={"X-Twilio-Signature": signed}, timeout=10)
        except requests.ConnectionError:
            return None

    def wait(self) -> None:
        """Wait until every call that ends by itself has ended and been reported."""
        for thread in list(self._threads):
            thread.join(10)

    def stop(self) -> None:
        for call in self._calls.values():
            call.over.set()
        self.wait()

    def _route(self, method: str, names: list[str], form: Mapping[str, list[str]]) -> tuple[int, Any]:
        match method, names:
            case "POST", ["Calls.json"]:
                return self._create(form)
            case "POST", ["Messages.json"]:
                return self._send(form)
            case "GET", ["Calls.json"]:
                return 200, {"calls": self._listed(form)}
            case method, ["Calls", sid] if (call := self._calls.get(sid.removesuffix(".json"))) is not None:
                return self._update(call, form) if method == "POST" else (200, call.resource())
        return 404, _error(404, 20404, "The requested resource was not found")

    def _create(self, form: Mapping[str, list[str]]) -> tuple[int, Any]:
        if self.is_full:
            return 429, _error(429, 20429, "Too Many Requests")
        if refusal := _refusal(form, known=_KNOWN_OF_CALLS, required=_REQUIRED_OF_CALLS):
            return 400, refusal
        if ("Url" in form) == ("Twiml" in form):
            return 400, _error(400, 21205, "Url or Twiml is required")
        ending = ENDINGS[form["To"][0][-2:]]
        if ending.code is not None:
            return 400, _error(400, ending.code, f"refused with {ending.code}")
        with self._lock:
            call = _Call(sid=f"CA{next(self._sids):032x}", form=form, ending=ending, created=_now())
            self._calls[call.sid] = call
            thread = threading.Thread(target=self._run, args=(call,), daemon=True)
            self._threads.append(thread)
        created = call.resource()
        thread.start()
        return (-1 if ending.is_silent else 201), created

    def _listed(self, form: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        every = [call.resource() for call in reversed(self._calls.values())]
        return [each for each in every if [each["to"]] == form.get("To") and [each["from"]] == form.get("From")]

    def _update(self, call: _Call, form: Mapping[str, list[str]]) -> tuple[int, Any]:
        if form.get("Status") not in (["completed"], ["canceled"]):
            return 400, _error(400, 21218, "Invalid Status")
        if call.status not in _LIVE:
            return 400, _error(400, 21220, "Call is not in-progress. Cannot redirect.")
        call.over.set()
        return 200, call.resource()

    def _send(self, form: Mapping[str, list[str]]) -> tuple[int, Any]:
        if refusal := _refusal(form, known=_KNOWN_OF_MESSAGES, required=("To", "From", "Body")):
            return 400, refusal
        if form["To"][0].endswith("04"):
            return 400, _error(400, 21614, "'To' number is not a valid mobile number")
        sid = f"SM{next(self._sids):032x}"
        said = {"MessageSid": sid, "MessageStatus": "delivered", "To": form["To"][0], "From": form["From"][0]}
        thread = threading.Thread(target=self.report, args=(form["StatusCallback"][0], said), daemon=True)
        self._threads.append(thread)
        thread.start()
        return 201, {"sid": sid, "status": "queued", "num_segments": "1"}

    def _run(self, call: _Call) -> None:
        steps: list[Callable[[], dict[str, str]]] = []
        ending = call.ending
        if ending.rings:
            steps.append(lambda: self._moved(call, "ringing"))
        if ending.answers:
            steps.append(lambda: self._moved(call, "in-progress"))
        forms = []
        for step in steps:
            time.sleep(_STEP_SECONDS)
            forms.append(step())
            if not ending.backwards:
                self._tell(call, forms[-1])
        call.over.wait(60 if ending.talks_on else _STEP_SECONDS)
        forms.append(self._ended(call))
        for form in reversed(forms) if ending.backwards else forms[-1:]:
            self._tell(call, form)

    def _ended(self, call: _Call) -> dict[str, str]:
        if call.ending.answers:
            call.duration, call.answered_by = TALK_SECONDS, call.ending.answered_by
        call.ended = _now() + timedelta(seconds=call.duration or 0)
        return self._moved(call, call.ending.status)

    def _moved(self, call: _Call, status: str) -> dict[str, str]:
        call.status = status
        form = {
            "CallSid": call.sid,
            "AccountSid": ACCOUNT,
            "From": call.form["From"][0],
            "To": call.form["To"][0],
            "Direction": "outbound-api",
            "ApiVersion": "2010-04-01",
            "CallStatus": status,
            "Timestamp": format_datetime(call.ended or _now()),
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(next(call.sequence)),
        }
        if status not in _LIVE:
            form["SipResponseCode"] = call.ending.sip_code or "200"
            if call.duration is not None:
                form |= {"CallDuration": str(call.duration), "Duration": "1", "AnsweredBy": call.answered_by}
                form["RecordingUrl"] = f"https://api.twilio.com/recordings/{call.sid}"
        return form

    def _tell(self, call: _Call, form: Mapping[str, str]) -> None:
        for _ in range(call.ending.repeats):
            self.report(call.form["StatusCallback"][0], form)


@contextmanager
def fake_twilio() -> Iterator[FakeTwilio]:
    twilio = FakeTwilio()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer("POST", parse_qs(body.decode(), keep_blank_values=True))

        def do_GET(self) -> None:
            self._answer("GET", parse_qs(urlsplit(self.path).query))

        def _answer(self, method: str, form: Mapping[str, list[str]]) -> None:
            path = urlsplit(self.path).path
            status, content = twilio.answer(method, path, form, self.headers.get("Authorization", ""))
            if status < 0:
                self.close_connection = True
                return
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the test looks at what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    twilio.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield twilio
    finally:
        twilio.stop()
        server.shutdown()
        server.server_close()
        thread.join()


def _refusal(form: Mapping[str, list[str]], *, known: set[str], required: tuple[str, ...]) -> dict[str, Any] | None:
    if unknown := sorted(form.keys() - known):
        return _error(400, 20001, f"unknown parameters {unknown}")
    if missing := [name for name in required if not form.get(name, [""])[0]]:
        return _error(400, 21201, f"{missing} required")
    if any(int(form[name][0]) > 14_400 for name in ("Timeout", "TimeLimit") if name in form):
        return _error(400, 20001, "a time that is too long")
    return None


def _error(status: int, code: int, message: str) -> dict[str, Any]:
    return {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
