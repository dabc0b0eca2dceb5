"""docs/how-to has a section per kind of channel, with an example (tests/docs/test_recipes.py tries each)."""

import re

import pytest

from registrar.plugins import kinds
from tests.docs.pages import section


@pytest.mark.parametrize("kind", kinds("worker.notifications.notifiers"))
def test_every_kind_has_a_section_with_an_example(kind):
    _, text = section(f"Channel: `{kind}`")
    assert re.search(rf"kind: {kind}\b", text), f"show a channel of kind {kind}"
