"""The catalogue of mutants fits the product as it is; ``make mutants`` runs it."""

import ast
from collections import Counter

import pytest

from config.env import BASE_DIR
from tests.mutants.catalogue import catalogue
from tests.mutants.mutant import Mutant, NotApplicable, selected_files

MUTANTS = catalogue()


def test_each_mutant_changes_one_place_and_leaves_a_module_that_can_be_read() -> None:
    assert [wrong for mutant in MUTANTS if (wrong := _what_is_wrong(mutant))] == []


def _what_is_wrong(mutant: Mutant) -> str:
    try:
        ast.parse(mutant.applied_to((BASE_DIR / mutant.file).read_text()))
    except (NotApplicable, SyntaxError) as error:
        return f"{mutant.file}: {error}"
    return ""


def test_mutants_have_names_of_their_own() -> None:
    assert [name for name, count in Counter(each.name for each in MUTANTS).items() if count > 1] == []


def test_each_selection_names_tests_that_exist() -> None:
    assert sorted(str(file) for file in selected_files(MUTANTS) if not (BASE_DIR / file).exists()) == []


def test_a_mutant_whose_place_is_gone_says_so() -> None:
    mutant = Mutant(file="manage.py", name="nothing is managed", old="import pigs", new="import wings", tests="tests")

    with pytest.raises(NotApplicable, match=r"'nothing is managed': its old text stands 0 times in manage\.py"):
        mutant.applied_to((BASE_DIR / mutant.file).read_text())
