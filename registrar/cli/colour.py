"""Colour where a terminal is: in no pipe, no file and no JSON, and nowhere where NO_COLOR is set (no-color.org)."""

import sys
from typing import Any

import click

from registrar.config.settings import process_environment
from registrar.text.tones import Tone, tone

_STYLES: dict[Tone, dict[str, Any]] = {
    "ok": {"fg": "green"},
    "wait": {"fg": "yellow"},
    "bad": {"fg": "red", "bold": True},
    "off": {"dim": True},
}


def state(name: str, *, padded: int = 0) -> str:
    """A state, in the colour of what it means. padded: to so many characters, uncoloured."""
    return styled(name, tone(name)) + " " * (padded - len(name))


def styled(text: str, of: Tone) -> str:
    """The text as it is where no colour should be."""
    return click.style(text, **_STYLES[of]) if text and _wanted() else text


def _wanted() -> bool:
    environ = process_environment()
    return sys.stdout.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
