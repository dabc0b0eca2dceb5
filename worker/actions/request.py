"""worker.request, on promotion.request and by itself after each step: a version is tried against a target."""

from dataclasses import replace

from registrar.ledger.promotions import Decided, Opened, is_open, latest
from registrar.outcome import Fact, FollowUp, Outcome
from registrar.policy import Target
from registrar.policy.models import Approval
from worker import quarantine
from worker.door import Version
from worker.evidence import Evidence, expired, gather, target_of
from worker.way import replaced, who_may, wrong_start
from worker.work import Work


def act(work: Work) -> Outcome:
    target = target_of(work, str(work.given("target")))
    version = work.registry.version(work.model, work.version)
    if version.stage == target.stage:
        return Outcome(f"{version} is in {target.stage} already; nothing to do")
    if reason := quarantine.why(version) or wrong_start(work.policy, version, target):
        return _held_back(work, version, target, [reason])
    with work.ledger.read() as connection:
        earlier = latest(connection, version.model, version.version, target.stage)
    late = earlier is not None and expired(work, earlier)
    if earlier is not None and is_open(earlier) and not late:
        return Outcome(f"{earlier} was asked for already and is {earlier.state.replace('_', ' ')}")
    evidence = gather(work, version, target)
    if evidence.reasons:
        return _held_back(work, version, target, evidence.reasons)
    opened = _opened(work, evidence)
    if earlier is None or not late:
        return opened
    ended = Decided(earlier.id, "expired", f"it was asked for {late} ago; it was asked for again")
    return replace(opened, records=(ended, *opened.records))


def _held_back(work: Work, version: Version, target: Target, reasons: list[str]) -> Outcome:
    """The version says why where a deployment engineer looks for it: in its tags."""
    reason = "; ".join(reasons)
    key = f"registrar.held_back.{target.stage}"
    if version.tags.get(key) != reason:
        work.registry.set_tag(version.model, version.version, key, reason)
    text = f"{version} was held back from {target.stage}: {reason}"
    details = {"target": target.stage, "reasons": reasons}
    fact = Fact("model_version.held_back", text, version.model, version.version, details)
    return Outcome(summary=text, facts=(fact,))


def _opened(work: Work, evidence: Evidence) -> Outcome:
    version, target = evidence.version, evidence.target
    automatic = not isinstance(target.approval, Approval)
    opened = Opened(
        version.model,
        version.version,
        target.stage,
        evidence.to_json(),
        state="approved" if automatic else "awaiting_approval",
        reason=work.given("reason"),
    )
    if automatic:
        step = FollowUp(
            "worker.transition", {"version": version.version, "stage": target.stage, "promotion": opened.id}
        )
        text = f"{version} passed all gates for {target.stage}"
        return Outcome(summary=text, follow_ups=(step,), records=(opened,))
    return _asked(work, evidence, opened)


def _asked(work: Work, evidence: Evidence, opened: Opened) -> Outcome:
    version, target = evidence.version, evidence.target
    text = f"{version} waits for approval to go to {target.stage}: {who_may(work.policy, target)}"
    details = {
        "promotion": opened.id,
        "target": target.stage,
        "requested_by": work.who,
        "commit": version.tags.get("registrar.commit"),
        "replaces": [other.version for other in replaced(work.registry, version, target)],
        "metrics": {name: f"{value:.4g}" for name, value in sorted(evidence.metrics.items())[:8]},
        **evidence.to_json(),
    }
    fact = Fact("promotion.awaiting_approval", text, version.model, version.version, details)
    return Outcome(summary=text, facts=(fact,), records=(opened,))
