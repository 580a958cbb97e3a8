"""Faults in how the house is run: queues, routes, signs of life, figures, what is refused at the start."""

from tests.mutants.mutant import Mutant

_CELERY = "tests/config/test_celery.py"
_SETTINGS = "tests/config/test_settings.py"
_WATCHING = "tests/config/test_watching.py"

MUTANTS = [
    Mutant(
        file="config/celery.py",
        name="the collector visits all of Django while webhooks wait",
        old="    gc.freeze()\n",
        new="    pass\n",
        tests="tests/config/test_celery.py::test_a_worker_that_is_ready_spares_the_collector_what_it_has_loaded",
    ),
    Mutant(
        file="config/celery.py",
        name="dialling waits behind everything else",
        old='    "dialer.place_calls": "dial",\n',
        new="",
        tests=f"{_CELERY}::test_what_takes_long_waits_where_it_delays_no_call_and_no_delivery",
    ),
    Mutant(
        file="config/celery.py",
        name="a replay holds a thread of the loop that sends",
        old='    "webhooks.replay": "default",  # takes seconds, in which the loop that sends '
        "must not wait for a thread\n",
        new="",
        tests=f"{_CELERY}::test_what_takes_long_waits_where_it_delays_no_call_and_no_delivery",
    ),
    Mutant(
        file="config/celery.py",
        name="a sign of life goes to the default queue, whatever queue it is for",
        old='        options["queue"] = arguments[0]  # the row it writes says that a worker consumes this queue',
        new="        pass",
        tests=f"{_CELERY}::test_each_sign_of_life_goes_through_the_queue_that_it_is_for",
    ),
    Mutant(
        file="config/celery.py",
        name="nudges pile up while no worker runs",
        old='    options: dict[str, Any] = {"expires": max(2, every * 2) + CLOCKS_APART_SECONDS}',
        new='    options: dict[str, Any] = {"expires": 86_400}',
        tests=f"{_CELERY}::test_however_long_nobody_works_nudges_off_they_do_not_pile_up",
    ),
    Mutant(
        file="config/celery.py",
        name="a worker that is killed has its messages done again",
        old="    task_acks_late=False,",
        new="    task_acks_late=True,",
        tests=f"{_CELERY}::test_what_would_repeat_or_slow_work_is_off",
    ),
    Mutant(
        file="config/celery.py",
        name="every queue gets a copy of every message",
        old="[Queue(name, Exchange(name), routing_key=name) for name in QUEUES]",
        new='[Queue(name, Exchange(name), routing_key="default") for name in QUEUES]',
        tests=f"{_CELERY}::test_a_message_reaches_its_own_queue_only",
    ),
    Mutant(
        file="config/watch.py",
        name="a late sign of life turns the clock back",
        old="at = greatest(config_heartbeat.at, excluded.at)",
        new="at = excluded.at",
        tests=f"{_WATCHING}::test_a_late_heartbeat_never_turns_the_clock_back",
    ),
    Mutant(
        file="config/watch.py",
        name="a queue that nobody consumes is not named",
        old="    stale = {queue: age for queue, age in ages.items() if not is_fresh(age)}",
        new="    stale: dict[str, float | None] = {}",
        tests=f"{_WATCHING}::test_a_queue_that_nobody_consumes_is_named",
    ),
    Mutant(
        file="config/watch.py",
        name="a broker that is away is not named",
        old='        found["broker"] = "does not answer"',
        new="        pass",
        tests=f"{_WATCHING}::test_a_broker_that_does_not_answer_is_named",
    ),
    Mutant(
        file="config/watch.py",
        name="a clock that is behind is taken for right",
        old="and abs(ahead) > CLOCK_TOLERANCE_SECONDS:",
        new="and ahead > CLOCK_TOLERANCE_SECONDS:",
        tests=f"{_WATCHING}::test_a_worker_whose_clock_is_wrong_is_named",
    ),
    Mutant(
        file="config/views.py",
        name="the figures are shown without the token",
        old="    if settings.METRICS_TOKEN and not secrets.compare_digest(",
        new="    if not settings.METRICS_TOKEN and not secrets.compare_digest(",
        tests=f"{_WATCHING}::test_metrics_ask_for_the_token_when_there_is_one",
    ),
    Mutant(
        file="config/views.py",
        name="a process that is not ready says that it is",
        old="status=503 if problems else 200",
        new="status=200",
        tests=f"{_WATCHING}::test_a_queue_that_nobody_consumes_is_named",
    ),
    Mutant(
        file="config/metrics.py",
        name="a claimed call counts as one that waits",
        old="FROM dialer_call WHERE status = 'queued' AND lease_until IS NULL",
        new="FROM dialer_call WHERE status IN ('queued', 'dialing')",
        tests=f"{_WATCHING}::test_metrics_follow_a_call_and_a_delivery",
    ),
    Mutant(
        file="config/metrics.py",
        name="answers of receivers are not told apart",
        old="ELSE left(status_code::text, 1) || 'xx' END",
        new="ELSE 'xx' END",
        tests=f"{_WATCHING}::test_metrics_follow_a_call_and_a_delivery",
    ),
    Mutant(
        file="config/checks.py",
        name="Ringback starts without a key for secrets",
        old="    if not settings.ENCRYPTION_KEYS:",
        new="    if settings.ENCRYPTION_KEYS is None:",
        tests=f"{_SETTINGS}::test_a_wrong_setting_is_named_and_the_right_ones_are_not",
    ),
    Mutant(
        file="config/checks.py",
        name="a network that is none is found out at the first webhook",
        old='            problems.append(Error(f"WEBHOOK_ALLOWED_NETWORKS: {error}.", hint=hint, id="config.E006"))',
        new="            assert error\n            assert hint",
        tests=f"{_SETTINGS}::test_a_wrong_setting_is_named_and_the_right_ones_are_not",
    ),
    Mutant(
        file="config/middleware.py",
        name="pages come without a content security policy",
        old='        response.headers.setdefault("Content-Security-Policy", self._policy)\n',
        new="",
        tests=f"{_SETTINGS}::test_pages_may_run_no_script_of_others",
    ),
    Mutant(
        file="config/env.py",
        name="webhooks may be sent to private networks unless somebody forbids it",
        old="    WEBHOOK_ALLOWED_NETWORKS=(list, []),",
        new='    WEBHOOK_ALLOWED_NETWORKS=(list, ["10.0.0.0/8"]),',
        tests=f"{_SETTINGS}::test_defaults_are_safe_and_settings_load_with_nothing_set",
    ),
    Mutant(
        file="config/local/procfile.py",
        name="settings in front of a command are taken for its words",
        old="if not _SETTING.match(word)), len(words))",
        new="if word), len(words))",
        tests="tests/config/local/test_procfile.py::test_settings_in_front_are_told_from_the_command",
    ),
    Mutant(
        file="config/local/run.py",
        name="a release that fails starts everything all the same",
        old="    if status != 0:\n",
        new="    if status is None:\n",
        tests="tests/config/local/test_run.py::test_a_release_that_fails_starts_nothing",
    ),
    Mutant(
        file="config/local/settings.py",
        name="secrets that are kept are lost at the next start",
        old="    complete = made | known | chosen",
        new="    complete = known | made | chosen",
        tests="tests/config/local/test_settings.py::test_secrets_are_made_once_and_only_their_owner_reads_them",
    ),
    Mutant(
        file="config/local/settings.py",
        name="everybody on the machine may read the secrets",
        old="    draft.touch(mode=0o600)\n",
        new="",
        tests="tests/config/local/test_settings.py::test_secrets_are_made_once_and_only_their_owner_reads_them",
    ),
]
