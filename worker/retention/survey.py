"""Decide which versions of a model its retention lets go, which stay and why, and how much space they take.

MLflow deletes any version on request, even a champion. So everything that protects a version is read anew: the model's
aliases (a search returns none), its stage, the record, and the versions copied from it.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from registrar.ledger.deployments import under_way
from registrar.ledger.promotions import still_open
from registrar.ledger.version_state import Key, State, current, states
from registrar.policy import Target
from registrar.policy.models import Retention
from registrar.text.duration import length
from worker.promotions.evidence import EvaluationContext
from worker.promotions.rollback_target import find_rollback_target, past_holders
from worker.registry.entities import Version
from worker.registry.protocol import PermanentError, find_version

Step = Literal["stay", "spare", "mark", "wait", "delete"]


@dataclass(frozen=True)
class RetentionDecision:
    """The decision about one version. reasons: why it stays; none where it may go. due: when, by its mark.

    The mark is in the record; MLflow's tag shows it to people, who can save the version until it ends. A mark whose tag
    is gone or was changed is made again.
    """

    version: Version
    reasons: tuple[str, ...]
    due: datetime | None
    step: Step


@dataclass(frozen=True)
class RetentionFacts:
    """The facts that protect versions of a model, as read at one time. reasons, states: by version."""

    retention: Retention | None
    aliases: Mapping[str, int]
    reasons: Mapping[int, tuple[str, ...]]
    states: Mapping[int, list[State]]

    def mark(self, version: Version) -> str | None:
        """Return when a version's mark ends, by the record; None where it has none."""
        state = current(self.states.get(version.version, ()), version.version, version.created_at)
        return state.get(Key.PRUNE_AFTER)


def survey(context: EvaluationContext, model: str, retention: Retention | None = None) -> list[RetentionDecision]:
    """Decide about every version of a model, oldest first. retention: in place of the model's own.

    Raises NotFound, RetryableError, PermanentError.
    """
    facts = _gather_facts(context, model, retention)
    return [_decide(context, facts, version) for version in reversed(context.registry.versions(model))]


def judge_version(
    context: EvaluationContext, model: str, number: int, retention: Retention | None = None
) -> RetentionDecision | None:
    """Decide about one version right before its deletion, reading it last. None where it is gone."""
    facts = _gather_facts(context, model, retention)
    version = find_version(context.registry, model, number)
    return _decide(context, facts, version) if version else None


def _decide(context: EvaluationContext, facts: RetentionFacts, version: Version) -> RetentionDecision:
    reasons = tuple(_reasons(context, facts, version))
    mark, tag = facts.mark(version), version.tags.get(Key.PRUNE_AFTER)
    due = datetime.fromisoformat(mark) if mark and mark == tag else None
    if reasons:
        return RetentionDecision(version, reasons, due, "spare" if mark or tag is not None else "stay")
    return RetentionDecision(
        version, reasons, due, "mark" if due is None else "wait" if due > context.now else "delete"
    )


def _reasons(context: EvaluationContext, facts: RetentionFacts, version: Version) -> list[str]:
    if facts.retention is None:
        return [f"registrar.yml has no retention for {version.model}"]
    aliases = {alias for alias, number in facts.aliases.items() if number == version.version}
    reasons = [f"it holds @{alias}" for alias in sorted(aliases | set(version.aliases))]
    if version.stage not in ("None", "Archived"):
        reasons.append(f"it is in {version.stage}")
    reasons += facts.reasons.get(version.version, ())
    if context.now - version.created_at < length(facts.retention.older_than):
        reasons.append(f"it is younger than {facts.retention.older_than}")
    return reasons


def _gather_facts(context: EvaluationContext, model: str, instead: Retention | None) -> RetentionFacts:
    policy = context.policy.model(model)
    retention = instead or policy.retention
    reasons: defaultdict[int, list[str]] = defaultdict(list)
    if retention:
        last = retention.keep_last
        for version in context.registry.versions(model, newest=last):
            reasons[version.version].append(f"it is one of the newest {last}")
    for target in policy.targets:
        for number, why in _rollback_reasons(context, model, target).items():
            reasons[number].append(why)
    for copy in context.registry.copies(model):
        reasons[int(copy.source.rpartition("/")[2])].append(f"{copy} was copied from it")
    with context.ledger.read() as connection:
        for promotion in still_open(connection, model=model):
            state = promotion.state.replace("_", " ")
            reasons[promotion.version].append(f"its promotion to {promotion.target} is {state}")
        for deployment in under_way(connection, model=model):
            reasons[deployment.version].append(f"its deployment to {deployment.target} is under way")
    aliases = context.registry.model(model).aliases
    by_version = {number: tuple(texts) for number, texts in reasons.items()}
    return RetentionFacts(retention, aliases, by_version, _states(context, model))


def _states(context: EvaluationContext, model: str) -> dict[int, list[State]]:
    by_version: defaultdict[int, list[State]] = defaultdict(list)
    with context.ledger.read() as connection:
        for state in states(connection, model):
            by_version[state.version].append(state)
    return by_version


def _rollback_reasons(context: EvaluationContext, model: str, target: Target) -> dict[int, str]:
    holders = past_holders(context.ledger, model, context.policy.model(model), target)
    back, _ = find_rollback_target(context, model, target, holders[1:], compare_files=False)
    reasons = {holders[0].version: f"the record has it in {target.stage}"} if holders else {}
    if back:
        reasons[back.version] = f"a rollback of {target.stage} would go back to it"
    return reasons


def sizes(
    context: EvaluationContext, decisions: list[RetentionDecision], everything: list[RetentionDecision]
) -> dict[int, int | None]:
    """Return the bytes of the versions' files, by version; None where they can't be counted.

    Files that several versions share count once, and not at all where one of those versions stays. MLflow deletes only
    its entries, and leaves the files to `mlflow gc`.
    """
    counted = {decision.version.source for decision in everything if decision.reasons}
    by_version: dict[int, int | None] = {}
    for decision in decisions:
        shared = decision.version.source in counted
        by_version[decision.version.version] = 0 if shared else _size(context, decision.version)
        counted.add(decision.version.source)
    return by_version


def format_sizes(sizes: list[int | None]) -> str:
    """Return text such as "12,345 bytes, and 2 that can't be counted"."""
    unknown = sizes.count(None)
    text = f"{sum(size or 0 for size in sizes):,} bytes"
    return f"{text}, and {unknown} that can't be counted" if unknown else text


def name_versions(model: str, numbers: list[int]) -> str:
    """Return text such as "taxi versions 1, 2, 3"."""
    return f"{model} version{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _size(context: EvaluationContext, version: Version) -> int | None:
    try:
        return context.registry.size_of(version.model, version.version)
    except PermanentError:
        return None
