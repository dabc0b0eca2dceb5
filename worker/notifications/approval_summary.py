"""Summarize a candidate for approvers in plain lines: gates, metrics compared with the holder's, and the version.

The number and length of lines are bounded, as every channel has a limit.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from registrar.text.wording import cut

MAX_LINES, MAX_CHARACTERS = 12, 250


def parts(details: Mapping[str, Any]) -> list[list[str]]:
    """Return the summary's parts, each a list of lines. details: of a fact that asks for approval
    (worker/promotions/approval_request.py); parts without details are left out.
    """
    gates = [f"{'✓' if gate['passed'] else '✗'} {gate['reason']}" for gate in details.get("gates", [])]
    return [bounded(part) for part in (gates, _metrics(details), _about(details)) if part]


def bounded(lines: list[str]) -> list[str]:
    """Return at most MAX_LINES lines of at most MAX_CHARACTERS each."""
    short = [cut(line, MAX_CHARACTERS) for line in lines]
    more = len(short) - MAX_LINES
    return short if more <= 0 else [*short[: MAX_LINES - 1], f"… and {more + 1} more"]


def _metrics(details: Mapping[str, Any]) -> list[str]:
    """Compare the candidate with the holder of the target: both values and the difference."""
    metrics, champion = details.get("metrics") or {}, details.get("champion") or {}
    if not champion or not metrics:
        return [f"{name} {_short(value)}" for name, value in metrics.items()]
    held = champion.get("metrics") or {}
    lines = [f"{name} {_short(value)} against {_against(value, held.get(name))}" for name, value in metrics.items()]
    return [f"compared with version {champion['version']}, which holds {champion.get('of', 'it')} now:", *lines]


def _against(value: object, other: object) -> str:
    if other is None:
        return "none"
    new, old = _number(value), _number(other)
    if new is None or old is None:
        return _short(other)
    share = f", {(new - old) / abs(old) * 100:+.3g} %" if old else ""
    return f"{_short(other)} ({new - old:+.4g}{share})"


def _about(details: Mapping[str, Any]) -> list[str]:
    trained, registered = _day(details.get("trained_at")), _day(details.get("registered_at"))
    age = [f"trained {trained}"] * bool(trained) + [f"registered {registered}"] * bool(registered)
    return [
        _replaced(details),
        *([", ".join(age)] if age else []),
        f"requested by {details.get('requested_by', 'nobody known')}",
        *([f"files compared: {details['compared']}"] if details.get("compared") else []),
        f"commit {details['commit']}" if details.get("commit") else "no commit given",
    ]


def _replaced(details: Mapping[str, Any]) -> str:
    """Return the line about the versions that leave the stage, and what happens to them."""
    if replaced := ", ".join(f"version {version}" for version in details.get("replaces", [])):
        return f"replaces {replaced}, which {details.get('becomes', 'is archived')}"
    champion, alias = details.get("champion") or {}, details.get("alias")
    if champion and alias:
        return f"takes @{alias} from version {champion['version']}, which stays where it is"
    return "replaces nothing"


def _day(value: object) -> str | None:
    return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M} UTC" if isinstance(value, str) else None


def _number(value: object) -> float | None:
    """Return a finite number, or None; facts of earlier releases have texts."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _short(value: object) -> str:
    number = _number(value)
    return str(value) if number is None else f"{number:.6g}"
