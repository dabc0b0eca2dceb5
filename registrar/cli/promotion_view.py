"""Prints a promotion: its gates, its votes, and who may still vote."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from registrar.cli import formatting, tables
from registrar.queries.query_service import Row

_VOTES = ("at", "actor_name", "verdict", "counted", "why")
_GATES = ("gate", "passed", "reason")
_STEPS = ("step", "state", "at", "detail")


def print_promotion(promotion: Row) -> None:
    """Print a promotion from QueryService.promotion: its evidence, votes and history."""
    click.echo("\n".join(_lines(promotion)))
    click.echo("\nsteps")
    formatting.table(_STEPS, [_step(step) for step in promotion["steps"]], empty="it has no steps")
    click.echo("\ngates")
    gates = promotion["evidence"].get("gates", ())
    formatting.table(_GATES, [_gate(gate) for gate in gates], empty="it has no gates")
    click.echo("\nvotes")
    formatting.table(_VOTES, [_vote(vote) for vote in promotion["votes"]], empty="nobody has voted yet")


def lacks(promotion: Row) -> str | None:
    """Describe what an open promotion waits for: time, or approvals."""
    if promotion["state"] in ("waiting", "approved") and promotion["due_at"]:
        return f"time, until {formatting.text(promotion['due_at'])}"
    if promotion["state"] == "approved":
        return "a worker: it is about to be moved"
    return promotion["voting"]["lacks"] or None if promotion["voting"] else None


def votes(promotion: Row) -> str | None:
    """Return the approvals given, of those required: 2/3; None: nobody is asked."""
    rules = promotion["voting"]["rules"] if promotion["voting"] else ()
    required, missing = (sum(rule[name] for rule in rules) for name in ("required", "missing"))
    return f"{required - missing}/{required}" if rules else None


def state(promotion: Row) -> str:
    """Return the promotion's state; after success, that of its deployment or rollback."""
    became = promotion["became"]
    return str(became["state"]).replace("_", " ") if became else str(promotion["state"])


def _step(step: Mapping[str, Any]) -> tuple[object, ...]:
    return step["name"], step["state"].replace("_", " "), step["at"], step["detail"] or None


def _gate(gate: Mapping[str, Any]) -> tuple[object, ...]:
    return gate.get("gate"), "passed" if gate.get("passed") else "FAILED", gate.get("reason")


def _vote(vote: Mapping[str, Any]) -> tuple[object, ...]:
    return vote["at"], vote["actor_name"], vote["verdict"], "yes" if vote["counted"] else "no", vote["why"] or None


def _lines(promotion: Row) -> Iterator[str]:
    for name in ("id", "model", "version", "target"):
        yield f"{name:<12} {formatting.text(promotion[name])}"
    yield f"{'state':<12} {tables.state(state(promotion))}"
    created = formatting.text(promotion["created_at"])
    yield f"{'asked by':<12} {promotion['requested_by_name']}, {created} ({promotion['event_id']})"
    for name in ("reason", "due_at", "decided_at", "decided_by"):
        if promotion[name] is not None:
            yield f"{name:<12} {formatting.text(promotion[name])}"
    for name, key in (("trained by", "trained_by"), ("compared", "compared")):
        if value := promotion["evidence"].get(key):
            yield f"{name:<12} {formatting.text(value)}"
    if digest := promotion["evidence"].get("policy_digest"):
        yield f"{'policy':<12} {digest} (registrar policy show {digest[:12]})"
    yield from _became(promotion["became"] or {})
    if promotion["state"] == "approved" and (waits := lacks(promotion)):
        yield f"{'lacks':<12} {waits}"
    if promotion["broke_glass"]:
        yield f"{'':<12} one person BROKE THE GLASS for it, past the rules"
    if voting := promotion["voting"]:
        yield from _voting(promotion, voting)
    for gate in promotion["time_gates"]:
        yield f"{'time gate':<12} {gate['gate']}: {gate['reason'] if gate['until'] else 'open'}"
    for deadline in promotion["deadlines"]:
        yield f"{'deadline':<12} {deadline['text']} {formatting.text(deadline['at'])}, if nobody decides"


def _became(became: Mapping[str, Any]) -> Iterator[str]:
    """Describe what followed the promotion: its deployment, a rollback, a quarantine."""
    if deployment := became.get("deployment"):
        where = f" to {deployment['environment']}" if deployment["environment"] else ""
        when = f", {formatting.text(deployment['ended_at'])}" if deployment["ended_at"] else ""
        state = deployment["state"].replace("_", " ")
        yield f"{'deployment':<12} {state}{where}{when}; requested {formatting.text(deployment['requested_at'])}"
    if at := became.get("rolled_back_at"):
        yield f"{'rolled back':<12} {formatting.text(at)}"
    if why := became.get("quarantined"):
        yield f"{'quarantined':<12} {why}"


def _voting(promotion: Row, voting: Mapping[str, Any]) -> Iterator[str]:
    for rule in voting["rules"]:
        may = ", ".join(voter["name"] for voter in rule["may"]) or "nobody"
        state = f"lacks {rule['missing']}; may still approve: {may}" if rule["missing"] else "is met"
        agreed = "; ".join(f"{each['name']}, {formatting.text(each['at'])}" for each in rule["agreed"])
        yield f"{'rule':<12} {rule['required']} of {rule['group']}: {state}{f'; agreed: {agreed}' if agreed else ''}"
    if voting["impossible"]:
        yield f"{'approval':<12} {voting['impossible']}"
    for person in voting["excluded"]:
        yield f"{'excluded':<12} {person['id'] or 'the person who'} {person['why']}"
    if glass := ", ".join(voter["name"] for voter in voting["may_break_glass"]):
        yield f"{'break glass':<12} {glass}"
    if promotion["state"] == "awaiting_approval":
        yield f"{'approve':<12} registrar promotions approve {promotion['id']}"
