"""What was asked for, what was shown then, and whose word counts: kept by the test, to explain each promotion."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.slow.promotions.model import Runs, World
from tests.slow.promotions.rules import Rules

OPEN = ("waiting", "awaiting_approval", "approved")
ENDS = {"rejected", "expired", "superseded", "cancelled", "failed"}
STEPS = {
    "waiting": {"awaiting_approval", "approved", *ENDS},
    "awaiting_approval": {"approved", *ENDS},
    "approved": {"promoted", "superseded", "cancelled", "failed"},
}


@dataclass(frozen=True)
class Shown:
    """What an approval is bound to. Two that are equal hold for the same approval. rmse: None where no gate asks.

    champion: number, rmse, and whether it is one no more. files: how often they were overwritten; 0 where nobody is
    asked: the move comes right after the look, which looks at names and sizes then.
    """

    rules: Rules
    run: str
    rmse: float | None
    champion: tuple[int, float, bool] | None
    files: int = 0


@dataclass
class Asked:
    """One promotion. by: who asked. good: it was free to go then. agreed: whose approval counts, and for what.

    broke: for what the glass was broken. begun: the worker has moved the version for it. raw: what the ledger has as
    its evidence; never looked into, but another one means that it was shown anew. ended_by: the event it ended with.
    gone: its version was deleted, with its model; one of the same number is another.
    """

    id: str
    version: int
    target: str
    by: str
    at: datetime
    shown: Shown
    good: bool
    state: str
    agreed: dict[str, Shown] = field(default_factory=dict)
    broke: Shown | None = None
    begun: bool = False
    due: datetime | None = None
    raw: object = None
    promoted_at: datetime | None = None
    ended_by: str | None = None
    gone: bool = False

    @property
    def explained(self) -> bool:
        """Whether it may go: by what was shown, and by those who agreed to just that."""
        same = {who for who, shown in self.agreed.items() if shown == self.shown}
        return self.good and (self.broke == self.shown or self.shown.rules.enough(same, self.target))


@dataclass(frozen=True)
class Seen:
    """What there was to vote on when a vote was posted. asked None: nothing."""

    asked: Asked | None
    raw: object = None
    state: str = ""


@dataclass(frozen=True)
class Word:
    """Somebody's vote, as it was posted."""

    verdict: str
    who: str
    version: int
    target: str
    promotion: str | None
    reason: str | None
    glass: bool
    seen: Seen


class Oracle:
    """rules: the policy in force, changed by whoever drives. champions: who ever was one by the record, last first."""

    def __init__(self, world: World, runs: Runs, rules: Rules, champions: Callable[[], list[int]]) -> None:
        self.world, self.runs, self.rules, self.champions = world, runs, rules, champions
        self.asked: dict[str, Asked] = {}
        self.registrants: dict[str, str] = {}  # of what was taken in, by when MLflow made it

    def now_shown(self, version: int, target: str) -> Shown:
        run = self.world.runs[version]
        compared = self.rules.beats and target == "Production"
        rmse = self.measured(version, target) if self.rules.looks(target) else None
        files = self.runs.files[run] if self.rules.asks(target) else 0
        return Shown(self.rules, run, rmse, self._champion(version) if compared else None, files)

    def measured(self, version: int, target: str) -> float | None:
        """What the gates look at: of the training run, or of the newest evaluation that was accepted."""
        judged = self.rules.judged and target == "Production"
        if not judged:
            return self.runs.rmse[self.world.runs[version]]
        _, run = self.world.evaluated.get(version, (0, None))
        return self.runs.rmse[run] if run else None

    def _champion(self, version: int) -> tuple[int, float, bool] | None:
        """Who is, else who was last; of those nobody is left, so that nothing is better: 0."""
        holder = self.world.aliases.get("champion", version)
        before = [holder] if holder != version else [number for number in self.champions() if number != version]
        there = [number for number in before if number in self.world.stages]
        free = there if holder != version else [number for number in there if number not in self.world.quarantined]
        if not free:
            return (0, -math.inf, True) if before else None
        return free[0], self.runs.rmse[self.world.runs[free[0]]], holder == version

    def opened(self, asked: Asked) -> None:
        self.asked[asked.id] = asked

    def free(self, version: int, target: str, shown: Shown) -> bool:
        """Whether a version may be asked for."""
        standing = self.rules.standing(self.world.stages[version], self.world.aliases_of(version))
        return (
            self.rules.passed(target, self.measured(version, target), shown.champion[1] if shown.champion else None)
            and standing == self.rules.source(target)
            and version not in self.world.held
        )

    def time_has_come(self, version: int, target: str, at: datetime) -> bool:
        """Of a version that somebody moved by hand, the record may think what it likes about the time."""
        since = None if version in self.world.touched else self.world.since.get(version)
        done = [one.promoted_at for one in self.asked.values() if one.promoted_at and one.target == target]
        return self.rules.time_has_come(target, at, since, done)

    def waiting(self) -> list[Asked]:
        return [asked for asked in self.asked.values() if asked.state == "awaiting_approval" and not asked.gone]

    def seen(self, data: dict[str, Any]) -> Seen:
        """What somebody who votes now can mean."""
        step = (data["version"], data.get("target", "Production"))
        asked = self.asked.get(data["promotion"]) if data.get("promotion") else self.last(*step)
        fits = asked and (asked.version, asked.target) == step
        return Seen(asked, asked.raw, asked.state) if asked and fits else Seen(None)

    def last(self, version: int, target: str) -> Asked | None:
        """The newest request of a step."""
        return next((a for a in reversed(self.asked.values()) if (a.version, a.target) == (version, target)), None)

    def requester(self, version: int, target: str, event_id: str, event: tuple[str, str, dict[str, Any]]) -> str:
        """Who asks, by whatever event it came to be asked."""
        type_, by, data = event
        asked = (self.last(version, where) for where in (target, self.rules.source(target)))
        last, brought = (one if one and not one.gone else None for one in asked)
        if last and last.state == "superseded" and last.ended_by == event_id:
            return last.by
        asks = type_ in ("promotion.request", "model_version.transition")
        if asks and (data["version"], data.get("target") or data.get("stage")) == (version, target):
            return by
        if last:
            return last.by
        registrant = self.registrants.get(self.world.made.get(version, ""), by)
        return brought.by if brought and brought.state == "promoted" else registrant

    def counts(self, word: Word, asked: Asked, at: datetime) -> bool:
        """Whether this vote should count, now."""
        gone = asked.gone and word.verdict != "reject"  # a rejection needs no look at MLflow
        if gone or asked.raw != word.seen.raw or (word.seen.state == "waiting" and not word.glass):
            return False
        if word.glass:
            return self._breaks(word, asked)
        if asked.state != "awaiting_approval" or not self.rules.may(word.who, word.target):
            return False
        if self.rules.late(at - asked.at):
            return False
        if word.verdict == "reject":
            return bool(word.reason) or not self.rules.explained
        return self._as_shown(asked) and word.who not in asked.agreed and not self._excluded(word, asked)

    def _as_shown(self, asked: Asked) -> bool:
        """There still, free to go, and all that an approver was shown is so now."""
        here = not asked.gone and asked.version in self.world.stages and asked.version not in self.world.held
        return here and self.now_shown(asked.version, asked.target) == asked.shown

    def _excluded(self, word: Word, asked: Asked) -> bool:
        author = self.runs.author(self.world.runs[word.version])
        out = {"requester": asked.by, "author": author}
        return not self.rules.may(word.who, word.target, [out[kind] for kind in self.rules.exclude])

    def _breaks(self, word: Word, asked: Asked) -> bool:
        may = self.rules.breaks_glass(word.who, word.target) and bool(word.reason)
        return may and asked.state in OPEN and self._as_shown(asked)
