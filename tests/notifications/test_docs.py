"""docs/channels.md: a section per kind, and examples that work."""

import re
from pathlib import Path

import pytest

from registrar.plugins import kinds
from registrar.policy.load import parse
from worker.notifications import channels

TEXT = (Path(__file__).parents[2] / "docs" / "channels.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("kind", kinds("worker.notifications.notifiers"))
def test_every_kind_is_told_of_with_an_example(kind):
    _, found, section = TEXT.partition(f"\n## {kind}\n")
    assert found, f"add a section '## {kind}' to docs/channels.md"
    assert re.search(rf"kind: {kind}\b", section.partition("\n## ")[0]), f"show a channel of kind {kind}"


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_registrar_yml_that_the_worker_starts_with(example):
    channels.check(parse(f"version: 1\n{example}"))
