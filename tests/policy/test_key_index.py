"""Where keys stand in a shape, of our file or of one that holds itself."""

import pytest
from pydantic import BaseModel

from registrar.policy import key_index
from registrar.policy.approvals import Rule
from registrar.policy.document import Policy
from registrar.policy.models import Target


class Xmas(BaseModel):
    """Holds itself in three ways."""

    X: "Xmas | None" = None
    many: list["Xmas"] = []
    named: dict[str, "Xmas"] = {}
    gift: str = ""


def test_every_home_of_a_key_is_found_to_a_depth_of_seven():
    homes = key_index.homes(Xmas, "gift")
    assert {"X", "many[]", "named.NAME", "X.X", "X.many[].named.NAME"} < set(homes)
    assert {home for home in homes if set(home) <= {"X", "."}} == {".".join("X" * n) for n in range(1, 8)}
    assert all(home.count("X") + 2 * home.count("many") + 2 * home.count("NAME") < 8 for home in homes)


def test_a_key_of_the_top_has_no_other_home():
    assert key_index.homes(Policy, "max_unfinished") == ["sources.NAME"]


@pytest.mark.parametrize(
    ("place", "models"),
    [
        ((), [Policy]),
        (("models", "taxi", "targets", 0), [Target]),
        (("models", "taxi", "targets", 0, "approval", "(rules)", "rules", 1), [Rule]),
        (("models", "taxi", "targets", "first"), []),
        (("people", 7), []),
        (("version", 1), []),
    ],
)
def test_what_may_stand_at_a_place(place: tuple[str | int, ...], models: list[type[BaseModel]]):
    assert key_index.models(Policy, place) == models


def test_all_kinds_of_gates_may_stand_where_none_is_chosen():
    gates = ("models", "taxi", "targets", 0, "gates", 0)
    assert len(key_index.models(Policy, gates)) == 9
    assert key_index.known(Policy, (*gates, "(soak)")) == ["soak"]
