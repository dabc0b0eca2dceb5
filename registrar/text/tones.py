"""The tone of a state on pages and in the terminal: ok, waiting, trouble, or off.

Pages and the command line have a colour for each, beside the state's name. Refused and dropped tasks are off: nothing
is left to do.
"""

from typing import Literal

Tone = Literal["ok", "wait", "bad", "off"]
_STATES: dict[Tone, tuple[str, ...]] = {
    "ok": ("succeeded", "promoted", "live", "pass", "passed", "approve", "alive", "counted", "ok"),
    "wait": (
        *("unfinished", "queued", "running", "waiting", "awaiting_approval", "approved", "requested"),
        *("warn", "idle"),
    ),
    "bad": (
        *("failed", "dead", "rejected", "fail", "timed_out", "reject", "silent", "missing"),
        *("rolled_back", "quarantined", "deployment_failed", "deployment_timed_out"),
        *("expired", "in_dispute", "not_live", "stuck", "mismatched", "cut_off"),
    ),
}
_TONE: dict[str, Tone] = {state: tone for tone, states in _STATES.items() for state in states}


def tone(state: str) -> Tone:
    """Return the tone of a state. state: as in the ledger, or as shown to people."""
    return _TONE.get(state.lower().replace(" ", "_"), "off")
