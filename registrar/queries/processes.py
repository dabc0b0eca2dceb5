"""The state of receivers, workers and beats, from their heartbeats in the ledger, in words for people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from registrar.ledger import Connection
from registrar.ledger.heartbeats import CONFIG, KEYS, PARTS, Heartbeat, all_known, mismatches, time_of
from registrar.ledger.tasks import LEASE_SECONDS

WELL = "alive"
_START = {"worker": "python -m worker run", "beat": "python -m worker beat"}  # no receiver: none is there to answer
_SILENT = "not heard of for more than 35 s: it is dead, hangs, or can't reach the ledger"
_STUCK = "it lives, and its loop stands still"
_IDLE = "it lives, yet nothing passes between it and the broker"


def parts(connection: Connection) -> list[dict[str, Any]]:
    """Return each process, and parts without any: name, status, detail, instance, seen.

    status: alive, silent, stuck, idle, mismatched (its clock, key or registrar.yml is another), cut off (from MLflow),
    missing.
    """
    found, at = all_known(connection), time_of(connection)
    others = mismatches([one for one in found if not one.silent(at)])
    told = [_process(one, at, others) for one in found]
    heard = {one.part for one in found}
    return told + [_missing(part) for part in PARTS if part in _START and part not in heard]


def _process(one: Heartbeat, at: datetime, others: Mapping[str, Sequence[Heartbeat]]) -> dict[str, Any]:
    status, detail = _status(one, at, others)
    return {"name": one.part, "status": status, "detail": detail, "instance": one.instance, "seen": one.seen_at}


def _status(one: Heartbeat, at: datetime, others: Mapping[str, Sequence[Heartbeat]]) -> tuple[str, str]:
    """Return the worst status of a process, and all details."""
    if one.silent(at):
        return "silent", _SILENT
    found = [
        *([("stuck", _STUCK)] if one.stuck(at) else []),
        *([("idle", _IDLE)] if one.idle(at) else []),
        *(("mismatched", said) for said in _mismatched(one, others)),
        *([("cut off", f"MLflow does not serve it: {one.mlflow}")] if one.mlflow else []),
    ]
    if found:
        return found[0][0], "; ".join(said for _, said in found)
    return WELL, {"worker": f"{one.in_hand} in hand", "beat": "ticks"}.get(one.part, "serves")


def _mismatched(one: Heartbeat, others: Mapping[str, Sequence[Heartbeat]]) -> list[str]:
    off = one.clock_ahead or 0.0
    clock = f"its clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the database's"
    return [
        *([clock] if abs(off) > LEASE_SECONDS else []),
        *(["its REGISTRAR_SECRET_KEY is not that of the other parts"] if one in others[KEYS] else []),
        *(["its registrar.yml is not that of the other parts"] if one in others[CONFIG] else []),
    ]


def _missing(part: str) -> dict[str, Any]:
    told = f"none is running: registrar up, or {_START[part]}"
    return {"name": part, "status": "missing", "detail": told, "instance": None, "seen": None}
