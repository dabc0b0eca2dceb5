"""Each sentence of docs/explanation/security.md about what nobody can do has an attack of that name, and vice versa."""

import re
from pathlib import Path

from registrar.events.types import VOCABULARY

DOC = (Path(__file__).parents[2] / "docs" / "explanation" / "security.md").read_text(encoding="utf-8")
TABLE = DOC.partition("## What each grant and role can do, at worst")[2].partition("\n## ")[0]
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TABLE.splitlines() if line.startswith("| ")][1:]


def slug(text: str) -> str:
    return re.sub(r"[^a-z]+", "_", text.lower()).strip("_")


def names() -> list[str]:
    """A test for each sentence: the row's first words, can_not, the sentence."""
    return [
        f"test_{slug(who.partition(',')[0])}_can_not_{slug(sentence)}"
        for who, _, can_not in ROWS
        for sentence in can_not.split(";")
    ]


def test_each_sentence_has_its_attack_and_each_attack_its_sentence():
    written = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*_attack*.py"))
    assert sorted(re.findall(r"^def (test_\w+_can_not_\w+)\(", written, re.MULTILINE)) == sorted(names())


def test_each_type_that_can_be_granted_has_a_row():
    told = {type_ for who, *_ in ROWS for type_ in re.findall(r"`([a-z_]+\.[a-z_]+)`", who)}
    assert told == set(VOCABULARY)
