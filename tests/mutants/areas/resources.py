"""Faults in what a workspace owns: its defaults, personas, lines and retry policies."""

from tests.mutants.mutant import Mutant

_TESTS = "tests/dialer/setup/test_resources.py"

MUTANTS = [
    Mutant(
        file="dialer/setup/recipe.py",
        name="a workspace has two default lines",
        old=".filter(is_default=True).exclude(pk=row.pk).update(is_default=False)",
        new=".filter(is_default=True, pk=row.pk).update(is_default=False)",
        tests=f"{_TESTS}::test_a_new_default_takes_the_place_of_the_former",
    ),
    Mutant(
        file="dialer/setup/recipe.py",
        name="the credentials of a line stand in the audit",
        old='        name: "(changed)" if name == "credentials" else str(value)',
        new='        name: "(changed)" if name == "secret" else str(value)',
        tests=f"{_TESTS}::test_credentials_are_kept_encrypted_and_stay_out_of_the_audit",
    ),
    Mutant(
        file="dialer/setup/lines.py",
        name="new credentials wait for the end of the outage",
        old="        columns |= IN_REACH\n",
        new="        pass\n",
        tests="tests/dialer/dialing/test_line_health.py::test_new_credentials_are_tried_at_once",
    ),
    Mutant(
        file="dialer/setup/recipe.py",
        name="a changed pace waits for the wait of the former",
        old='    if "calls_per_second" in changes:\n',
        new='    if "calls_per_second" not in changes:\n',
        tests="tests/dialer/dialing/test_pacing.py"
        "::test_a_pace_that_is_raised_holds_at_once_and_not_after_the_wait_of_the_former",
    ),
    Mutant(
        file="dialer/setup/retry_policies.py",
        name="the default policy is archived",
        old="        if RetryPolicy.objects.in_workspace(workspace_id).get(pk=policy_id).is_default:\n",
        new="        if policy_id is None:\n",
        tests=f"{_TESTS}::test_a_policy_is_taken_in_the_short_form_and_the_default_one_is_kept",
    ),
    Mutant(
        file="dialer/setup/retry_policies.py",
        name="the default policy is made an ordinary one",
        old='        if columns.get("is_default") is False and policy.is_default:\n',
        new="        if policy_id is None:\n",
        tests=f"{_TESTS}::test_a_policy_is_taken_in_the_short_form_and_the_default_one_is_kept",
    ),
    Mutant(
        file="dialer/setup/lines.py",
        name="a line takes calls for the campaign of another workspace",
        old="    if campaign_id and not Campaign.objects.in_workspace(workspace_id).filter(pk=campaign_id).exists():\n",
        new="    if campaign_id and not Campaign.objects.filter(pk=campaign_id).exists():\n",
        tests="tests/api/test_resources.py"
        "::test_a_line_names_the_campaign_of_calls_that_come_in_and_only_one_of_its_workspace",
    ),
    Mutant(
        file="dialer/setup/lines.py",
        name="a new line has no pace",
        old='    columns = {"calls_per_second": CALLS_PER_SECOND, **recipe.read(fields, _LINE, required=("name",))}\n',
        new='    columns = recipe.read(fields, _LINE, required=("name",))\n',
        tests="tests/api/test_settings.py"
        "::test_a_new_line_that_says_nothing_of_its_pace_starts_ten_calls_a_second_and_null_is_no_limit",
    ),
    Mutant(
        file="dialer/setup/recipe.py",
        name="what is archived is edited",
        old="    rows: QuerySet[_Row] = objects.in_workspace(workspace_id).filter(archived_at=None)\n",
        new="    rows: QuerySet[_Row] = objects.in_workspace(workspace_id)\n",
        tests=f"{_TESTS}::test_a_name_is_taken_until_its_owner_is_archived",
    ),
]
