"""What happened lately, one item for each version: its latest state, and how many steps led to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from registrar.events.facts import FactType, traits
from registrar.ledger.queries.activity import ActivityItem
from registrar.text.tones import Tone, tone

# Requests that were refused, and what is done with dead letters, are told elsewhere: they change no version.
_ELSEWHERE = (
    *(FactType.TASK_REFUSED, FactType.PROMOTION_VOTE_REFUSED),
    *(FactType.TASK_RETRIED, FactType.TASK_DROPPED, FactType.EVENT_REPLAYED),
)
# What a fact's type does not say by itself, in two words.
_STATES = {
    FactType.MODEL_VERSION_TRANSITIONED: "moved",
    FactType.PROMOTION_REMINDER: "awaiting approval",
    FactType.PROMOTION_ESCALATED: "awaiting approval",
    FactType.PROMOTION_BROKE_GLASS: "glass broken",
    FactType.PROMOTION_VOID: "asked again",
    FactType.TRAINING_RUN_FAILED: "training failed",
    FactType.QUARANTINE_LIFTED: "quarantine lifted",
    FactType.DEPLOYMENT_REQUESTED: "deploying",
    FactType.DEPLOYMENT_SUCCEEDED: "live",
    FactType.DEPLOYMENT_FAILED: "deployment failed",
    FactType.DEPLOYMENT_TIMED_OUT: "deployment timed out",
    FactType.REGISTRY_MADE_ANEW: "created again",
    FactType.REGISTRY_DISPUTED: "in dispute",
    FactType.EXPERIMENT_CREATED: "experiment created",
    FactType.ARTIFACTS_FETCHED: "files fetched",
    FactType.TASK_DEAD: "failed for good",
}
_TONES: dict[str, Tone] = {"info": "off", "success": "ok", "warning": "wait", "failure": "bad"}


@dataclass(frozen=True)
class FeedItem:
    """newest: the fact that says how it is now. earlier: how many facts went before. promotion: the newest one's id."""

    newest: ActivityItem
    earlier: int
    promotion: str | None

    @property
    def subject(self) -> str:
        """Name the version, or the model, for people; "" where it is about neither."""
        version = f" version {self.newest.version}" if self.newest.version is not None else ""
        return f"{self.newest.model or ''}{version}"

    @property
    def text(self) -> str:
        """Return the newest fact's sentence without its subject, which stands before it."""
        return self.newest.text.removeprefix(self.subject).strip() if self.subject else self.newest.text

    @property
    def state(self) -> str:
        words = self.newest.type.rpartition(".")[2].replace("_", " ")
        return next((found for type_, found in _STATES.items() if type_ == self.newest.type), words)

    @property
    def tone(self) -> Tone:
        if self.newest.type == FactType.MODEL_VERSION_REGISTERED:  # so many that no other would be seen
            return "off"
        by_state = tone(self.state)
        return by_state if by_state != "off" else _TONES[traits(self.newest.type).severity]


def group_by_version(items: Iterable[ActivityItem]) -> list[FeedItem]:
    """Return one item for each version; what is about no version stays by itself. items: newest first."""
    groups: dict[tuple[object, ...], list[ActivityItem]] = {}
    for item in items:
        if item.type not in _ELSEWHERE:
            groups.setdefault(_key(item), []).append(item)
    return [FeedItem(group[0], len(group) - 1, _promotion(group)) for group in groups.values()]


def _key(item: ActivityItem) -> tuple[object, ...]:
    if item.model is not None and item.version is not None:
        return item.model, item.version
    return item.model, item.type, item.event_id


def _promotion(group: Sequence[ActivityItem]) -> str | None:
    return next((item.promotion for item in group if item.promotion), None)
