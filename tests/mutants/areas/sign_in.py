"""Faults in how people sign in."""

from tests.mutants.mutant import Mutant

_ATTACKS = "tests/security/test_sign_in.py"
_ADDRESSES = "tests/security/test_client_addresses.py"
_FACTOR = "tests/dialer/sign_in/test_second_factor.py"
_SESSIONS = "tests/dialer/sign_in/test_sessions.py"

MUTANTS = [
    Mutant(
        file="dialer/sign_in/throttle.py",
        name="attempts on an account are not counted",
        old="        _count(limiter, ACCOUNT, _digest(name))\n",
        new="",
        tests=f"{_ATTACKS}::test_a_password_cannot_be_guessed_by_trying_many",
    ),
    Mutant(
        file="dialer/sign_in/throttle.py",
        name="an address may fail for ever",
        old="        if not limiter.test(ADDRESS, _network(address)):\n",
        new="        if False:\n",
        tests=f"{_ATTACKS}::test_one_address_cannot_try_a_password_on_everybody",
    ),
    Mutant(
        file="dialer/sign_in/forms.py",
        name="an attempt counts after the password is checked",
        old="            passwords.begin(name, **about)\n            try:\n                cleaned = super().clean()\n",
        new="            try:\n                cleaned = super().clean()\n"
        "                passwords.begin(name, **about)\n",
        tests=f"{_ATTACKS}::test_parallel_guesses_do_not_pass_the_limit_together",
    ),
    Mutant(
        file="dialer/sign_in/gate.py",
        name="a password alone opens every page",
        old="            request.user = AnonymousUser()\n",
        new="            pass\n",
        tests=f"{_FACTOR}::test_a_password_alone_opens_no_page_at_all",
    ),
    Mutant(
        file="dialer/sign_in/gate.py",
        name="a workspace that requires a second factor asks nobody for it",
        old="Q(second_factor__isnull=False) | Exists(required)",
        new="Q(second_factor__isnull=False) & ~Exists(required)",
        tests=f"{_FACTOR}::test_a_workspace_that_requires_it_is_closed_until_it_is_set_up",
    ),
    Mutant(
        file="dialer/sign_in/second_factor.py",
        name="a code of the app counts again",
        old="filter(user=user, last_step__lt=step)",
        new="filter(user=user, last_step__lte=step)",
        tests=f"{_FACTOR}::test_a_code_counts_once",
    ),
    Mutant(
        file="dialer/sign_in/second_factor.py",
        name="codes may be guessed for ever",
        old="        throttle.attempt_code(user.pk)\n",
        new="        pass\n",
        tests=f"{_FACTOR}::test_codes_cannot_be_guessed_by_trying_many",
    ),
    Mutant(
        file="dialer/sign_in/store.py",
        name="the table of sessions holds their keys",
        old="    return hashlib.sha256(session_key.encode()).hexdigest()\n",
        new="    return session_key\n",
        tests=f"{_ATTACKS}::test_who_reads_the_table_of_sessions_cannot_use_them",
    ),
    Mutant(
        file="dialer/sign_in/models.py",
        name="people end the sessions of others",
        old="signed_in.filter(user_id=user.pk)",
        new="signed_in",
        tests=f"{_SESSIONS}::test_people_end_their_own_sessions_and_superusers_those_of_others",
    ),
    Mutant(
        file="dialer/workspaces/client.py",
        name="a forged address counts",
        old="        if not _is_trusted(address):\n            break\n",
        new="",
        tests=f"{_ADDRESSES}::test_only_what_our_own_proxies_wrote_counts",
    ),
]
