"""Each example of docs/how-to/testing.md is a test that passes."""

import inspect
import re
from pathlib import Path

import pytest

from registrar.ledger import Ledger
from tests.notifications.conftest import listener  # noqa: F401 (a fixture)

DOC = (Path(__file__).parents[2] / "docs" / "how-to" / "testing.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.+?)```", DOC, re.DOTALL)


def test_there_is_one_for_each_of_the_four_things_that_contributors_write():
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize("example", EXAMPLES, ids=["source", "notifier", "action", "gate"])
def test_an_example_passes(example: str, ledger: Ledger, request: pytest.FixtureRequest):
    written: dict[str, object] = {}
    exec(compile(example, "docs/how-to/testing.md", "exec"), written)  # noqa: S102 (our own page)
    [test] = [found for name, found in written.items() if name.startswith("test_")]
    assert inspect.isfunction(test)
    test(**{name: request.getfixturevalue(name) for name in inspect.signature(test).parameters})
