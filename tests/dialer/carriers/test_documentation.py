"""The simulated carrier's page says what the code does."""

import re
from argparse import ArgumentParser

from dialer.carriers.simulation.network import Control
from dialer.carriers.simulation.script import CHANCES, SCRIPTS, Manner
from dialer.carriers.simulation.service import DEFAULTS, add_arguments
from tests.simulated_carrier import ROOT

PAGE = (ROOT / "docs" / "simulated-carrier.md").read_text()


def test_the_table_of_scripts_is_the_scripts() -> None:
    rows = re.findall(r"^\| `00(\d\d)` \| (.+) \| `(\w+)` \|$", PAGE, re.MULTILINE)

    assert rows == [(digits, script.meaning, script.outcome) for digits, script in SCRIPTS.items()]


def test_the_chances_are_the_chances() -> None:
    [sentence] = re.findall(r"other number is random: ([^.]+)\.", PAGE)
    said = re.findall(r"([a-z ]+?) (\d+) %", " ".join(sentence.split()))

    shares = {name.strip(): int(percent) for name, percent in said}
    assert list(shares.values()) == [round(share * 100) for share in CHANCES.values()]
    assert [name.replace(" ", "_") for name in shares] == [name.removesuffix("_number") for name in CHANCES]


def test_the_table_of_flags_is_the_commands() -> None:
    parser = ArgumentParser(add_help=False)
    add_arguments(parser, DEFAULTS)

    rows = re.findall(r"^\| `(--[\w-]+)` \| (.+?) \|", PAGE, re.MULTILINE)

    flags = [action.option_strings[0] for action in parser._actions]  # noqa: SLF001 — argparse has no other list
    assert [flag for flag, _ in rows] == flags


def test_everything_that_can_be_controlled_is_named() -> None:
    [row] = re.findall(r"^\| `POST /control` \| (.+) \|$", PAGE, re.MULTILINE)

    named = set(re.findall(r"`(\w+)`", row))
    assert named == {*Control.__slots__, *Manner}
