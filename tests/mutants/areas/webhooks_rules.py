"""Faults in the pure rules of webhooks: who hears, where they may go, how they are signed, when they are repeated."""

from tests.mutants.mutant import Mutant

_AUDIENCE = "tests/webhooks/test_audience.py"
_BACKOFF = "tests/webhooks/rules/test_backoff.py"
_CLASSIFY = "tests/webhooks/rules/test_classify.py"
_DESTINATION = "tests/webhooks/rules/test_destination.py"
_HEADERS = "tests/webhooks/rules/test_custom_headers.py"
_HEALTH = "tests/webhooks/test_endpoint_health.py"
_OUTBOX = "tests/webhooks/test_outbox.py"
_SAMPLES = "tests/webhooks/rules/test_samples.py"
_SIGNATURE = "tests/webhooks/rules/test_signature.py"

MUTANTS = [
    Mutant(
        file="webhooks/rules/audience.py",
        name="a test is said to be heard by every subscription",
        old="    if occasion.type == TEST_EVENT:\n        return Reason.TESTS_ONLY\n",
        new="",
        tests=f"{_AUDIENCE}::test_a_test_is_for_nobody_but_whom_it_is_sent_to",
    ),
    Mutant(
        file="webhooks/rules/audience.py",
        name="webhooks given with a call are said to replace subscriptions of every event",
        old="occasion.has_inline and replaces_subscriptions(occasion.type) and receiver",
        new="occasion.has_inline and receiver",
        tests=f"{_AUDIENCE}::test_those_are_named_that_are_told",
    ),
    Mutant(
        file="webhooks/rules/audience.py",
        name="an endpoint that is switched off is said to hear",
        old="    if not receiver.is_active:\n        return Reason.SWITCHED_OFF\n",
        new="",
        tests=f"{_AUDIENCE}::test_each_that_does_not_hear_is_told_of_with_its_reason",
    ),
    Mutant(
        file="webhooks/rules/backoff.py",
        name="the wait before a delivery's retry grows by steps and does not double",
        old="backoff * 2 ** (failures - 1)",
        new="backoff * failures",
        tests=f"{_BACKOFF}::test_waits_double_from_the_backoff",
    ),
    Mutant(
        file="webhooks/rules/backoff.py",
        name="what a receiver asks for shortens the wait",
        old="max(wait, min(retry_after, MAX_RETRY_AFTER))",
        new="min(retry_after, MAX_RETRY_AFTER)",
        tests=f"{_BACKOFF}::test_jitter_adds_at_most_a_fifth_and_a_hint_only_lengthens_to_an_hour",
    ),
    Mutant(
        file="webhooks/rules/backoff.py",
        name="a receiver may ask for a wait without end",
        old="max(wait, min(retry_after, MAX_RETRY_AFTER))",
        new="max(wait, retry_after)",
        tests=f"{_BACKOFF}::test_jitter_adds_at_most_a_fifth_and_a_hint_only_lengthens_to_an_hour",
    ),
    Mutant(
        file="webhooks/rules/backoff.py",
        name="retries of deliveries that failed together come together",
        old="    wait = doubled * (1 + JITTER * dice)",
        new="    wait = doubled",
        tests="tests/webhooks/test_delivery.py"
        "::test_a_retry_waits_its_jitter_and_what_the_receiver_asks_for_up_to_an_hour",
    ),
    Mutant(
        file="webhooks/rules/circuit.py",
        name="a circuit opens one failure too early",
        old="OPENS_AFTER = 10",
        new="OPENS_AFTER = 9",
        tests=f"{_HEALTH}::test_after_ten_failures_in_a_row_nothing_is_sent_for_half_a_minute",
    ),
    Mutant(
        file="webhooks/rules/circuit.py",
        name="the wait before a probe grows without bound",
        old="    return min(doubled, LONGEST_OPEN)",
        new="    return doubled",
        tests=f"{_HEALTH}::test_probes_go_one_at_a_time_and_the_wait_doubles_to_a_quarter_of_an_hour",
    ),
    Mutant(
        file="webhooks/rules/circuit.py",
        name="an endpoint is given up after three days",
        old="HOPELESS_AFTER = timedelta(days=5)",
        new="HOPELESS_AFTER = timedelta(days=3)",
        tests=f"{_HEALTH}::test_an_endpoint_is_not_switched_off_before_its_time",
    ),
    Mutant(
        file="webhooks/rules/classify.py",
        name="a redirect counts as delivered",
        old="    if 200 <= status < 300:  # noqa: PLR2004 — the classes of HTTP",
        new="    if 200 <= status < 400:",
        tests=f"{_CLASSIFY}::test_any_other_status_is_final",
    ),
    Mutant(
        file="webhooks/rules/classify.py",
        name="a 2xx whose body breaks off is sent again",
        old="    if status is None:\n",
        new="    if status is None or failure is not None:\n",
        tests=f"{_CLASSIFY}::test_a_2xx_status_line_is_delivered_whatever_the_body_does",
    ),
    Mutant(
        file="webhooks/rules/classify.py",
        name="a bad certificate is tried again and again",
        old="frozenset({Failure.CERTIFICATE, ",
        new="frozenset({",
        tests=f"{_CLASSIFY}::test_without_a_status_line_only_what_cannot_get_better_is_final",
    ),
    Mutant(
        file="webhooks/rules/custom_headers.py",
        name="a custom header may take the place of a signature",
        old='        "webhook-signature",\n',
        new="",
        tests=f"{_HEADERS}::test_headers_that_are_ours_or_no_headers_at_all_are_refused",
    ),
    Mutant(
        file="webhooks/rules/custom_headers.py",
        name="a custom header's value may begin a further header",
        old='_VALUE = re.compile(r"[\\x20-\\x7e]*")',
        new='_VALUE = re.compile(r"[\\x00-\\x7e]*")',
        tests=f"{_HEADERS}::test_headers_that_are_ours_or_no_headers_at_all_are_refused",
    ),
    Mutant(
        file="webhooks/rules/custom_headers.py",
        name="a custom header may take the place of the secret that is sent",
        old=' or (lower == "authorization" and method.sends_secret):',
        new=":",
        tests=f"{_HEADERS}::test_authorization_is_ours_where_it_carries_the_secret",
    ),
    Mutant(
        file="webhooks/rules/destination.py",
        name="the metadata of clouds may be asked for",
        old='    ("169.254.0.0/16", "link-local, where clouds keep their metadata"),\n',
        new="",
        tests=f"{_DESTINATION}::test_every_spelling_of_an_address_that_is_not_public_is_forbidden",
    ),
    Mutant(
        file="webhooks/rules/destination.py",
        name="a private network may be dialled by its 6to4 address",
        old="    if address in _SIX_TO_FOUR:\n        return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)\n",
        new="",
        tests=f"{_DESTINATION}::test_every_spelling_of_an_address_that_is_not_public_is_forbidden",
    ),
    Mutant(
        file="webhooks/rules/destination.py",
        name="loopback may be dialled by its octal spelling",
        old='int(label, 8) if label.startswith("0") else int(label)',
        new="int(label)",
        tests=f"{_DESTINATION}::test_every_spelling_of_an_address_that_is_not_public_is_forbidden",
    ),
    Mutant(
        file="webhooks/rules/destination.py",
        name="half of a private network may be dialled",
        old='    ("172.16.0.0/12", "private"),',
        new='    ("172.16.0.0/13", "private"),',
        tests=f"{_DESTINATION}::test_every_spelling_of_an_address_that_is_not_public_is_forbidden",
    ),
    Mutant(
        file="webhooks/rules/destination.py",
        name="an allowed network opens its addresses in their own form only",
        old="for candidate in {address, inner}",
        new="for candidate in {address}",
        tests=f"{_DESTINATION}::test_an_allowed_network_opens_its_addresses_in_every_form_and_no_others",
    ),
    Mutant(
        file="webhooks/rules/destination.py",
        name="a URL may hold a user and a password",
        old='    if "@" in parts.netloc:\n        raise BadUrl(Fault.USER_INFO)\n',
        new="",
        tests=f"{_DESTINATION}::test_what_is_no_url_for_webhooks_is_refused_with_the_reason",
    ),
    Mutant(
        file="webhooks/rules/envelope.py",
        name="an event of a chain does not say its place in it",
        old='{"chain_id": envelope.chain_id, "sequence": envelope.sequence}',
        new='{"chain_id": envelope.chain_id}',
        tests=f"{_OUTBOX}::test_an_event_is_frozen_as_the_envelope",
    ),
    Mutant(
        file="webhooks/rules/envelope.py",
        name="extra keys may overwrite the envelope's own",
        old="    if taken := OWN_KEYS & envelope.top_level.keys():",
        new="    if taken := set[str]():",
        tests=f"{_OUTBOX}::test_top_level_keys_cannot_take_the_names_of_the_envelope",
    ),
    Mutant(
        file="webhooks/rules/json_bytes.py",
        name="names are sent as escape sequences",
        old="ensure_ascii=False",
        new="ensure_ascii=True",
        tests=f"{_OUTBOX}::test_an_event_is_frozen_as_the_envelope",
    ),
    Mutant(
        file="webhooks/rules/json_bytes.py",
        name="a value is sent that no receiver can read",
        old="allow_nan=False",
        new="allow_nan=True",
        tests=f"{_OUTBOX}::test_what_is_not_json_is_refused_and_leaves_nothing",
    ),
    Mutant(
        file="webhooks/rules/lanes.py",
        name="an endpoint that nobody knows counts as prompt",
        old="Lane.SLOW if latency_ms is None or latency_ms >= SLOW_MS else Lane.FAST",
        new="Lane.SLOW if latency_ms is not None and latency_ms >= SLOW_MS else Lane.FAST",
        tests=f"{_HEALTH}::test_an_endpoint_that_nobody_knows_yet_begins_in_the_slow_lane",
    ),
    Mutant(
        file="webhooks/rules/lanes.py",
        name="an endpoint that begins to hang counts as prompt for hundreds of attempts",
        old="KEPT_PER_ATTEMPT = 0.8",
        new="KEPT_PER_ATTEMPT = 0.999",
        tests=f"{_HEALTH}::test_how_long_attempts_take_decides_the_lane",
    ),
    Mutant(
        file="webhooks/rules/samples.py",
        name="a sample of the end of a call lacks the call's id",
        old='{"call_id": _id("call")} if event_type == "call.ended" else {}',
        new="{}",
        tests=f"{_SAMPLES}::test_a_sample_is_as_its_schema_says",
    ),
    Mutant(
        file="webhooks/rules/samples.py",
        name="a sample of a cancelled callback says that it is pending",
        old='    "cancelled": "cancelled",\n',
        new="",
        tests=f"{_SAMPLES}::test_a_sample_of_a_callback_has_the_status_that_its_event_leaves",
    ),
    Mutant(
        file="webhooks/rules/signature.py",
        name="the signature does not cover the time",
        old='    signed = f"{timestamp}.".encode() + body',
        new="    signed = body",
        tests=f"{_SIGNATURE}::test_the_published_verifier_accepts_exactly_one_signature_over_timestamp_and_body",
    ),
    Mutant(
        file="webhooks/rules/signature.py",
        name="a rotated secret does not sign until it is promoted",
        old="for secret in (signer.secret, signer.next_secret) if secret]",
        new="for secret in (signer.secret,) if secret]",
        tests=f"{_SIGNATURE}::test_while_a_secret_is_rotated_both_verify_and_the_single_value_header_keeps_the_old_one",
    ),
    Mutant(
        file="webhooks/rules/signature.py",
        name="a rotated secret takes over before it is promoted",
        old="hmac.digest(signer.secret.encode(), signed, name)",
        new="hmac.digest((signer.next_secret or signer.secret).encode(), signed, name)",
        tests=f"{_SIGNATURE}::test_while_a_secret_is_rotated_both_verify_and_the_single_value_header_keeps_the_old_one",
    ),
    Mutant(
        file="webhooks/rules/signature.py",
        name="the Standard Webhooks signature leaves out the message's id",
        old='    standard = f"{message_id}.".encode() + signed',
        new="    standard = signed",
        tests=f"{_SIGNATURE}::test_the_library_of_standard_webhooks_verifies_hmac_endpoints",
    ),
    Mutant(
        file="webhooks/rules/signature.py",
        name="a secret may hold a line break",
        old="    if not secret or _UNSENDABLE.search(secret):",
        new="    if not secret:",
        tests=f"{_SIGNATURE}::test_a_secret_that_cannot_be_sent_or_verified_is_refused",
    ),
    Mutant(
        file="webhooks/rules/statuses.py",
        name="webhooks given with a call take events of callbacks from subscriptions",
        old='event_type.startswith("call.")',
        new='event_type.startswith("call")',
        tests="tests/webhooks/test_hidden_endpoints.py"
        "::test_other_events_reach_subscriptions_and_the_entries_that_list_them",
    ),
    Mutant(
        file="webhooks/rules/statuses.py",
        name="what was delivered cannot be sent once more",
        old="    DeliveryStatus.DELIVERED: frozenset({DeliveryStatus.PENDING}),",
        new="    DeliveryStatus.DELIVERED: frozenset(),",
        tests="tests/webhooks/test_endpoints.py::test_a_settled_delivery_can_be_sent_once_more_with_all_its_retries",
    ),
]
