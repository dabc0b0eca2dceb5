"""One promotion, for people: its gates, its votes, who may still vote."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from registrar.cli import formatting, tables
from registrar.queries.query_service import Row

_VOTES = ("at", "actor_name", "verdict", "counted", "why")
_GATES = ("gate", "passed", "reason")


def print_promotion(found: Row) -> None:
    """Print a promotion: its evidence, votes and history. found: of QueryService.promotion."""
    click.echo("\n".join(_lines(found)))
    click.echo("\ngates")
    formatting.table(_GATES, [_gate(each) for each in found["evidence"].get("gates", ())], empty="it has no gates")
    click.echo("\nvotes")
    formatting.table(_VOTES, [_vote(each) for each in found["votes"]], empty="nobody said anything yet")


def lacks(found: Row) -> str | None:
    """What an open promotion waits for, for people: time, or whose approvals."""
    if found["state"] in ("waiting", "approved") and found["due_at"]:
        return f"time, until {formatting.text(found['due_at'])}"
    if found["state"] == "approved":
        return "a worker: it is about to be moved"
    return found["voting"]["lacks"] or None if found["voting"] else None


def state(found: Row) -> str:
    """For people: of what was promoted, what it is by now."""
    became = found["became"]
    return str(became["state"]).replace("_", " ") if became else str(found["state"])


def _gate(gate: Mapping[str, Any]) -> tuple[object, ...]:
    return gate.get("gate"), "passed" if gate.get("passed") else "FAILED", gate.get("reason")


def _vote(vote: Mapping[str, Any]) -> tuple[object, ...]:
    return vote["at"], vote["actor_name"], vote["verdict"], "yes" if vote["counted"] else "no", vote["why"] or None


def _lines(found: Row) -> Iterator[str]:
    for name in ("id", "model", "version", "target"):
        yield f"{name:<12} {formatting.text(found[name])}"
    yield f"{'state':<12} {tables.state(state(found))}"
    yield f"{'asked by':<12} {found['requested_by_name']}, {formatting.text(found['created_at'])} ({found['event_id']})"
    for name in ("reason", "due_at", "decided_at", "decided_by"):
        if found[name] is not None:
            yield f"{name:<12} {formatting.text(found[name])}"
    for name, key in (("trained by", "trained_by"), ("compared", "compared")):
        if said := found["evidence"].get(key):
            yield f"{name:<12} {formatting.text(said)}"
    if digest := found["evidence"].get("policy_digest"):
        yield f"{'policy':<12} {digest} (registrar policy show {digest[:12]})"
    yield from _became(found["became"] or {})
    if found["state"] == "approved" and (waits := lacks(found)):
        yield f"{'lacks':<12} {waits}"
    if found["broke_glass"]:
        yield f"{'':<12} one person BROKE THE GLASS for it, past the rules"
    if voting := found["voting"]:
        yield from _voting(found, voting)


def _became(became: Mapping[str, Any]) -> Iterator[str]:
    """What came of it after it was promoted: nothing of that is this promotion's success any more."""
    if asked := became.get("deployment"):
        where = f" to {asked['environment']}" if asked["environment"] else ""
        when = f", {formatting.text(asked['ended_at'])}" if asked["ended_at"] else ""
        said = asked["state"].replace("_", " ")
        yield f"{'deployment':<12} {said}{where}{when}; asked for {formatting.text(asked['requested_at'])}"
    if at := became.get("rolled_back_at"):
        yield f"{'rolled back':<12} {formatting.text(at)}"
    if why := became.get("quarantined"):
        yield f"{'quarantined':<12} {why}"


def _voting(found: Row, voting: Mapping[str, Any]) -> Iterator[str]:
    for rule in voting["rules"]:
        may = ", ".join(voter["name"] for voter in rule["may"]) or "nobody"
        state = f"lacks {rule['missing']}; may still approve: {may}" if rule["missing"] else "is met"
        yield f"{'rule':<12} {rule['required']} of {rule['group']}: {state}"
    if voting["impossible"]:
        yield f"{'approval':<12} {voting['impossible']}"
    for each in voting["excluded"]:
        yield f"{'excluded':<12} {each['id'] or 'whoever'} {each['why']}"
    if glass := ", ".join(voter["name"] for voter in voting["may_break_glass"]):
        yield f"{'break glass':<12} {glass}"
    if found["state"] == "awaiting_approval":
        yield f"{'approve':<12} registrar promotions approve {found['id']}"
