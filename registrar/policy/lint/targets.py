"""Warns about targets that no version can reach, and about their conditions that never hold, or always do."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice, pairwise

from cronsim import CronSim

from registrar.policy.approvals import Approval
from registrar.policy.document import Policy
from registrar.policy.errors import Complaint, Place
from registrar.policy.gates import Comparison, Evaluated, Gate, MaxAge, Threshold
from registrar.policy.lint.patterns import samples
from registrar.policy.models import ModelPolicy, Target
from registrar.policy.time_gates import Freeze, Soak
from registrar.text.duration import length
from registrar.text.wording import did_you_mean

_STARTS = 500  # starts of a freeze that are compared


def check(policy: Policy) -> Iterator[Complaint]:
    for name, model in policy.models.items():
        for nth, target in enumerate(model.targets):
            at: Place = ("models", name, "targets", nth)
            yield from _check_path_to(at, model, target)
            yield from _deploy(policy, at, name, target)
            for index, gate in enumerate(target.gates):
                if why := _gate(policy, name, model, target, gate):
                    yield (*at, "gates", index), why
            if isinstance(target.approval, Approval):
                yield from _check_reminders((*at, "approval"), target.approval)


def _check_path_to(at: Place, model: ModelPolicy, target: Target) -> Iterator[Complaint]:
    sources = model.sources_of(target)
    if not sources:
        yield (*at, "from"), "is empty, so no version can come here; remove it, or name stages"
    elif sources == [target.stage]:
        yield (*at, "from"), f"a version would have to be in {target.stage} to come to {target.stage}"
    elif target.from_ is None and target.stage == "Staging" and sources == ["Production"]:
        yield (
            at,
            "targets are in the order that versions take, and here Production comes before Staging; put Staging first",
        )


def _gate(policy: Policy, name: str, model: ModelPolicy, target: Target, gate: Gate) -> str | None:
    if isinstance(gate, Comparison) and (why := _baseline(model, gate)):
        return why
    if isinstance(gate, Comparison) and gate.min_relative_change >= 1:
        percent = gate.min_relative_change
        return f"min_relative_change: {percent:g} is {percent * 100:g} %; {percent:g} % is {percent / 100:g}"
    if isinstance(gate, Freeze):
        return _freeze(gate)
    soaks = [one.soak for one in target.gates if isinstance(one, Soak)]
    if isinstance(gate, MaxAge) and soaks and length(soaks[0]) >= length(gate.max_age):
        return f"max_age: {gate.max_age} ends before soak: {soaks[0]} does, so no version can meet both"
    evaluation = isinstance(gate, Evaluated) or (isinstance(gate, Threshold | Comparison) and gate.of == "evaluation")
    if evaluation and not _granted(policy, name, "evaluation_run.finished"):
        return "no source may send evaluation_run.finished about this model, so it never passes; grant it under may"
    return None


def _baseline(model: ModelPolicy, gate: Comparison) -> str | None:
    aliases = [alias for target in model.targets for alias in (target.alias, target.previous_alias) if alias]
    if gate.baseline[1:] in aliases:
        return None
    result = "passes" if gate.when_no_baseline == "pass" else "fails"
    near = did_you_mean(gate.baseline, [f'"@{alias}"' for alias in aliases])
    return f"no target of this model sets {gate.baseline}, so the gate {result} unless somebody sets it by hand{near}"


def _freeze(gate: Freeze) -> str | None:
    starts = islice(CronSim(gate.freeze, datetime(2026, 1, 1, tzinfo=UTC)), _STARTS)
    duration = length(gate.duration)
    if any(later - earlier > duration for earlier, later in pairwise(starts)):
        return None
    return f"each freeze of {gate.duration} ends after the next has begun, so no version could ever be promoted"


def _check_reminders(at: Place, approval: Approval) -> Iterator[Complaint]:
    if approval.expires_after is None:
        return
    end = length(approval.expires_after)
    if approval.escalate and length(approval.escalate.after) >= end:
        yield (*at, "escalate"), f"never happens, because the request expires after {approval.expires_after}"
    if approval.remind_every and length(approval.remind_every) >= end:
        yield (*at, "remind_every"), f"never happens, because the request expires after {approval.expires_after}"


def _deploy(policy: Policy, at: Place, name: str, target: Target) -> Iterator[Complaint]:
    if not target.deploy:
        return
    reports_success = _granted(policy, name, "deployment.succeeded")
    if target.deploy.confirm_within and not reports_success:
        yield (
            (*at, "deploy", "confirm_within"),
            "no source may send deployment.succeeded about this model, so each times out; grant it under may",
        )
    elif target.deploy.on_failure == "rollback" and not (
        reports_success or _granted(policy, name, "deployment.failed")
    ):
        yield (*at, "deploy", "on_failure"), "no source may send deployment.failed about this model; grant it under may"


def _granted(policy: Policy, name: str, event: str) -> bool:
    """Return whether a source may send an event about the models of an entry. Operators may send any."""
    sources = policy.sources.values()
    return bool(policy.access.operators) or any(source.grants(event, samples(name)[0]) for source in sources)
