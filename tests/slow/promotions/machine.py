"""Random lives of one model: trained, asked for, voted on, gone back from, changed by hand, and broken off anywhere.

A new way of the promotion wants a rule here, what it asks in rules.py, and what it changes in chronicle.py.
"""

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.slow.promotions.desk import Desk, Parts
from tests.slow.promotions.model import RMSES
from tests.slow.promotions.oracle import OPEN, Asked
from tests.slow.promotions.rules import ALIASES, PEOPLE, POLICIES
from tests.slow.promotions.trouble import Fault

VERSIONS = 6
REPLAYED = ("model.rollback", "model_version.transition", "model_version.archive", "quarantine.lift")
TRAINED = ["training_run.finished", "model_version.register"]
STAGES = ["None", "Staging", "Production", "Archived"]
between = st.sampled_from(
    ["moved by hand", "moved by hand", "a rollback", "a rollback", "its files overwritten", "the model deleted"]
)
people, targets, stages = st.sampled_from(PEOPLE), st.sampled_from(list(ALIASES)), st.sampled_from(STAGES)
policies, rmses, picks = st.sampled_from(list(POLICIES)), st.sampled_from(RMSES), st.integers(0, VERSIONS - 1)
at_once = st.sampled_from([True, True, True, False])  # else it waits in its lane, and the world changes meanwhile
changes = st.sampled_from([None, None, None, *list(POLICIES)[:4], *RMSES])
reasons = st.sampled_from([None, "drift"])
tags = st.sampled_from(
    [*["registrar.quarantined"] * 3, *(f"registrar.{name}" for name in ("evaluation", "prune_after", "run"))]
)
faults = st.builds(
    Fault,
    how=st.sampled_from(["cut", "broken", "died", "asleep"]),
    where=st.sampled_from(["registry", "ledger"]),
    calls=st.integers(0, 9),
    done=st.booleans(),
)


class Machine(RuleBasedStateMachine):
    """Each example is one model in a registry and a ledger that others have used before it."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.parts = parts

    @initialize(policy=policies, rmse=st.sampled_from(RMSES[:2]), eager=st.sampled_from([True, False]))
    def begin(self, policy: str, rmse: float, eager: bool) -> None:
        self.desk = Desk(self.parts, policy)
        self.train(rmse, "training_run.finished", True, eager)

    def teardown(self) -> None:
        """Left alone and looked at, the record is what MLflow shows."""
        desk = self.desk
        try:
            if not desk.witness.wrong:
                self.reconcile()
                desk.all_are_registered()
                self.all_is_explained()
                self.at_rest_all_agree()
            self._tell()
        finally:
            desk.close()

    def _tell(self) -> None:
        promoted = [asked for asked in self.desk.chronicle.asked.values() if asked.state == "promoted"]
        live = sum(1 for asked in promoted if asked.target == "Production")
        event(f"{live} promotions to Production")
        self.parts.seen.update(self.desk.trouble.struck)
        self.parts.seen["examples"] += 1
        self.parts.seen["examples with a promotion to Production"] += live > 0

    def post(self, type_: str, *, by: str, now: bool, **data: object) -> str:
        """Commands find the one before them done; unless that one waits for others of its kind."""
        if now:
            self.desk.settle()
        posted = self.desk.accept(type_, by=by, **{name: value for name, value in data.items() if value is not None})
        if now:
            self.desk.work()
        return posted

    def version(self, pick: int) -> int:
        known = sorted(self.desk.world.stages)
        return known[pick % len(known)]

    # From training to Production.
    @precondition(lambda self: len(self.desk.world.runs) < VERSIONS)
    @rule(rmse=rmses, type_=st.sampled_from(TRAINED), now=at_once, eager=st.sampled_from([False, False, True]))
    def train(self, rmse: float, type_: str, now: bool, eager: bool) -> None:
        """eager: everybody approves whatever comes of it."""
        free = [run for run in self.desk.runs.ids if run not in self.desk.world.runs.values()]
        self.desk.runs.measure(free[0], rmse)
        self.post(type_, by="source:ci", now=now, run_id=free[0])
        if eager and now:
            for asked in self.desk.chronicle.waiting():
                self._all_approve(asked, PEOPLE)
            self.desk.work()

    @precondition(lambda self: self.desk.world.stages and len(self.desk.world.runs) < VERSIONS)
    @rule(rmse=rmses, heard=st.integers(0, 2), announced=st.sampled_from(["never", "before", "after"]), now=at_once)
    def register_by_hand(self, rmse: float, heard: int, announced: str, now: bool) -> None:
        """In MLflow itself. heard: how many webhooks come; none: the next comparison finds it."""
        free = [run for run in self.desk.runs.ids if run not in self.desk.world.runs.values()]
        self.desk.runs.measure(free[0], rmse)
        number = self.desk.register(free[0])
        if announced == "before":
            self.post("training_run.finished", by="source:ci", now=now, run_id=free[0])
        for _ in range(heard):
            change = "model_version.created"
            self.post("registry.changed", by="source:mlflow", now=now, change=change, version=number)
        if announced == "after":
            self.post("training_run.finished", by="source:ci", now=now, run_id=free[0])

    @precondition(lambda self: self.desk.world.stages)
    @rule(pick=picks, to=targets, by=people, now=at_once)
    def ask(self, pick: int, to: str, by: str, now: bool) -> None:
        self.post("promotion.request", by=by, now=now, version=self.version(pick), target=to)

    @precondition(lambda self: self.desk.chronicle.waiting())
    @rule(pick=picks, who=st.permutations(PEOPLE), early=changes, late=changes)
    def everybody_approves(
        self, pick: int, who: list[str], early: str | float | None, late: str | float | None
    ) -> None:
        """early, late: a policy or a metric, new before the first vote, or between the approval and its doing."""
        waiting = self.desk.chronicle.waiting()
        asked = waiting[pick % len(waiting)]
        self._change(asked, early)
        self._all_approve(asked, who)
        self.desk.work_until(lambda: asked.state == "approved")
        self._change(asked, late)
        self.desk.work()

    @precondition(lambda self: self.desk.chronicle.waiting())
    @rule(
        pick=picks, who=st.permutations(PEOPLE), to=st.sampled_from([*RMSES, *list(POLICIES)[:4]]), late=st.booleans()
    )
    def everybody_approves_what_changes(self, pick: int, who: list[str], to: str | float, late: bool) -> None:
        """Before the first vote, or between the approval and its doing."""
        self.everybody_approves(pick, who, None if late else to, to if late else None)

    def _change(self, asked: Asked, to: str | float | None) -> None:
        if isinstance(to, str):
            self.desk.policy(to)
        elif to is not None:
            self.desk.runs.measure(self.desk.world.runs[asked.version], to)

    def _all_approve(self, asked: Asked, who: list[str]) -> None:
        for person in who:
            self.post("promotion.approve", by=person, now=False, version=asked.version)

    @precondition(lambda self: self.desk.chronicle.waiting())
    @rule(pick=picks, by=people, pinned=st.booleans(), now=at_once)
    def approve(self, pick: int, by: str, pinned: bool, now: bool) -> None:
        waiting = self.desk.chronicle.waiting()
        asked = waiting[pick % len(waiting)]
        self.post("promotion.approve", by=by, now=now, version=asked.version, promotion=asked.id if pinned else None)

    @precondition(lambda self: any(asked.state in OPEN for asked in self.desk.chronicle.asked.values()))
    @rule(pick=picks, by=st.sampled_from(["eve", "ada"]), reason=reasons)
    def break_the_glass(self, pick: int, by: str, reason: str | None) -> None:
        known = [asked.version for asked in self.desk.chronicle.asked.values() if asked.state in OPEN]
        version = known[pick % len(known)]
        self.post("promotion.approve", by=by, now=True, version=version, reason=reason, break_glass=True)

    @precondition(lambda self: self.desk.world.stages and any(self.desk.witness.awaited.values()))
    @rule(pick=picks, said=st.lists(st.booleans(), min_size=1, max_size=2), now=at_once)
    def deployed(self, pick: int, said: list[bool], now: bool) -> None:
        """Also late, of another version, and both at once."""
        for well in said:
            type_ = "deployment.succeeded" if well else "deployment.failed"
            self.post(type_, by="source:ci", now=now, version=self.version(pick), environment="live")

    @precondition(lambda self: self.desk.world.stages)
    @rule(pick=picks, by=people, type_=st.sampled_from(["promotion.reject", "promotion.cancel"]), reason=reasons)
    def oppose(self, pick: int, by: str, type_: str, reason: str | None) -> None:
        self.post(type_, by=by, now=True, version=self.version(pick), reason=reason)

    @precondition(lambda self: self.desk.chronicle.asked and self.desk.world.stages)
    @rule(which=picks, pick=picks, by=people)
    def approve_what_may_be_over(self, which: int, pick: int, by: str) -> None:
        """Pinned to a request that has ended long ago, or that was about another version."""
        asked = list(self.desk.chronicle.asked.values())
        promotion = asked[which % len(asked)].id
        self.post("promotion.approve", by=by, now=True, version=self.version(pick), promotion=promotion)

    @precondition(lambda self: len(self.desk.world.ever["Production"]) > 1)
    @rule(to=targets, by=people, now=at_once)
    def go_back(self, to: str, by: str, now: bool) -> None:
        self.post("model.rollback", by=by, now=now, target=to, reason="wrong fares")

    @precondition(lambda self: self.desk.chronicle.waiting() and len(self.desk.world.ever["Production"]) > 1)
    @rule(pick=picks, who=st.permutations(PEOPLE), by=st.sampled_from(["ada", "bob"]))
    def go_back_from_a_stale_page(self, pick: int, who: list[str], by: str) -> None:
        """What is approved right before is nobody's bad version."""
        waiting = self.desk.chronicle.waiting()
        self.desk.settle()
        self._all_approve(waiting[pick % len(waiting)], who)
        self.desk.accept("model.rollback", by=by, reason="wrong fares")
        self.desk.work()

    @precondition(lambda self: self.desk.world.stages)
    @rule(pick=picks, stage=stages, now=at_once)
    def move(self, pick: int, stage: str, now: bool) -> None:
        self.post("model_version.transition", by="source:ci", now=now, version=self.version(pick), stage=stage)

    @precondition(lambda self: self.desk.world.stages)
    @rule(pick=picks, rmse=rmses, now=at_once)
    def evaluate(self, pick: int, rmse: float, now: bool) -> None:
        version = self.version(pick)
        run = self.desk.runs.judge(self.desk.model, version, rmse, self.desk.clock())
        self.post("evaluation_run.finished", by="source:ci", now=now, version=version, run_id=run)

    @precondition(lambda self: self.desk.world.stages)
    @rule(pick=picks, run=picks, now=at_once)
    def evaluate_by_the_run_of_another(self, pick: int, run: int, now: bool) -> None:
        """No run is an evaluation of a version that it does not name."""
        trained = self.desk.runs.ids[run % len(self.desk.runs.ids)]
        self.post("evaluation_run.finished", by="source:ci", now=now, version=self.version(pick), run_id=trained)

    @precondition(lambda self: self.desk.world.stages)
    @rule(pick=picks, tag=tags, now=at_once)
    def describe(self, pick: int, tag: str, now: bool) -> None:
        """No event sets a tag of ours."""
        version = self.version(pick)
        assert self.desk.refused("model_version.describe", version=version, tags={tag: self.desk.runs.ids[0]})
        said = {"description": "x" * 2000, "tags": {"team": "fares"}}
        self.post("model_version.describe", by="source:ci", now=now, version=version, **said)

    @precondition(lambda self: self.desk.world.stages)
    @rule(pick=picks)
    def describe_by_hand(self, pick: int) -> None:
        """As long as MLflow on PostgreSQL keeps it: no line about a move has room."""
        self.desk.mlflow.set_description(self.desk.model, self.version(pick), "x" * 4_990)

    @precondition(lambda self: self.desk.world.held)
    @rule(pick=picks, by=people, now=at_once)
    def lift(self, pick: int, by: str, now: bool) -> None:
        held = sorted(self.desk.world.held)
        self.post("quarantine.lift", by=by, now=now, version=held[pick % len(held)], reason="it was the network")

    # Again.
    @precondition(lambda self: self.replayable())
    @rule(pick=st.integers(0, 200), by=people, now=at_once)
    def replay(self, pick: int, by: str, now: bool) -> None:
        events = self.replayable()
        self.post("event.replay", by=by, now=now, event_id=events[pick % len(events)])

    def replayable(self) -> list[str]:
        posted = self.desk.witness.posted.items()
        return [id_ for id_, (type_, _, _) in posted if type_.startswith("promotion.") or type_ in REPLAYED]

    @precondition(lambda self: self.desk.failed())
    @rule(pick=st.integers(0, 200), by=people, now=at_once)
    def retry(self, pick: int, by: str, now: bool) -> None:
        failed = self.desk.failed()
        self.post("task.retry", by=by, now=now, task_id=failed[pick % len(failed)].id)

    # The world changes: at once, also between an event and its work.
    @rule(name=policies)
    def change_policy(self, name: str) -> None:
        self.desk.policy(name)

    @precondition(lambda self: self.desk.world.stages)
    @rule(pick=picks, rmse=rmses)
    def measure_again(self, pick: int, rmse: float) -> None:
        self.desk.runs.measure(self.desk.world.runs[self.version(pick)], rmse)
        self.parts.seen["metrics changed"] += 1

    @rule(hours=st.sampled_from([0, 1, 3, 13]))
    def time_passes(self, hours: int) -> None:
        self.desk.time_passes(hours=hours)

    @precondition(lambda self: self.desk.world.stages)
    @rule(pick=picks, stage=stages)
    def move_by_hand(self, pick: int, stage: str) -> None:
        self.desk.move(self.version(pick), stage)

    @precondition(lambda self: self.desk.world.stages)
    @rule(pick=picks, tag=tags, run=picks, away=st.booleans())
    def tag_by_hand(self, pick: int, tag: str, run: int, away: bool) -> None:
        self.desk.tag(self.version(pick), tag, None if away else self.desk.runs.ids[run % len(self.desk.runs.ids)])

    @precondition(lambda self: self.desk.world.stages)
    @rule(pick=picks, alias=st.sampled_from(list(ALIASES.values())), away=st.booleans())
    def move_an_alias_by_hand(self, pick: int, alias: str, away: bool) -> None:
        if away:
            self.desk.mlflow.drop_alias(self.desk.model, alias)
            self.desk.world.aliases.pop(alias, None)
        else:
            self.desk.mlflow.set_alias(self.desk.model, alias, self.version(pick))
            self.desk.world.named(alias, self.version(pick))
            self.desk.world.touched.add(self.version(pick))
        self.desk.witness.touched()

    @precondition(lambda self: len(self.desk.world.stages) > 1)
    @rule(pick=picks)
    def delete_by_hand(self, pick: int) -> None:
        self.desk.delete(self.version(pick))

    @precondition(lambda self: self.desk.witness.unseen)
    @rule()
    def reconcile(self) -> None:
        """Of a model that is not there any more, somebody has to say that this is so."""
        self.post("registry.reconcile", by="ada", now=True)
        self.desk.settle()
        if self.desk.in_dispute():
            self.desk.settled |= self.desk.there()
            self.post("registry.settle", by="ada", now=True, trust="mlflow")
            self.desk.settle()

    @precondition(lambda self: self.desk.trouble.armed is None)
    @rule(fault=faults)
    def something_is_going_to_break(self, fault: Fault) -> None:
        self.desk.trouble.arm(fault)

    @precondition(lambda self: self.desk.trouble.armed is None and self.desk.world.stages)
    @rule(calls=st.integers(0, 25), pick=picks, stage=stages, by=people, what=between)
    def something_comes_between(self, calls: int, pick: int, stage: str, by: str, what: str) -> None:
        """While a task is being done."""
        version = self.version(pick)

        def meanwhile() -> None:
            if version not in self.desk.world.stages:
                return
            match what:
                case "moved by hand":
                    self.desk.move(version, stage)
                case "its files overwritten":
                    self.desk.runs.overwrite(self.desk.world.runs[version])
                case "the model deleted":
                    self.desk.begin_anew()
                case _:
                    self.desk.accept("model.rollback", by=by, reason="wrong fares")

        self.desk.trouble.meanwhile = meanwhile
        self.desk.trouble.arm(Fault("meanwhile", "registry", calls, done=False))

    @rule(seconds=st.sampled_from([-100, -20, 40]))
    def the_clock_is_set(self, seconds: int) -> None:
        """Or the next is done by a worker with another clock."""
        self.desk.clock.forward(seconds=seconds)

    @precondition(lambda self: self.desk.world.stages)
    @rule()
    def delete_the_model(self) -> None:
        self.desk.begin_anew()

    @precondition(lambda self: self.desk.world.stages)
    @rule(rmse=rmses, eager=st.booleans(), then=st.sampled_from(["approve", "go back", "reconcile", "look on"]))
    def make_the_model_anew(self, rmse: float, eager: bool, then: str) -> None:
        """Numbers begin at 1 again. then: what is done by those who think that it is the same."""
        asked = self.desk.chronicle.waiting()
        self.desk.begin_anew()
        self.train(rmse, "training_run.finished", True, eager)
        match then:
            case "approve":
                for one in asked:
                    self._all_approve(one, PEOPLE)
                self.desk.work()
            case "go back":
                self.post("model.rollback", by="ada", now=True, reason="wrong fares")
            case "reconcile":
                self.reconcile()

    @precondition(lambda self: self.desk.world.stages)
    @rule(pick=picks)
    def overwrite(self, pick: int) -> None:
        self.desk.runs.overwrite(self.desk.world.runs[self.version(pick)])
        self.parts.seen["files overwritten"] += 1

    @rule(which=st.lists(st.integers(0, 200), max_size=5))
    def bells_ring_again(self, which: list[int]) -> None:
        """Old ones, doubled ones, and some for what is not due yet."""
        tasks = self.desk.all_tasks()
        for number in which:
            self.desk.hear(tasks[number % len(tasks)])

    @invariant()
    def all_is_explained(self) -> None:
        assert not self.desk.witness.wrong, "\n".join(self.desk.witness.wrong)

    @invariant()
    def at_rest_all_agree(self) -> None:
        if self.desk.stirred and self.desk.at_rest():
            self.desk.assert_agreed()
