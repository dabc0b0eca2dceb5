"""The policies of the state machine, each as a few words and as registrar.yml; and what they ask, thought out anew.

Nothing here looks at worker/ or registrar/policy: what a promotion must show is worked out a second time.
"""

import itertools
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

GROUPS = {"leads": ["ada", "bob"], "risk": ["bob", "cyd"], "guard": ["eve"]}
GLASS = "guard"
PEOPLE = ["ada", "bob", "cyd", "eve", "fay"]
DELEGATES = {"fay": "bob"}  # who votes in whose place
ACCOUNTS = {"ada.l": "ada"}  # who is who in MLflow
STAGING_BELOW = 7.0
ALIASES = {"Staging": "challenger", "Production": "champion"}


@dataclass(frozen=True)
class Rules:
    """seats: the groups that must each give one approval for Production; none at all: nobody is asked.

    below: Production's own threshold. beats: better than the champion is asked for. hours: after which a request
    expires. exclude: who may not approve. many: Staging takes any number. soak: hours in Staging first. per_day: so
    many at most. frozen: nothing goes to Production before six in the morning. glass: the guard may approve alone.
    back: who is replaced returns to Staging. deploy: confirmed within an hour, or gone back from. keep: older requests
    stay. previous: an alias for who was replaced. judged: `below` is about the newest evaluation, not the training run.
    """

    name: str
    seats: tuple[str, ...] = ("leads",)
    below: float | None = None
    beats: bool = False
    hours: int | None = None
    exclude: tuple[str, ...] = ()
    explained: bool = False
    drift: str = "alert"
    many: bool = False
    soak: int = 0
    per_day: int = 0
    frozen: bool = False
    glass: bool = False
    back: bool = False
    deploy: bool = False
    keep: bool = False
    previous: bool = False
    judged: bool = False
    mode: str = "stages+aliases"

    def exclusive(self, target: str) -> bool:
        return self.mode != "aliases" and (target == "Production" or not self.many)

    def standing(self, stage: str, aliases: Collection[str]) -> str:
        """Where a version is, by what counts."""
        if self.mode != "aliases":
            return stage
        return "Production" if "champion" in aliases else "Staging" if "challenger" in aliases else "None"

    def source(self, target: str) -> str:
        """The stage that a version comes from."""
        return "Staging" if target == "Production" else "None"

    def looks(self, target: str) -> bool:
        """Whether a gate of the target looks at the metric."""
        return target == "Staging" or self.beats or self.below is not None

    def passed(self, target: str, rmse: float | None, champion: float | None) -> bool:
        """rmse: None where nobody has evaluated it. champion: the rmse of another version that is the champion."""
        if target == "Staging" or rmse is None:
            return rmse is not None and rmse < STAGING_BELOW
        better = not self.beats or champion is None or rmse < champion
        return better and (self.below is None or rmse < self.below)

    def asks(self, target: str) -> tuple[str, ...]:
        return self.seats if target == "Production" else ()

    def may(self, who: str, target: str, without: Collection[str | None] = ()) -> bool:
        """Whether this person's word counts: their own, or that of a member in whose place they speak."""
        return any(each in GROUPS[seat] for seat in self.asks(target) for each in speaks_for(who, without))

    def member(self, who: str, target: str) -> bool:
        return any(who in GROUPS[seat] for seat in self.asks(target))

    def breaks_glass(self, who: str, target: str) -> bool:
        return self.glass and target == "Production" and who in GROUPS[GLASS]

    def may_go_back(self, who: str, target: str) -> bool:
        return not self.asks(target) or self.member(who, target) or self.breaks_glass(who, target)

    def enough(self, approvers: Collection[str], target: str) -> bool:
        """Whether each seat can be given to another of them, as another member."""
        seats = self.asks(target)
        return any(
            len({*members}) == len(seats)
            and all(member in GROUPS[seat] for member, seat in zip(members, seats, strict=True))
            for chosen in itertools.permutations(approvers, len(seats))
            for members in itertools.product(*(speaks_for(person) for person in chosen))
        )

    def late(self, since: timedelta) -> bool:
        return self.hours is not None and since > timedelta(hours=self.hours)

    def time_has_come(self, target: str, now: datetime, since: datetime | None, promoted: Collection[datetime]) -> bool:
        """since: when it came to Staging; None: not known. promoted: when others were, to the same target."""
        if target == "Staging":
            return True
        if self.soak and since and now - since < timedelta(hours=self.soak):
            return False
        recent = [at for at in promoted if now - at < timedelta(days=1)]
        return not (self.per_day and len(recent) >= self.per_day) and not (self.frozen and now.hour < 6)

    def text(self) -> str:
        """registrar.yml; JSON is YAML too."""
        people = {who: {"name": who.title()} for who in PEOPLE}
        people["ada"]["accounts"] = {"mlflow": "ada.l"}  # type: ignore[assignment]
        for delegate, member in DELEGATES.items():
            people[member]["delegate"] = {"to": delegate, "until": "2099-12-31"}  # type: ignore[assignment]
        targets = [self._staging(), {"stage": "Production", "alias": "champion", **self._production()}]
        models = {"*": {"drift": self.drift, "mode": self.mode, "targets": targets}}
        channels = {"log": {"kind": "log"}}
        sources = {"ci": {"kind": "standard", "secrets": ["env:CI"], "may": [{"events": ["*"], "models": ["*"]}]}}
        whole = {
            "version": 1,
            "sources": sources,
            "people": people,
            "groups": GROUPS,
            "channels": channels,
            "models": models,
        }
        return json.dumps(whole)

    def _staging(self) -> dict[str, object]:
        gate = {"metric": "rmse", "op": "<", "threshold": STAGING_BELOW}
        kept = {"exclusive": False, "on_replace": "keep"} if self.many else {}
        return {"stage": "Staging", "alias": "challenger", "gates": [gate], "approval": "automatic", **kept}

    def _production(self) -> dict[str, object]:
        deploy = {"to": ["log"], "confirm_within": "1h", "on_failure": "rollback"}
        return {
            "gates": self._gates(),
            "approval": self._approval() if self.seats else "automatic",
            **({"on_replace": "staging"} if self.back else {}),
            **({"deploy": deploy} if self.deploy else {}),
            **({"previous_alias": "before"} if self.previous else {}),
        }

    def _gates(self) -> list[dict[str, object]]:
        found: list[tuple[object, dict[str, object]]] = [
            (self.below is not None, {"metric": "rmse", "op": "<", "threshold": self.below, **self._of()}),
            (self.beats, {"metric": "rmse", "baseline": "@champion", "greater_is_better": False}),
            (self.soak, {"soak": f"{self.soak}h"}),
            (self.per_day, {"max_per_day": self.per_day}),
            (self.frozen, {"freeze": "0 0 * * *", "duration": "6h"}),
        ]
        return [gate for asked, gate in found if asked]

    def _of(self) -> dict[str, str]:
        return {"of": "evaluation"} if self.judged else {}

    def _approval(self) -> dict[str, object]:
        wanted = [
            {"group": group, "required_approvals": self.seats.count(group)} for group in dict.fromkeys(self.seats)
        ]
        return {
            "rules": wanted,
            "exclude": list(self.exclude),
            "reject_reason": "required" if self.explained else "optional",
            **({"expires_after": f"{self.hours}h"} if self.hours else {}),
            **({"break_glass": {"group": GLASS}} if self.glass else {}),
            **({"on_newer_candidate": "keep"} if self.keep else {}),
        }


def speaks_for(who: str, without: Collection[str | None] = ()) -> list[str]:
    """Whose seats somebody may take: nobody's who is excluded, and none at all if they are."""
    return [] if who in without else [each for each in (who, DELEGATES.get(who)) if each and each not in without]


POLICIES = {
    rules.name: rules
    for rules in (
        Rules("one lead", previous=True),
        Rules("two of two groups, older requests stay", seats=("leads", "risk"), keep=True),
        Rules("two leads, not who asked, or the guard", seats=("leads", "leads"), exclude=("requester",), glass=True),
        Rules("strict, not the author, reasons", below=5.0, exclude=("author",), explained=True),
        Rules("better than the champion, within 2 h", beats=True, hours=2),
        Rules("put back, within 12 h", seats=("risk",), hours=12, drift="revert"),
        Rules("any number in Staging", many=True),
        Rules("nobody is asked, who is replaced goes back", seats=(), below=5.0, back=True),
        Rules("2 h in Staging, or the guard", soak=2, glass=True),
        Rules("one a day, not at night", per_day=1, frozen=True),
        Rules("confirmed in an hour", deploy=True),
        Rules("adopted", drift="adopt", seats=("risk",)),
        Rules("evaluated", below=5.0, judged=True),
        Rules("aliases only", mode="aliases", keep=True),
    )
}
