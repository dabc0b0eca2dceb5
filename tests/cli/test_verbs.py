"""Each verb's command gives one event, here and at a receiver elsewhere by a token; and what else each says."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from registrar.cli import params
from registrar.events.types import STAGES
from registrar.ledger.tables import events
from tests.cli.setting import House, elsewhere, living
from tests.cli.test_promotions import POLICY


@dataclass(frozen=True)
class Verb:
    """A verb of the command line. arguments: as typed. data: what the event has at least; a promotion's id differs."""

    name: str
    arguments: str
    type: str
    data: dict[str, Any] = field(default_factory=dict)


TAXI = {"model": "taxi"}
ONE = {**TAXI, "version": 1}
VERBS = (
    Verb("register", "taxi --run r1", "model_version.register", {**TAXI, "run_id": "r1"}),
    Verb(
        "register",
        "taxi -e nightly --best 'metrics.rmse < 7' --order-by 'metrics.rmse ASC' --tag team=fares --description Best",
        "model_version.register",
        {
            **TAXI,
            "search": {
                "experiment": "nightly",
                "filter_string": "metrics.rmse < 7",
                "order_by": ["metrics.rmse ASC"],
                "max_results": 1,
                "run_view_type": "ACTIVE_ONLY",
            },
            "tags": {"team": "fares"},
            "description": "Best",
        },
    ),
    Verb(
        "promote",
        "taxi 1 --to production --reason ready",
        "promotion.request",
        {**ONE, "target": "Production", "reason": "ready"},
    ),
    Verb("promote", "taxi --to production", "promotion.request", {**ONE, "target": "Production"}),
    Verb("approve", "taxi --reason good", "promotion.approve", {**ONE, "target": "Production", "reason": "good"}),
    Verb("approve", "taxi 1 --reason good", "promotion.approve", {**ONE, "target": "Production", "reason": "good"}),
    Verb("promotions approve", "taxi 1", "promotion.approve", {**ONE, "target": "Production"}),
    Verb("reject", "taxi 1 --reason bad", "promotion.reject", {**ONE, "target": "Production", "reason": "bad"}),
    Verb("promotions cancel", "taxi 1", "promotion.cancel", {**ONE, "target": "Production"}),
    Verb("describe", "taxi --text 'of 2025'", "model_version.describe", {**ONE, "description": "of 2025"}),
    Verb("transition", "taxi 1 --to staging", "model_version.transition", {**ONE, "stage": "Staging"}),
    Verb("demote", "taxi 1 --reason odd", "model_version.transition", {**ONE, "stage": "None", "reason": "odd"}),
    Verb("describe", "taxi 1 --text 'of 2025'", "model_version.describe", {**ONE, "description": "of 2025"}),
    Verb("tag", "taxi 1 a.b=c team=x", "model_version.describe", {**ONE, "tags": {"a.b": "c", "team": "x"}}),
    Verb("archive", "taxi 1 --reason old", "model_version.archive", {**ONE, "reason": "old"}),
    Verb(
        "archive",
        "taxi --older-than 90d --keep 10",
        "model.archive",
        {**TAXI, "older_than": "90d", "keep": 10},
    ),
    Verb("fetch", "taxi 1 --to here", "artifacts.fetch", ONE),
    Verb("fetch", "--run r1 --path model --to here", "artifacts.fetch", {"run_id": "r1", "path": "model"}),
    Verb("experiments create", "nightly --tag team=x", "experiment.create", {"name": "nightly", "tags": {"team": "x"}}),
    Verb("rollback", "taxi --reason odd --to 1", "model.rollback", {**TAXI, "to": 1, "reason": "odd"}),
    Verb("prune", "taxi", "model.prune", TAXI),
)
EACH = pytest.mark.parametrize("verb", VERBS, ids=lambda verb: f"{verb.name} {verb.arguments}")


@pytest.fixture
def house(tmp_path, ledger, ledger_url) -> Iterator[House]:
    """taxi version 1 is in Staging, and waits for its approval for Production."""
    with living(tmp_path, ledger, ledger_url, policy=POLICY) as house:
        house.harness.registry.trained("r1", rmse=5.0)
        house.run("send", "training_run.finished", "model=taxi", "run_id=r1", "--json")
        house.harness.work()
        yield house


def newest(house: House) -> Any:
    with house.harness.ledger.read() as connection:
        return connection.execute(select(events).order_by(events.c.seq.desc())).first()


@EACH
def test_each_verb_gives_its_event_here_and_elsewhere(house: House, verb: Verb):
    line = [*verb.name.split(), *shlex.split(verb.arguments), "--no-wait", "--json"]
    for run, actor in ((house.run, "source:operator"), (partial(elsewhere, house), "ada")):
        done = run(*line)
        assert done.exit_code == 0, done.output
        event = newest(house)
        assert (event.id, event.actor) == (json.loads(done.stdout)["id"], actor)
        assert event.type == verb.type
        assert event.data.items() >= verb.data.items()


def test_what_they_do_is_done_in_the_registry(house: House):
    for line in (
        "promote taxi 1 --to production",
        "approve taxi 1",
        "describe taxi 1 --text best",
        "tag taxi 1 team=fares",
        "demote taxi 1",
    ):
        done = house.done(*shlex.split(line))
        assert (done.exit_code, done.output.splitlines()[-1]) == (0, "succeeded"), done.output
    version = house.harness.registry.version("taxi", 1)
    assert (version.stage, version.tags["team"]) == ("None", "fares")
    assert version.description.startswith("best\n")


def test_a_version_goes_one_step_back_where_the_policy_lets_it_come_from_there(tmp_path, ledger, ledger_url):
    back = POLICY.replace("{stage: Staging,", "{stage: Staging, request: on_request, from: [None, Production],")
    assert back != POLICY
    with living(tmp_path, ledger, ledger_url, policy=back) as house:
        house.harness.registry.trained("r1", rmse=5.0)
        for line in ("register taxi --run r1", "promote taxi 1 --to staging", "approve taxi 1", "demote taxi 1"):
            done = house.done(*line.split())
            assert done.exit_code == 0, done.output
        version = house.harness.registry.version("taxi", 1)
    assert (version.stage, version.aliases) == ("Staging", ("challenger",))


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("demote taxi 7", 1, "registrar: the record knows no version 7 of taxi: it has version 1"),
        ("approve taxi 7", 1, "registrar: the record knows no version 7 of taxi: it has version 1"),
        ("approve taxy 7", 1, "registrar: the ledger knows no model taxy; did you mean taxi?"),
        ("demote taxi", 1, "came there just now: name the version"),
        ("demote taxy", 1, "the record has no model taxy; did you mean taxi?"),
        ("fetch taxi --to here", 1, "no version of taxi is in Production, so name one: 1"),
        ("register taxi", 2, "say which run: --run ID, or --experiment NAME"),
        ("register taxi --run r1 -e nightly", 2, "say which run"),
        ("register taxi --run r1 --best x", 2, "--run names one"),
        ("register taxi -e nightly --best 'metrics.rmse < 7'", 2, "say what is best: --order-by"),
        (
            "register taxi -e nightly --best 'rmse < 7' --order-by metrics.rmse",
            2,
            "did you mean metrics.rmse, or params",
        ),
        ("promote taxi 1 --to produktion", 2, "Did you mean Production?"),
        ("transition taxi 1 --to stagin", 2, "Did you mean Staging?"),
        ("archive taxi --older-than 90 --keep 2", 2, "it lacks its unit: 90s, 90m, 90h or 90d"),
        ("archive taxi --older-than 0d", 2, "it must be more than zero"),
        ("archive taxi", 2, "say which: MODEL VERSION, or MODEL --older-than"),
        ("archive taxi 1 --older-than 90d", 2, "say which"),
        ("archive taxi 1 --plan", 2, "they go with --older-than; what version 1 holds: registrar versions taxi 1"),
        ("archive taxi --older-than 3months", 2, "is no length of time such as 30s, 15m, 12h or 7d"),
        ("tag taxi 1", 2, "name a tag"),
        ("tag taxi one", 2, "is not a valid integer"),
        ("tag taxi 1 registrar.run=x", 2, "no event may set the tag registrar.run"),
    ],
)
def test_what_can_not_be_meant_is_a_sentence_and_nothing_is_asked_for(house: House, line: str, code: int, says: str):
    before = newest(house).id
    for refused in (house.run(*shlex.split(line)), elsewhere(house, *shlex.split(line))):
        assert (refused.exit_code, says in " ".join(refused.stderr.split())) == (code, True), refused.output
    assert newest(house).id == before


def test_the_command_lines_stages_are_the_events():
    assert params.STAGE.choices == STAGES
