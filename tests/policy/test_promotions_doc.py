"""docs/explanation/promotions.md: its policy is one that works."""

import re
from pathlib import Path

from registrar.policy.load import parse

DOC = (Path(__file__).parents[2] / "docs" / "explanation" / "promotions.md").read_text(encoding="utf-8")
REST = """version: 1
people: {ada: {name: Ada, accounts: {mlflow: ada}}, bob: {name: Bob}, eve: {name: Eve}}
groups: {taxi-owners: [ada, eve], risk: [bob], oncall: [ada]}
channels: {leads: {kind: log}, serving: {kind: log}}
"""


def test_the_policy_to_start_from_is_one():
    [example] = re.findall(r"```yaml\n(.*?)```", DOC, re.DOTALL)
    [staging, production] = parse(REST + example).model("nyc-taxi-regressor").targets
    assert (len(staging.gates), len(production.gates)) == (3, 5)
