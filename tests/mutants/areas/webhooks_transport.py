"""Faults in how strangers are spoken to: where is dialled, how long is waited, what is read and believed."""

from tests.mutants.mutant import Mutant

_DESTINATIONS = "tests/webhooks/test_destinations.py"
_TRANSPORT = "tests/webhooks/test_transport.py"

MUTANTS = [
    Mutant(
        file="webhooks/transport.py",
        name="one allowed address of a name lets the forbidden ones pass",
        old="        for address in addresses:\n            if (reason",
        new="        for address in addresses[:1]:\n            if (reason",
        tests=f"{_TRANSPORT}::test_a_name_with_one_forbidden_address_is_not_dialled_at_all",
    ),
    Mutant(
        file="webhooks/transport.py",
        name="libcurl looks a name up again after its addresses were judged",
        old='            curl.setopt(pycurl.RESOLVE, [f"{destination.host}:{destination.port}:{dialled}"])',
        new="            assert dialled",
        tests=f"{_TRANSPORT}::test_a_name_is_resolved_at_the_server_of_the_setting_and_dialled",
    ),
    Mutant(
        file="webhooks/transport.py",
        name="redirects are followed",
        old="curl.setopt(pycurl.FOLLOWLOCATION, 0)",
        new="curl.setopt(pycurl.FOLLOWLOCATION, 1)",
        tests=f"{_TRANSPORT}::test_a_redirect_is_an_answer_and_never_followed",
    ),
    Mutant(
        file="webhooks/transport.py",
        name="a proxy of the environment is used",
        old='        curl.setopt(pycurl.PROXY, "")\n        curl.setopt(pycurl.NOPROXY, "*")\n',
        new="",
        tests=f"{_TRANSPORT}::test_proxies_of_the_environment_are_not_used",
    ),
    Mutant(
        file="webhooks/transport.py",
        name="any authority's certificate is believed",
        old="curl.setopt(pycurl.SSL_VERIFYPEER, 1)",
        new="curl.setopt(pycurl.SSL_VERIFYPEER, 0)",
        tests=f"{_TRANSPORT}::test_a_certificate_that_does_not_verify_is_final",
    ),
    Mutant(
        file="webhooks/transport.py",
        name="a certificate of another name is believed",
        old="curl.setopt(pycurl.SSL_VERIFYHOST, 2)",
        new="curl.setopt(pycurl.SSL_VERIFYHOST, 0)",
        tests=f"{_TRANSPORT}::test_a_certificate_that_does_not_verify_is_final",
    ),
    Mutant(
        file="webhooks/transport.py",
        name="an answer without end is read without end",
        old="        if len(data) > room:\n",
        new="        if len(data) > 1_000 * MAX_ANSWER:\n",
        tests=f"{_TRANSPORT}::test_an_endless_answer_is_cut_at_16_kib_and_delivered_at_once",
    ),
    Mutant(
        file="webhooks/transport.py",
        name="a receiver that never reads holds its slot for ever",
        old="        self.curl.setopt(pycurl.TIMEOUT_MS, milliseconds)\n",
        new="",
        tests=f"{_TRANSPORT}::test_a_receiver_that_never_reads_holds_its_slot_no_longer_than_the_deadline",
    ),
    Mutant(
        file="webhooks/transport.py",
        name="a status that HTTP does not know is taken for an answer",
        old="        status = code if _FIRST_FINAL_STATUS <= code <= _LAST_STATUS else None",
        new="        status = code",
        tests=f"{_TRANSPORT}::test_nonsense_is_an_answer_by_its_status_line_or_a_failure",
    ),
    Mutant(
        file="webhooks/transport.py",
        name="the path is tidied up on its way",
        old="        curl.setopt(pycurl.PATH_AS_IS, 1)\n",
        new="",
        tests=f"{_TRANSPORT}::test_a_request_arrives_byte_for_byte_and_its_answer_comes_back",
    ),
    Mutant(
        file="webhooks/transport.py",
        name="the time that a name took is added to the deadline",
        old="        left = exchange.seconds_left()\n",
        new="        left = exchange.request.timeout_seconds\n",
        tests=f"{_TRANSPORT}::test_the_time_that_a_name_takes_counts_towards_the_deadline",
    ),
    Mutant(
        file="webhooks/transport.py",
        name="libcurl repeats a request that a kept connection ended without an answer",
        old="        if self._connection is not None:\n            return int(pycurl.PREREQFUNC_ABORT)\n",
        new="",
        tests="tests/webhooks/test_sender.py::test_every_request_that_a_receiver_sees_is_an_attempt_with_a_row_of_its_own",
    ),
    Mutant(
        file="webhooks/transport.py",
        name="a request is sent on a connection that the receiver has closed",
        old="not self._is_new_connection and self._kept.is_closed(connection)",
        new="False",
        tests=f"{_TRANSPORT}::test_a_kept_connection_that_is_closed_is_not_sent_on",
    ),
    Mutant(
        file="webhooks/resolver.py",
        name="an address is kept for longer than its name server says",
        old="min(seconds, MAX_KEPT_SECONDS)",
        new="max(seconds, MAX_KEPT_SECONDS)",
        tests=f"{_TRANSPORT}::test_a_name_that_is_rebound_between_requests_is_not_dialled",
    ),
    Mutant(
        file="webhooks/resolver.py",
        name="a name's IPv6 addresses are not looked up",
        old="for kind in (dns.rdatatype.A, dns.rdatatype.AAAA)",
        new="for kind in (dns.rdatatype.A,)",
        tests=f"{_TRANSPORT}::test_a_name_with_one_forbidden_address_is_not_dialled_at_all",
    ),
    Mutant(
        file="webhooks/resolver.py",
        name="every request looks its name up for itself",
        old="        if future is None or not is_under_way:",
        new="        if True:",
        tests=f"{_TRANSPORT}::test_lookups_of_one_name_are_shared_and_kept",
    ),
    Mutant(
        file="webhooks/resolver.py",
        name="a family that is never answered for holds up the other",
        old="timeout=_SECOND_FAMILY_SECONDS if has_answer else None",
        new="timeout=None",
        tests=f"{_TRANSPORT}::test_a_name_server_that_is_silent_about_one_family_holds_up_nobody",
    ),
    Mutant(
        file="webhooks/destinations.py",
        name="one allowed address of a name lets an endpoint be saved",
        old="for address in addresses)",
        new="for address in list(addresses)[-1:])",
        tests=f"{_DESTINATIONS}::test_a_url_that_leads_to_a_forbidden_address_is_refused_when_it_is_saved",
    ),
    Mutant(
        file="webhooks/destinations.py",
        name="a forbidden address is saved where no name stands before it",
        old="            elif reason := _addresses_error([destination.address]):",
        new="            elif reason := None:",
        tests=f"{_DESTINATIONS}::test_a_url_that_leads_to_a_forbidden_address_is_refused_when_it_is_saved",
    ),
]
