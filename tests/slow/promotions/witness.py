"""Looks at each task when it is over, and at each move of the worker before it is made: all must be explained."""

from collections import Counter
from typing import Any

from sqlalchemy import Row, select

from registrar.ledger import Ledger
from registrar.ledger.queries.holdings import history
from registrar.ledger.tables import events, promotions, votes
from tests.slow.promotions.model import Runs, World
from tests.slow.promotions.oracle import ENDS, STEPS, Asked, Oracle, Seen, Shown, Word
from tests.slow.promotions.rules import ALIASES, Rules
from tests.slow.promotions.trouble import Clock


class Witness:
    """wrong: what nothing explains; empty for as long as all is well. posted: type, actor and data of each event.

    task: the one that somebody works on now. by_hand: something was changed in MLflow by hand. unseen: and nobody has
    looked since, so that the record can't know. awaited: by target, that whoever is there is to be confirmed.
    former: events about a model that was deleted since. seen_by: by event, what a vote was about when it was posted.
    held_by: and who held what then. disturbed: a hand changed something while the present task is being done.
    """

    def __init__(
        self, model: str, *, ledger: Ledger, clock: Clock, runs: Runs, rules: Rules, seen: Counter[str]
    ) -> None:
        self.model, self.ledger, self.clock, self.seen = model, ledger, clock, seen
        self.world = World(clock)
        self.chronicle = Oracle(self.world, runs, rules, self.champions)
        self.wrong: list[str] = []
        self.posted: dict[str, tuple[str, str, dict[str, Any]]] = {}
        self.seen_by: dict[str, Seen] = {}
        self.task: Row[Any] | None = None
        self.held_by: dict[str, dict[str, set[int]]] = {}
        self.by_hand = self.unseen = self.disturbed = False
        self.awaited: dict[str, bool] = {}
        self._judged: set[str] = set()
        self.registered: Counter[tuple[int, str]] = Counter()  # by number, and when MLflow made it
        self.former: set[str] = set()
        self._of_former = 0

    @property
    def rules(self) -> Rules:
        return self.chronicle.rules

    def touched(self) -> None:
        self.by_hand = self.unseen = self.disturbed = True
        self.seen["changes by hand"] += 1

    def begun_anew(self) -> None:
        """All that was said and done until now was about another model."""
        self.world.begun_anew()
        self.former = set(self.posted)
        for asked in self.chronicle.asked.values():
            asked.gone = True
        with self.ledger.read() as connection:
            self._of_former = len(history(connection, self.model))
        self.touched()

    def about_to(self, call: str, *given: Any) -> str | None:
        """What nobody could explain if the worker did so: one that has lost its lease does not get through."""
        match call, given:
            case "set_stage", (_, number, ("Staging" | "Production") as target):
                return self._unexplained(number, target, call)
            case "set_alias", (_, ("challenger" | "champion") as alias, number):
                return self._unexplained(number, "Production" if alias == "champion" else "Staging", call)
            case "set_stage", (_, number, _) if self.world.stages.get(number) == "Production":
                return self._taken_out(number)
        return None

    def did(self, complaint: str | None, call: str, *given: Any, came: Any) -> None:
        self.world.wrote(call, *given, came=came)
        if complaint:
            self.wrong.append(complaint)

    def _unexplained(self, number: int, target: str, call: str) -> str | None:
        """Whether nothing explains that the worker moves this version there now."""
        assert self.task
        type_, by, _ = self.event(self.task.event_id)
        match self.task.name:
            case "worker.transition":
                fine = self._goes(self.chronicle.asked.get(self.task.args.get("promotion")), number, target)
            case "worker.rollback":
                fine = number in self.world.ever[target] - self.world.held and self._files_as_approved(number, target)
                by_policy = type_ in ("deployment.failed", "model.review") and self.awaited.get(target, False)
                fine = fine and (by_policy if self.task.args.get("bad") else self.rules.may_go_back(by, target))
            case "worker.revert_drift":
                holders = self.recorded()
                there = holders.get(target, set()) | holders.get(f"@{ALIASES[target]}", set())
                fine = number in (there & self.world.ever[target]) - self.world.quarantined
            case "worker.adopt":
                fine = self.by_hand and number not in self.world.held
            case "worker.archive":
                fine = target == "Staging" and number in self.world.ever["Production"] - self.world.held
            case _:
                fine = False
        said = f"{self.task.name} for {by}: {call} of version {number} for {target} is not explained"
        return None if fine else said

    def _files_as_approved(self, number: int, target: str) -> bool:
        """Of a version that a promotion brought there. What changes while it is done is seen at the next look."""
        asked = self.chronicle.last(number, target)
        if asked is None or asked.gone or asked.state != "promoted" or self.disturbed or self._retried():
            return True
        approved = asked.shown.rules.asks(target)
        return not approved or self.chronicle.runs.files[self.world.runs[number]] == asked.shown.files

    def _retried(self) -> bool:
        return self.task is not None and self.task.attempts > 0

    def _taken_out(self, number: int) -> str | None:
        """Whether nothing explains that the worker takes this version out of Production, and puts none there."""
        assert self.task
        _, by, _ = self.event(self.task.event_id)
        commanded = self.task.name == "worker.transition" and not self.task.args.get("promotion")
        if not commanded or self.rules.may_go_back(by, "Production"):
            return None
        return f"{self.task.name} for {by} takes version {number} out of Production, who could not roll it back"

    def _goes(self, asked: Asked | None, number: int, target: str) -> bool:
        """Approved, and what was approved is still so: at the first step, the time has come too."""
        if (
            asked is None
            or asked.gone
            or (asked.version, asked.target) != (number, target)
            or asked.state != "approved"
        ):
            return False
        asked.begun = asked.begun or self._may_begin(asked)
        return asked.begun

    def _may_begin(self, asked: Asked) -> bool:
        """Somebody else may have moved it there between two attempts: who goes on can't tell that from its own work.
        Nor can anybody look and move in one.
        """
        again = self.disturbed or (self._retried() and asked.version in self.world.touched)
        same = self.chronicle.now_shown(asked.version, asked.target) == asked.shown
        come = asked.broke or self.chronicle.time_has_come(asked.version, asked.target, self.clock())
        return asked.explained and (again or bool(same and come))

    def event(self, id_: str) -> tuple[str, str, dict[str, Any]]:
        """type, actor, data: as it was posted; what only the time has brought is in the record."""
        if id_ not in self.posted:
            with self.ledger.read() as connection:
                row = connection.execute(select(events).where(events.c.id == id_)).one()
            self.posted[id_] = (row.type, row.actor, row.data)
        return self.posted[id_]

    def recorded(self) -> dict[str, set[int]]:
        """Who holds what by the ledger; aliases with an @."""
        found: dict[str, set[int]] = {}
        with self.ledger.read() as connection:
            for row in history(connection, self.model):
                if row.until is None:
                    found.setdefault(row.key if row.kind == "stage" else f"@{row.key}", set()).add(row.version)
        return found

    def champions(self) -> list[int]:
        """Who of this model ever was in Production, or its champion, by the ledger; who came last first."""
        with self.ledger.read() as connection:
            found = history(connection, self.model)[self._of_former :]
        return [row.version for row in reversed(found) if row.key in ("Production", "champion")]

    def look(self, task: Row[Any]) -> None:
        """What this task has done, once it is over."""
        fresh = task.state == "succeeded" and task.id not in self._judged
        judged = self._judge(task) if fresh and task.name == "worker.vote" else None
        self._promotions()
        if judged:
            self._heard(task, *judged)
        if fresh:
            self._judged.add(task.id)
            self._succeeded(task)

    def _judge(self, task: Row[Any]) -> tuple[Word, Asked, bool] | None:
        """What this vote should come to, before we see what it came to."""
        type_, by, data = self.event(task.event_id)
        verdict, glass = type_.removeprefix("promotion."), data.get("break_glass", False)
        target, pinned = data.get("target", "Production"), data.get("promotion")
        seen = self.seen_by.get(task.event_id, Seen(None))
        word = Word(verdict, by, data["version"], target, pinned, data.get("reason"), glass, seen)
        if (asked := seen.asked) is None:
            return None
        counts = self.chronicle.counts(word, asked, self.clock())
        if counts and glass:
            asked.broke = self.chronicle.now_shown(asked.version, asked.target)
            self.seen["glasses broken"] += 1
        elif counts and verdict == "approve":
            asked.agreed[by] = self.chronicle.now_shown(asked.version, asked.target)
        self.seen[f"votes that {'count' if counts else 'do not count'}"] += 1
        return word, asked, counts

    def _heard(self, task: Row[Any], word: Word, asked: Asked, counts: bool) -> None:
        """What does not count is not counted, and what counts is never in vain."""
        if not counts:
            if not self.disturbed and self._counted(task.event_id):
                self.wrong.append(f"{word} was counted: {asked}")
            return
        expected = "rejected" if word.verdict == "reject" else "approved" if asked.explained else "awaiting_approval"
        if asked.state != expected:
            self.wrong.append(f"{word} counts, so it should be {expected}: {asked}")

    def _counted(self, event: str) -> bool:
        with self.ledger.read() as connection:
            return bool(connection.execute(select(votes.c.counted).where(votes.c.event_id == event)).scalar())

    def _promotions(self) -> None:
        ours = select(promotions).where(promotions.c.model == self.model).order_by(promotions.c.created_at)
        with self.ledger.read() as connection:
            rows = list(connection.execute(ours))
        fresh = [row for row in rows if row.id not in self.chronicle.asked]
        for row in rows:
            if row not in fresh:
                self._became(self.chronicle.asked[row.id], row)
        for row in fresh:
            self._opened(row)

    def _opened(self, row: Row[Any]) -> None:
        shown = self.chronicle.now_shown(row.version, row.target)
        by = self.chronicle.requester(row.version, row.target, row.event_id, self.event(row.event_id))
        good = self._free(row.version, row.target, shown)
        if row.requested_by != by:
            self.wrong.append(f"{row.requested_by} is no requester, {by} is: {row}")
        asked = Asked(row.id, row.version, row.target, by, row.created_at, shown, good, row.state)
        asked.raw, asked.due = row.evidence, row.due_at
        self.chronicle.opened(asked)
        self.seen[f"promotions opened as {row.state}"] += 1
        self._asked_for(asked)
        for other in self.chronicle.asked.values():
            older = other.target == asked.target and other.version < asked.version
            kept = self.rules.keep and asked.target == "Production"
            if older and not kept and other.state in ("waiting", "awaiting_approval"):
                self.wrong.append(f"{other} should have ended with {asked}")

    def _free(self, version: int, target: str, shown: Shown) -> bool:
        """What a hand changes after a look is seen at the next one: right before the move."""
        return self.disturbed or self.chronicle.free(version, target, shown)

    def _asked_for(self, asked: Asked) -> None:
        """Opened, or opened for good after a wait."""
        if not asked.good or (asked.state == "approved" and not asked.explained):
            self.wrong.append(f"opened, with no right to go: {asked}")
        soaked = self.rules.soak == 0 or self.chronicle.time_has_come(asked.version, asked.target, self.clock())
        if asked.state == "awaiting_approval" and not soaked:
            self.wrong.append(f"asked for before its time: {asked}")

    def _became(self, asked: Asked, row: Row[Any]) -> None:
        before, asked.state, asked.due = asked.state, row.state, row.due_at
        if asked.gone:
            moved = asked.begun and self.disturbed  # and deleted before that was written down
            if row.state != before and row.state in ("approved", "promoted") and not moved:
                self.wrong.append(f"{row.state}, and its version was deleted with its model: {asked}")
            return
        if row.evidence != asked.raw:
            if before != "waiting":
                self.wrong.append(f"shown anew under the eyes of who approves: {asked}")
            asked.raw, asked.shown = row.evidence, self.chronicle.now_shown(asked.version, asked.target)
            asked.good = self._free(asked.version, asked.target, asked.shown)
            self._asked_for(asked)
        if before == row.state:
            return
        if row.state in ENDS and self.task:
            asked.ended_by = self.task.event_id
        if row.state not in STEPS.get(before, set()):
            self.wrong.append(f"from {before} to {row.state}: {asked}")
        self.seen[f"promotions {row.state}"] += 1
        if row.state in ("approved", "promoted") and not asked.explained:
            self.wrong.append(f"{row.state}, and nothing explains it: {asked}")
        if row.state == "promoted":
            self._promoted(asked)

    def _promoted(self, asked: Asked) -> None:
        asked.promoted_at = self.clock()
        stage = self.world.stages.get(asked.version, "gone")
        there = self.rules.standing(stage, self.world.aliases_of(asked.version)) == asked.target
        if not (there or self.disturbed):
            self.wrong.append(f"promoted, and is not there: {asked}")
        self._taken(asked.target)
        if not (asked.begun or self._may_begin(asked)):
            self.wrong.append(f"promoted, and its time had not come, or it was not the same any more: {asked}")

    def _succeeded(self, task: Row[Any]) -> None:
        self.seen[f"done: {task.name.removeprefix('worker.')}"] += 1
        if task.name == "worker.reconcile":
            self.unseen = self.disturbed
        if task.name == "worker.evaluated":
            self._evaluated(task.event_id)
        for fact in task.outcome["facts"]:
            self._fact(task, fact)
        moved = any(fact["type"] == "model_version.transitioned" for fact in task.outcome["facts"])
        if task.name in ("worker.rollback", "worker.adopt") and moved:
            self._taken(task.args.get("stage") or task.args.get("target") or self._asked_target(task))

    def _evaluated(self, event_id: str) -> None:
        """What was told last counts, whenever its turn came. Nothing told before that is left."""
        if event_id in self.former:
            self.wrong.append(f"an evaluation of another version of that number counts: {self.event(event_id)}")
        data, order = self.event(event_id)[2], list(self.posted).index(event_id)
        before, _ = self.world.evaluated.get(data["version"], (-1, ""))
        if order > before:
            self.world.evaluated[data["version"]] = (order, data["run_id"])

    def _fact(self, task: Row[Any], fact: dict[str, Any]) -> None:
        """A replay is about what there was when it was accepted; a rollback, about who held the target then."""
        details = fact["details"]
        if fact["type"] == "model_version.registered":
            self._registered(task, fact["version"], details["created_at"])
        elif fact["type"] == "event.replayed":
            became = details["became"]
            self.held_by[became] = self.held_by.get(task.event_id, {})
            if task.event_id in self.seen_by:
                self.seen_by[became] = self.seen_by[task.event_id]
        elif fact["type"] == "model.rolled_back" and not task.args.get("bad"):
            held, target = self.held_by.get(task.event_id, {}), details["target"]
            if details["from"] not in held.get(target, set()) | held.get(f"@{ALIASES[target]}", set()):
                self.wrong.append(f"rolled back from version {details['from']}, of which nobody spoke: {fact}")

    def _registered(self, task: Row[Any], number: int, made: str) -> None:
        """By an event, or in MLflow and taken in: then in the name that MLflow gives."""
        self.registered[number, made] += 1
        if self.registered[number, made] > 1:
            self.wrong.append(f"version {number} was registered twice, now by {task.name}")
        if task.name == "worker.adopt_version":
            self.seen["taken in"] += 1
            self.chronicle.registrants[made] = self.chronicle.runs.registrant(self.world.runs[number])
            self.world.made[number] = made

    def _asked_target(self, task: Row[Any]) -> str:
        return str(self.event(task.event_id)[2].get("target", "Production"))

    def _taken(self, target: str) -> None:
        self.world.taken(target, exclusive=self.rules.exclusive(target))
        self.awaited[target] = self.rules.deploy and target == "Production"

    def assert_agreed(self, shown: dict[int, str], aliases: dict[str, int]) -> None:
        """At rest: MLflow shows what was written there; one holder where one is asked for; and so does the record."""
        assert shown == self.world.stages
        assert aliases == self.world.aliases
        for target in ALIASES:
            holders = self.world.holders(target) - self.world.extra[target]
            assert len(holders) < 2 or not self.rules.exclusive(target), f"{target} has the holders {holders}"
        approved = [a for a in self.chronicle.asked.values() if a.state == "approved" and a.due is None]
        assert not approved, f"approved, and nothing comes of it: {approved}"
        if not self.unseen:
            held = {stage: self.world.holders(stage) for stage in {*shown.values()} - {"None"}}
            held |= {f"@{alias}": {number} for alias, number in aliases.items()}
            assert self.recorded() == held, f"the record has {self.recorded()}, MLflow {held}"
