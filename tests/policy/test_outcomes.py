"""The list of outcomes is what the worker tells, and what docs/reference/events.md says."""

import re
from pathlib import Path

from registrar.events.facts import FactType
from registrar.events.outcome import OUTCOMES
from registrar.events.types import VOCABULARY

ROOT = Path(__file__).parents[2]
WORKER = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "worker").rglob("*.py")))
REGISTRAR = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "registrar" / "ledger").rglob("*.py")))
FAMILIES = {outcome.partition(".")[0] for outcome in OUTCOMES}


def told() -> set[str]:
    """What the worker's source makes a Fact of: by its name, by a constant's, or after the event's own type."""
    named = set(re.findall(r'Fact\(\s*"([a-z_]+\.[a-z_]+)"', WORKER))
    named |= {str(FactType[name]) for name in re.findall(r"FactType\.([A-Z_]+)", WORKER + REGISTRAR)}
    constants = set(re.findall(r'^(?:_?[A-Z_, ]+) = .*?"([a-z_]+\.[a-z_]+)"', WORKER + REGISTRAR, re.MULTILINE))
    others = set(re.findall(r'"((?:promotion|task|deployment|registry)\.[a-z_]+)"', WORKER)) - VOCABULARY.keys()
    states = {f"task.{state}" for state in ("refused", "failed", "dead")}  # worker/attempt.py
    reported = {type_ for type_ in VOCABULARY if type_.startswith("deployment.")}  # worker/actions/deployed.py
    found = named | (constants & set(OUTCOMES)) | others | states | reported
    return {each for each in found if each.partition(".")[0] in FAMILIES}


def test_what_is_told_is_listed():
    assert told() - set(OUTCOMES) == set()


def test_what_is_listed_is_told():
    assert set(OUTCOMES) - told() == set()


def test_the_reference_lists_them():
    text = (ROOT / "docs" / "reference" / "events.md").read_text(encoding="utf-8")
    listed = text.partition("Outcomes: ")[2].partition("\n\n")[0].replace("\n", " ")
    found = set()
    for family, words in re.findall(r"`([a-z_]+)\.([a-z_ |]+)`", listed):
        found |= {f"{family}.{word.strip()}" for word in words.split("|")}
    assert found == set(OUTCOMES)
