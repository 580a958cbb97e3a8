"""Faults in the carriers' side: reading what they say, asking them, and the simulated carrier itself."""

from tests.mutants.mutant import Mutant

_INIT = "dialer/carriers/__init__.py"
_BASE = "dialer/carriers/base.py"
_READING = "dialer/carriers/reading.py"
_ADAPTER = "dialer/carriers/simulated.py"
_AGENT = "dialer/carriers/simulation/agent.py"
_CALLERS = "dialer/carriers/simulation/callers.py"
_EXCHANGE = "dialer/carriers/exchange.py"
_HTTP = "dialer/carriers/simulation/http.py"
_LEDGER = "dialer/carriers/simulation/ledger.py"
_NETWORK = "dialer/carriers/simulation/network.py"
_REPORTING = "dialer/carriers/simulation/reporting.py"
_SCRIPT = "dialer/carriers/simulation/script.py"
_SERVICE = "dialer/carriers/simulation/service.py"
_SIGNING = "dialer/carriers/simulation/signing.py"
_TEXTING = "dialer/carriers/simulation/texting.py"
_TESTS = "tests/dialer/carriers"
_EXCHANGES = f"{_TESTS}/test_exchange.py"

MUTANTS = [
    Mutant(
        file=_INIT,
        name="every carrier is taken to send messages",
        old="    return adapter if isinstance(adapter, Messenger) else None\n",
        new="    return adapter  # type: ignore[return-value]\n",
        tests="tests/dialer/messages/test_messages.py"
        "::test_a_line_without_a_number_or_whose_carrier_takes_calls_only_sends_nothing",
    ),
    Mutant(
        file=_BASE,
        name="an ambiguous answer proves the carrier alive",
        old="    health: Health = Health.UNSAID\n",
        new="    health: Health = Health.ALIVE\n",
        tests="tests/dialer/dialing/test_line_health.py::test_a_fault_of_our_own_neither_closes_nor_opens_the_circuit",
    ),
    Mutant(
        file=_BASE,
        name="a busy carrier counts as out of reach",
        old="    health: Health = Health.ALIVE\n",
        new="    health: Health = Health.OUT_OF_REACH\n",
        tests="tests/dialer/dialing/test_line_health.py::test_one_answer_among_failures_proves_the_carrier_alive",
    ),
    Mutant(
        file=_READING,
        name="a report without a zone is taken for one in UTC",
        old='        message = "a time without a zone"\n        raise ValueError(message)\n',
        new="        moment = moment.replace(tzinfo=UTC)\n",
        tests=f"{_TESTS}/test_simulated_answers.py"
        "::test_a_report_that_cannot_be_understood_does_not_hold_up_the_others",
    ),
    Mutant(
        file=_READING,
        name="a carrier's clock may be years ahead",
        old="    return moment if EARLIEST <= moment <= now + AHEAD else now\n",
        new="    return moment if EARLIEST <= moment else now\n",
        tests=f"{_TESTS}/test_reading.py::test_what_happened_at_a_time_that_cannot_be_happened_now",
    ),
    Mutant(
        file=_READING,
        name="ids that are too long become one",
        old="    return f\"sha256:{hashlib.sha256(given.encode(errors='surrogatepass')).hexdigest()}\"\n",
        new="    return given[:LONGEST_ID]\n",
        tests=f"{_TESTS}/test_reading.py::test_ids_that_are_too_long_stay_apart_and_a_repeated_one_stays_known",
    ),
    Mutant(
        file=_READING,
        name="an outcome that is no word of ours keeps its report from being stored",
        old="return word if isinstance(word, str) and word in _OUTCOMES else Outcome.NETWORK_ERROR.value",
        new="return Outcome(word).value  # type: ignore[arg-type]",
        tests=f"{_TESTS}/test_reading.py"
        "::test_a_flaw_keeps_neither_its_report_nor_the_others_from_being_stored_and_applied",
    ),
    Mutant(
        file=_ADAPTER,
        name="a request that may have arrived is taken for one that did not",
        old="    return Unknown(reason=str(error), health=Health.OUT_OF_REACH)\n",
        new="    return CARRIER_DOWN\n",
        tests=f"{_TESTS}/test_simulated_answers.py::test_silence_after_the_request_is_ambiguous",
    ),
    Mutant(
        file=_ADAPTER,
        name="a refusal of somebody on the way is taken for the carrier's own",
        old='        case ((429 | 503), {"not_accepted": True}):\n',
        new="        case (429 | 503), _:\n",
        tests=f"{_TESTS}/test_simulated_answers.py::test_only_the_carriers_own_word_makes_an_answer_certain",
    ),
    Mutant(
        file=_ADAPTER,
        name="a not found of somebody on the way is taken for the carrier's own",
        old='if response.status == HTTPStatus.NOT_FOUND and body.get("not_found") is True:',
        new="if response.status == HTTPStatus.NOT_FOUND:",
        tests=f"{_TESTS}/test_simulated_answers.py::test_a_not_found_of_somebody_else_on_the_way_says_nothing",
    ),
    Mutant(
        file=_ADAPTER,
        name="a report of last year is authentic",
        old="if not timestamp.isdecimal() or abs(self._clock() - int(timestamp)) > TOLERANCE.total_seconds():",
        new="if not timestamp.isdecimal():",
        tests=f"{_TESTS}/test_simulated_answers.py::test_a_report_farther_from_our_clock_is_not_authentic",
    ),
    Mutant(
        file=_ADAPTER,
        name="without a secret everybody can report",
        old="        if not self._secret or not hmac.compare_digest(\n",
        new="        if not hmac.compare_digest(\n",
        tests=f"{_TESTS}/test_simulated_answers.py::test_without_a_secret_no_report_is_authentic",
    ),
    Mutant(
        file=_ADAPTER,
        name="a carrier may ask us to wait for years",
        old="    return timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))\n",
        new="    return timedelta(seconds=seconds)\n",
        tests=f"{_TESTS}/test_simulated_answers.py::test_only_the_carriers_own_word_makes_an_answer_certain",
    ),
    Mutant(
        file=_EXCHANGE,
        name="a carrier that drips is listened to for as long as it drips",
        old="        curl.setopt(pycurl.TIMEOUT_MS, int(seconds * 1000))\n",
        new="        curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)\n        curl.setopt(pycurl.LOW_SPEED_TIME, 1)\n",
        tests=f"{_EXCHANGES}::test_every_request_ends_in_time_is_sent_once_and_stays_in_doubt",
    ),
    Mutant(
        file=_EXCHANGE,
        name="connecting may take the whole deadline",
        old="int(min(seconds, CONNECT_SECONDS) * 1000)",
        new="int(seconds * 1000)",
        tests=f"{_EXCHANGES}::test_a_carrier_that_drips_its_handshake_is_given_up_soon_and_never_took_the_request",
    ),
    Mutant(
        file=_EXCHANGE,
        name="what a carrier sends without end is read until the deadline",
        old="        return 0 if len(self._body) > MOST_BYTES else None  # 0 ends the exchange\n",
        new="",
        tests=f"{_EXCHANGES}::test_a_body_is_read_up_to_a_number_of_bytes",
    ),
    Mutant(
        file=_EXCHANGE,
        name="a body of the longest size is too long",
        old="        return 0 if len(self._body) > MOST_BYTES else",
        new="        return 0 if len(self._body) >= MOST_BYTES else",
        tests=f"{_EXCHANGES}::test_the_longest_body_is_read_whole",
    ),
    Mutant(
        file=_EXCHANGE,
        name="a carrier's answer is inflated",
        old="        curl.setopt(pycurl.HTTP_CONTENT_DECODING, 0)\n",
        new='        curl.setopt(pycurl.ACCEPT_ENCODING, "gzip")\n',
        tests=f"{_EXCHANGES}::test_a_gzip_bomb_is_not_inflated",
    ),
    Mutant(
        file=_EXCHANGE,
        name="a request is sent again on another connection",
        old="        may_send, self._was_sent = not self._was_sent, True\n",
        new="        may_send = self._was_sent = True\n",
        tests=f"{_EXCHANGES}::test_a_request_on_a_kept_connection_that_the_carrier_closes_is_not_sent_again",
    ),
    Mutant(
        file=_EXCHANGE,
        name="a request goes out on a connection that the carrier closed",
        old="        return bool(poll.poll(0))\n",
        new="        return False\n",
        tests=f"{_EXCHANGES}::test_a_connection_that_was_closed_between_two_requests_costs_no_answer",
    ),
    Mutant(
        file=_EXCHANGE,
        name="a closed connection stays beside the one in use",
        old="        curl.setopt(pycurl.MAXCONNECTS, 1)  #",
        new="        #",
        tests=f"{_EXCHANGES}::test_a_connection_that_was_closed_between_two_requests_costs_no_answer",
    ),
    Mutant(
        file=_EXCHANGE,
        name="the request before this one counts as this one's sending",
        old="        self._was_sent = False\n        curl = self._curl\n",
        new="        curl = self._curl\n",
        tests=f"{_EXCHANGES}::test_a_thread_keeps_its_connection_and_no_other_uses_it",
    ),
    Mutant(
        file=_EXCHANGE,
        name="a request that never left us may have arrived",
        old="may_have_arrived=self._was_sent) from error",
        new="may_have_arrived=True) from error",
        tests=f"{_EXCHANGES}::test_a_carrier_that_drips_its_handshake_is_given_up_soon_and_never_took_the_request",
    ),
    Mutant(
        file=_EXCHANGE,
        name="a status that is none is an answer",
        old="        if not _FIRST_FINAL_STATUS <= status <= _LAST_STATUS:\n",
        new="        if status < _FIRST_FINAL_STATUS:\n",
        tests=f"{_EXCHANGES}::test_what_is_no_http_is_no_answer",
    ),
    Mutant(
        file=_EXCHANGE,
        name="a carrier redirects our secret",
        old="curl.setopt(pycurl.FOLLOWLOCATION, 0)",
        new="curl.setopt(pycurl.FOLLOWLOCATION, 1)",
        tests=f"{_EXCHANGES}::test_a_redirect_is_an_answer_and_is_not_followed",
    ),
    Mutant(
        file=_EXCHANGE,
        name="a proxy of the environment hears our secret",
        old='        curl.setopt(pycurl.PROXY, "")\n        curl.setopt(pycurl.NOPROXY, "*")\n',
        new="",
        tests=f"{_EXCHANGES}::test_a_proxy_of_the_environment_is_not_used",
    ),
    Mutant(
        file=_EXCHANGE,
        name="a forked process uses its parent's connections",
        old="    _own = _Own()\n\n\nos.register",
        new="\n\nos.register",
        tests=f"{_EXCHANGES}::test_a_forked_process_opens_a_connection_of_its_own",
    ),
    Mutant(
        file=_AGENT,
        name="the agent's wishes have one key for all calls",
        old='f"simulated-carrier:{call}:{verb}"',
        new='f"simulated-carrier:{verb}"',
        tests=f"{_TESTS}/test_agent.py::test_every_try_of_an_effect_has_its_key_and_no_other_effect_has_it",
    ),
    Mutant(
        file=_AGENT,
        name="the agent tries once only",
        old="            if not may_change:\n                break\n",
        new="            break\n",
        tests=f"{_TESTS}/test_agent.py::test_every_try_of_an_effect_has_its_key_and_no_other_effect_has_it",
    ),
    Mutant(
        file=_CALLERS,
        name="whoever rings us hides the number",
        old='                "from": ring.from_number,\n',
        new='                "from": "",\n',
        tests=f"{_TESTS}/test_simulation.py::test_somebody_rings_on_request_and_every_report_says_who",
    ),
    Mutant(
        file=_CALLERS,
        name="a ring with a field that is not known is taken",
        old='        if unknown := content.keys() - {"from", "to", "ring_seconds", "talk_seconds"}:\n',
        new="        if unknown := content.keys() - content.keys():\n",
        tests=f"{_TESTS}/test_simulation.py::test_a_ring_that_is_not_understood_is_refused",
    ),
    Mutant(
        file=_HTTP,
        name="a plus in a query is a space",
        old="    return {unquote(name): unquote(value) for name, _, value in pairs}\n",
        new='    return {unquote(name): unquote(value.replace("+", " ")) for name, _, value in pairs}\n',
        tests=f"{_TESTS}/test_simulation.py::test_the_ledger_can_be_read_from_a_time_on",
    ),
    Mutant(
        file=_LEDGER,
        name="two carriers write one ledger",
        old="            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        new="            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)\n",
        tests=f"{_TESTS}/test_restart.py::test_a_second_carrier_on_a_ledger_does_not_start_and_says_why",
    ),
    Mutant(
        file=_LEDGER,
        name="half a line spoils the one that follows it",
        old="        _cut_unfinished_line(path)\n",
        new="",
        tests=f"{_TESTS}/test_ledger.py::test_a_line_that_was_cut_short_is_left_out_and_does_not_spoil_the_next",
    ),
    Mutant(
        file=_NETWORK,
        name="a call is accepted twice",
        old='            "repeated": asked.call_id in self._placed,',
        new='            "repeated": False,',
        tests=f"{_TESTS}/test_simulation.py::test_twenty_requests_at_once_for_one_call_make_one_call",
    ),
    Mutant(
        file=_NETWORK,
        name="a call that ended takes a place for ever",
        old="            self.live -= 1\n",
        new="            pass\n",
        tests=f"{_TESTS}/test_simulation.py::test_capacity_counts_live_calls_and_is_free_again_after_them",
    ),
    Mutant(
        file=_NETWORK,
        name="a call that is hung up on goes on",
        old="            self._cancel(call)\n            call.course = cut\n",
        new="            self._cancel(call)\n",
        tests=f"{_TESTS}/test_simulation.py::test_hanging_up_while_it_rings_is_reported_as_cancelled",
    ),
    Mutant(
        file=_REPORTING,
        name="a report that was not taken is lost",
        old="            await asyncio.sleep(wait)\n            wait = min",
        new="            return False\n            wait = min",
        tests=f"{_TESTS}/test_simulation.py::test_reports_that_are_not_taken_are_sent_again_in_their_order",
    ),
    Mutant(
        file=_REPORTING,
        name="what follows a report happens although it was never taken",
        old="        return None if status // 100 == 2 else",
        new="        return None if status else",
        tests=f"{_TESTS}/test_reporting.py",
    ),
    Mutant(
        file=_SCRIPT,
        name="a talk lasts longer than was asked for",
        old="    lasts = max_duration if script.talks_on else min(talk, max_duration)\n",
        new="    lasts = max_duration if script.talks_on else talk\n",
        tests=f"{_TESTS}/test_script.py::test_a_talk_is_cut_at_the_longest_that_was_asked_for",
    ),
    Mutant(
        file=_SCRIPT,
        name="every call to a number goes the same way",
        old='random.Random(f"{seed}:{number}:{nth}")',
        new='random.Random(f"{seed}:{number}")',
        tests=f"{_TESTS}/test_script.py::test_another_call_to_a_number_and_another_seed_go_other_ways",
    ),
    Mutant(
        file=_SERVICE,
        name="everybody may place calls",
        old="            case method, parts if not self._has_secret(request):\n",
        new="            case method, parts if not self._expected:\n",
        tests=f"{_TESTS}/test_simulation.py::test_without_the_secret_nothing_is_placed_or_told",
    ),
    Mutant(
        file=_SERVICE,
        name="a long ledger ends after its first page",
        old='"has_more": len(found) > LEDGER_PAGE}',
        new='"has_more": False}',
        tests=f"{_TESTS}/test_simulation.py::test_a_long_ledger_is_read_in_pages",
    ),
    Mutant(
        file=_SIGNING,
        name="the time of a report is not signed",
        old='timestamp.encode() + b"." + body, hashlib.sha256',
        new='b"." + body, hashlib.sha256',
        tests=f"{_TESTS}/test_simulated_answers.py::test_a_report_that_is_not_signed_with_the_secret_is_not_authentic",
    ),
    Mutant(
        file=_TEXTING,
        name="a message is accepted twice",
        old="        if asked.message_id in self._accepted:\n",
        new="        if asked.message_id in self._refused_once:\n",
        tests="tests/api/test_messages.py"
        "::test_the_carrier_takes_a_message_once_however_often_it_is_asked_also_after_a_restart",
    ),
]
