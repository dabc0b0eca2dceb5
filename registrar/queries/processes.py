"""The state of receivers, workers and beats, from their heartbeats in the ledger, in words for people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from registrar.ledger import Connection
from registrar.ledger.heartbeats import CONFIG, KEYS, PARTS, Heartbeat, all_known, mismatches, time_of
from registrar.ledger.tasks import LEASE_SECONDS
from registrar.queries.filters import WELL

_START = {"worker": "python -m worker run", "beat": "python -m worker beat"}  # no receiver: none is there to answer
_SILENT = "not heard of for more than 35 s: it is dead, hangs, or can't reach the ledger"
_STUCK = "it lives, and its loop stands still"
_IDLE = "it lives, yet nothing passes between it and the broker"


def parts(connection: Connection) -> list[dict[str, Any]]:
    """Return each process, and parts without any: name, status, detail, instance, seen.

    status: alive, silent, stuck, idle, mismatched (its clock, key or registrar.yml differs), cut off (from MLflow),
    missing.
    """
    heartbeats, at = all_known(connection), time_of(connection)
    odd = mismatches([heartbeat for heartbeat in heartbeats if not heartbeat.silent(at)])
    running = {heartbeat.part for heartbeat in heartbeats}
    missing = [part for part in PARTS if part in _START and part not in running]
    return [*(_process(heartbeat, at, odd) for heartbeat in heartbeats), *map(_missing, missing)]


def _process(process: Heartbeat, at: datetime, odd: Mapping[str, Sequence[Heartbeat]]) -> dict[str, Any]:
    status, detail = _status(process, at, odd)
    return {
        "name": process.part,
        "status": status,
        "detail": detail,
        "instance": process.instance,
        "seen": process.seen_at,
    }


def _status(process: Heartbeat, at: datetime, odd: Mapping[str, Sequence[Heartbeat]]) -> tuple[str, str]:
    """Return the worst status of a process, and all details."""
    if process.silent(at):
        return "silent", _SILENT
    problems = [
        *([("stuck", _STUCK)] if process.stuck(at) else []),
        *([("idle", _IDLE)] if process.idle(at) else []),
        *(("mismatched", detail) for detail in _mismatches_of(process, odd)),
        *([("cut off", f"MLflow does not serve it: {process.mlflow}")] if process.mlflow else []),
    ]
    if problems:
        return problems[0][0], "; ".join(detail for _, detail in problems)
    return WELL, {"worker": f"{process.in_hand} in hand", "beat": "ticks"}.get(process.part, "serves")


def _mismatches_of(process: Heartbeat, odd: Mapping[str, Sequence[Heartbeat]]) -> list[str]:
    off = process.clock_ahead or 0.0
    clock = f"its clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the database's"
    return [
        *([clock] if abs(off) > LEASE_SECONDS else []),
        *(["its REGISTRAR_SECRET_KEY is not that of the other parts"] if process in odd[KEYS] else []),
        *(["its registrar.yml is not that of the other parts"] if process in odd[CONFIG] else []),
    ]


def _missing(part: str) -> dict[str, Any]:
    detail = f"none is running: registrar up, or {_START[part]}"
    return {"name": part, "status": "missing", "detail": detail, "instance": None, "seen": None}
