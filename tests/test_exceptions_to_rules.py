"""Each exception to a rule of security says why it is one."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXCEPTION = re.compile(r"# noqa: (?:S|BLE)\d+(?P<reason>.*)")
CODE = sorted(
    path for folder in ("registrar", "webhooks", "worker", "tests", "deploy") for path in (ROOT / folder).rglob("*.py")
)


def unexplained(text: str) -> list[str]:
    return [found[0] for found in EXCEPTION.finditer(text) if not re.fullmatch(r" \(.{8,}\)", found["reason"])]


def test_each_exception_in_the_code_has_a_reason():
    assert {str(path): bare for path in CODE if (bare := unexplained(path.read_text()))} == {}


@pytest.mark.parametrize("line", ["S311", "S108 ()", "BLE001 no reason"])
def test_one_without_is_found(line: str):
    comment = f"# {'noqa'}: {line}"
    assert unexplained(f"x = 1  {comment}") == [comment]
    assert unexplained(f"{comment.removesuffix(' ()').removesuffix(' no reason')} (it opens nothing)") == []


def test_each_ignored_rule_in_the_configuration_stands_under_a_comment_or_before_one():
    text = (ROOT / "pyproject.toml").read_text()
    lint = tomllib.loads(text)["tool"]["ruff"]["lint"]
    section = text[text.index("[tool.ruff.lint]") :].splitlines()
    for rule in lint["ignore"]:
        if rule.startswith(("S", "BLE")):
            assert any(f'"{rule}"' in line and "#" in line for line in section), rule
    for pattern in lint["per-file-ignores"]:
        at = next(number for number, line in enumerate(section) if line.startswith(f'"{pattern}"'))
        assert section[at - 1].startswith("# "), pattern
