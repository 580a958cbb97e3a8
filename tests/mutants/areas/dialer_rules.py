"""Faults in the pure rules of the dialer: when somebody may be called, how often, how fast, and what texts mean."""

from tests.mutants.mutant import Mutant

_RULES = "dialer/rules"
_LIMITS = "tests/rules/test_contact_limits.py"
_GATE = "tests/rules/test_eligibility.py"
_PACING = "tests/rules/test_pacing.py"
_SETTINGS = "tests/rules/test_schedule_settings.py"


def _mutant(module: str, name: str, old: str, new: str, tests: str) -> Mutant:
    return Mutant(file=f"{_RULES}/{module}.py", name=name, old=old, new=new, tests=tests)


MUTANTS = [
    _mutant(
        "contact_limits",
        "the longest period is that of the first limit",
        "    return max((limit.period for limit in limits), default=timedelta())",
        "    return next((limit.period for limit in limits), timedelta())",
        _LIMITS,
    ),
    _mutant(
        "contact_limits",
        "a campaign's limit counts the calls of all campaigns",
        ' if limit.scope == "number" or call.campaign_id == campaign_id)',
        ")",
        _LIMITS,
    ),
    _mutant(
        "contact_limits",
        "a number's limit counts the calls of one campaign alone",
        'limit.scope == "number" or call.campaign_id',
        "call.campaign_id",
        _LIMITS,
    ),
    _mutant(
        "contact_limits",
        "one call more than the limit is made",
        "len(counted) >= limit.max",
        "len(counted) > limit.max",
        _LIMITS,
    ),
    _mutant(
        "contact_limits",
        "the oldest call of the ledger must have left the period",
        "counted[-limit.max]",
        "counted[0]",
        _LIMITS,
    ),
    _mutant(
        "eligibility",
        "a call is handed over before its time",
        "if candidate.due_at > now + CLOCK_TOLERANCE:",
        "if candidate.due_at > now + 60 * CLOCK_TOLERANCE:",
        _GATE,
    ),
    _mutant(
        "eligibility",
        "a stale retry is called an hour longer",
        "now > candidate.not_after:",
        "now > candidate.not_after + timedelta(hours=1):",
        _GATE,
    ),
    _mutant(
        "eligibility",
        "a contact is called while on the phone",
        "if candidate.is_contact_busy:",
        "if candidate.is_contact_busy and not candidate.forced:",
        _GATE,
    ),
    _mutant(
        "eligibility",
        "calls go out over a line whose carrier is down",
        "now < candidate.line_down_until:",
        "now > candidate.line_down_until:",
        _GATE,
    ),
    _mutant(
        "eligibility",
        "a force passes a suppression",
        "if candidate.is_suppressed:",
        "if candidate.is_suppressed and not candidate.forced:",
        _GATE,
    ),
    _mutant(
        "eligibility",
        "calls of a campaign that failed go on",
        '("completed", "cancelled", "failed")',
        '("completed", "cancelled")',
        _GATE,
    ),
    _mutant(
        "eligibility",
        "every force passes a pause",
        " and Waits.CAMPAIGN_PAUSED not in candidate.forced:",
        " and not candidate.forced:",
        _GATE,
    ),
    _mutant(
        "eligibility",
        "a call whose window never opens is not known to be hopeless",
        "due_at=now + timedelta(days=1), is_hopeless=True)",
        "due_at=now + timedelta(days=1))",
        _GATE,
    ),
    _mutant(
        "openings",
        "a time moved by a limit is not judged by the window again",
        "        instant = allowed",
        "        terms = replace(terms, limits=())\n        instant = opening.at",
        "tests/rules/test_scheduling_properties.py tests/rules/test_eligibility.py",
    ),
    _mutant(
        "openings",
        "whoever forces anything passes the window",
        "if Waits.OUTSIDE_WINDOW in forced:",
        "if forced:",
        _GATE,
    ),
    _mutant(
        "circuit",
        "a line is left alone after one failure more",
        "counted.failures >= FAILURES)",
        "counted.failures > FAILURES)",
        "tests/rules/test_circuit.py",
    ),
    _mutant(
        "circuit",
        "failures of calls under way make an outage longer",
        "if circuit.is_open(now=now) or not",
        "if not",
        "tests/rules/test_circuit.py",
    ),
    _mutant(
        "circuit",
        "a line is left alone as long after its tenth outage as after its first",
        "first * 2 ** min(circuit.outages, 10)",
        "first",
        "tests/rules/test_circuit.py",
    ),
    _mutant(
        "pacing",
        "one call more than there are slots is started",
        "self.in_use.get(owner.id, 0) >= owner.max_concurrent_calls:",
        "self.in_use.get(owner.id, 0) > owner.max_concurrent_calls:",
        _PACING,
    ),
    _mutant(
        "pacing",
        "the time between two starts is rounded down",
        "math.ceil(1_000_000 / calls_per_second)",
        "math.floor(1_000_000 / calls_per_second)",
        _PACING,
    ),
    _mutant(
        "pacing",
        "a start that is too late is taken all the same",
        "        if start > until:\n            return None\n",
        "",
        _PACING,
    ),
    _mutant(
        "pacing",
        "ten more of priority is ten times as many turns",
        "float(2 ** (priority / 10))",
        "float(10 ** (priority / 10))",
        _PACING,
    ),
    _mutant(
        "phone_number",
        "a number may begin with 00",
        '    elif number.startswith("00"):',
        '    elif number.startswith("000"):',
        "tests/rules/test_phone_number.py",
    ),
    _mutant(
        "schedule_settings",
        "hours may close when they open",
        '    if end <= start:\n        notes.refuse(f"{path}',
        '    if end < start:\n        notes.refuse(f"{path}',
        _SETTINGS,
    ),
    _mutant(
        "schedule_settings",
        "an exponential policy grows by addition",
        "[interval << step for step in range(retries)]",
        "[interval * (step + 1) for step in range(retries)]",
        _SETTINGS,
    ),
    _mutant(
        "status_callbacks",
        "a voicemail is spelled completed",
        '"voicemail": "no-answer"}',
        '"voicemail": "completed"}',
        "tests/rules/test_status_callbacks.py",
    ),
    _mutant(
        "stop_words",
        "a wish to be left alone counts only in small letters",
        ".strip().casefold() in",
        ".strip() in",
        "tests/rules/test_stop_words.py",
    ),
]
