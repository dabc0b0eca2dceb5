"""The generated parts of docs/ are what the code says today, and the hand-written ones name all of it."""

import re

import pytest

from registrar.events.types import VOCABULARY
from registrar.policy import Policy
from tests.docs.pages import DOCS
from tests.docs.references import PARTS, with_part
from tests.policy.test_every_key import keys


@pytest.mark.parametrize("name", PARTS)
def test_a_generated_part_is_up_to_date(name: str):
    page, make = PARTS[name]
    text = page.read_text(encoding="utf-8")
    assert with_part(name, text, make()) == text, "make references"


def test_a_page_without_a_place_for_it_is_refused():
    with pytest.raises(ValueError, match="generated: keys"):
        with_part("keys", "# Nothing", "| key |")


def test_the_table_of_registrar_yml_names_every_key():
    """As `key`, `.key`, `..key[]` of the table, or within an example; not only in the generated part."""
    text = (DOCS / "reference" / "registrar-yml.md").read_text(encoding="utf-8").partition("<!-- generated")[0]
    names = {key.partition(".")[2].rstrip("_") for key in keys(Policy, set())}
    assert {name for name in names if not re.search(rf"[`.]{name}[`\[.]|[{{ ]{name}: ", text)} == set()


def test_the_table_of_events_names_every_type():
    text = (DOCS / "reference" / "events.md").read_text(encoding="utf-8").partition("<!-- generated")[0]
    assert {type_ for type_ in VOCABULARY if f"`{type_}`" not in text} == set()
