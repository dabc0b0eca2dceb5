"""One table says what each type of fact means; every fact that the worker emits is in it."""

import ast
import re
from pathlib import Path

import pytest

import worker
from registrar.events.facts import TRAITS, FactType, traits
from registrar.events.outcome import OUTCOMES, Fact

WORKER = Path(worker.__file__).parent


def test_every_type_is_in_the_table_and_can_be_routed():
    assert list(TRAITS) == list(FactType)
    assert list(OUTCOMES) == [str(type_) for type_ in FactType]


def types_given() -> list[tuple[str, ast.expr]]:
    """Where the worker makes a Fact, and the type that it gives; not where one is read back from a task's arguments."""
    calls = (
        (path, call)
        for path in sorted(WORKER.rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Fact" and call.args
    )
    return [(f"{path.relative_to(WORKER)}:{call.lineno}", call.args[0]) for path, call in calls]


def is_checked(given: ast.expr, source: str) -> bool:
    """FactType.NAME, FactType(text), a parameter that is annotated so, or an entry of a table whose values are."""
    match given:
        case ast.Attribute(value=ast.Name("FactType"), attr=name):
            return name in FactType.__members__
        case ast.Call(func=ast.Name("FactType")):
            return True
        case ast.Name(name):
            return f"{name}: FactType" in source
        case ast.Subscript(value=ast.Name(name)):
            table = re.search(rf"^{name} = {{(.*?)}}$", source, re.MULTILINE | re.DOTALL)
            return table is not None and table[1].count(":") == table[1].count(": FactType.")
    return False


def test_the_worker_emits_no_type_that_the_table_lacks():
    found = types_given()
    assert len(found) > 30
    assert [at for at, given in found if not is_checked(given, (WORKER / at.partition(":")[0]).read_text())] == [], (
        "give Fact a FactType of registrar/events/facts.py"
    )


@pytest.mark.parametrize("type_", FactType)
def test_severity_and_commit_status_agree(type_):
    found = traits(type_)
    if found.commit == "success":
        assert found.severity == "success"
    if found.commit == "failure":
        assert found.severity in ("warning", "failure")
    if found.severity == "failure":
        assert found.commit in ("failure", "error")
    if found.severity == "success":
        assert found.commit in ("success", "pending")
        assert found.promotion != "ended"


def test_no_answer_in_time_and_a_broken_glass_are_no_plain_information():
    assert traits("deployment.timed_out").severity == "failure"
    assert traits("promotion.broke_glass").severity == "warning"


def test_a_type_of_another_version_is_plain_information():
    assert traits("model_version.sung").severity == "info"


def test_a_fact_keeps_its_type_as_plain_text():
    """A database driver may write an enum's name."""
    assert type(Fact(FactType.TASK_DEAD, "x").type) is str
