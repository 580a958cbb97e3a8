"""Faults in the pure rules of callbacks: what is retried, when, and how often."""

from tests.mutants.mutant import Mutant

_RETRY = "tests/callbacks/test_schedules_by_hand.py tests/callbacks/test_chains_by_hand.py"
_CHAINS = "tests/callbacks/test_chains_by_hand.py"
_EXPLANATION = "tests/callbacks/test_explanation.py"
_PROPERTIES = "tests/rules/test_scheduling_properties.py"
_SCHEDULES = "tests/reference/test_retry_schedules.py"

MUTANTS = [
    Mutant(
        file="callbacks/rules/retry.py",
        name="retries wait twice their delay",
        old="        candidate=ended_at + timedelta(minutes=delay),",
        new="        candidate=ended_at + timedelta(minutes=2 * delay),",
        tests=_RETRY,
    ),
    Mutant(
        file="callbacks/rules/retry.py",
        name="retries wait half their delay",
        old="        candidate=ended_at + timedelta(minutes=delay),",
        new="        candidate=ended_at + timedelta(minutes=delay / 2),",
        tests=_RETRY,
    ),
    Mutant(
        file="callbacks/rules/retry.py",
        name="every retry waits the first delay",
        old="    return delays[min(used, len(delays) - 1)]",
        new="    return delays[0]",
        tests=_RETRY,
    ),
    Mutant(
        file="callbacks/rules/retry.py",
        name="one retry more than the limit is made",
        old="    if used >= limit:",
        new="    if used > limit:",
        tests=_RETRY,
    ),
    Mutant(
        file="callbacks/rules/retry.py",
        name="a policy that a campaign names leaves the workspace's schedule in force",
        old="        workspace = RetrySettings(auto_callback=workspace.auto_callback)",
        new="        pass",
        tests=f"{_CHAINS}::TestChains::test_a_named_policy_hides_the_schedule_and_the_limit_of_the_workspace",
    ),
    Mutant(
        file="callbacks/rules/retry.py",
        name="a campaign's settings win over those of the call",
        old="levels = ((Level.CALL, call), (Level.CAMPAIGN, campaign), ",
        new="levels = ((Level.CAMPAIGN, campaign), (Level.CALL, call), ",
        tests=f"{_PROPERTIES}::test_each_field_is_that_of_the_call_else_the_campaign_else_the_workspace_whatever_the_others_are",
    ),
    Mutant(
        file="callbacks/rules/retry.py",
        name="calls are retried although that is switched off",
        old='    if not settings.auto_callback:\n        return Stop(reason="auto_callback_off")\n',
        new="",
        tests=f"{_SCHEDULES}::test_where_automatic_callbacks_are_off_an_unanswered_call_is_followed_by_none",
    ),
    Mutant(
        file="dialer/rules/default_retries.py",
        name="busy lines are called again after half an hour",
        old='"busy": {"delays": [60], "limit": 5}',
        new='"busy": {"delays": [30], "limit": 5}',
        tests=f"{_PROPERTIES}::test_the_default_policy_is_the_published_table",
    ),
    Mutant(
        file="callbacks/rules/retry.py",
        name="a retry that moves with its campaign waits the next one's delay",
        old="_delay(settings, rule, used=number - 1)",
        new="_delay(settings, rule, used=number)",
        tests="tests/callbacks/test_resuming.py"
        "::test_a_retry_that_is_rescheduled_keeps_its_own_delay_from_the_resume_on",
    ),
    Mutant(
        file="callbacks/rules/settings.py",
        name="a switch that is off counts as not said",
        old='auto_callback=stored.get("auto_callback"),',
        new='auto_callback=stored.get("auto_callback") or None,',
        tests=f"{_SCHEDULES}::test_where_automatic_callbacks_are_off_an_unanswered_call_is_followed_by_none",
    ),
    Mutant(
        file="callbacks/rules/settings.py",
        name="the workspace's policy is never asked",
        old="_policy(workspace_policy) if workspace_policy is not None else DEFAULT_POLICY",
        new="DEFAULT_POLICY",
        tests="tests/api/test_preview.py::test_only_the_default_policy_stands_behind_a_question",
    ),
    Mutant(
        file="callbacks/rules/explanation.py",
        name="an explanation does not say that a skip came before",
        old="        steps.append(step(Code.SKIPPED, text, at=at, from_=ended_at))\n",
        new="",
        tests=f"{_EXPLANATION}::test_a_skipped_retry_is_told_before_the_delay_that_follows_it",
    ),
    Mutant(
        file="callbacks/rules/explanation.py",
        name="an explanation does not say that nobody knows the contact's clock",
        old="    if possible.was_cut:",
        new="    if False:",
        tests=f"{_EXPLANATION}::test_each_code_is_written_by_what_it_tells_of_and_shown_alike_by_api_and_admin",
    ),
    Mutant(
        file="callbacks/rules/explanation.py",
        name="an explanation names the level of the limit for that of the delay",
        old="            level=retry.delay_level,",
        new="            level=retry.limit_level,",
        tests=f"{_EXPLANATION}::test_delay_and_limit_each_name_the_level_that_gave_them",
    ),
]
