"""Waits for the end of events, at most --timeout seconds for all events of a command, and shows progress on stderr."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import click

from registrar.cli import formatting
from registrar.errors import UserError
from registrar.http.event_client import Receipt, follow

Then = Callable[[dict[str, Any]], str]
# Seconds, where stderr is no terminal: before the first line of progress, and between two lines.
_QUICK, _BETWEEN = 2.0, 10.0


class StillRunning(UserError):
    """Waiting was ended by Ctrl-C. The event stays accepted."""


class Waiting:
    """seconds: the limit for all events together. token: for the receiver. say: shows progress."""

    def __init__(self, seconds: float, token: str | None, say: Callable[[str], None]) -> None:
        self._seconds, self._token, self._say = seconds, token, say
        self._until = time.monotonic() + seconds

    def followed(self, receipt: Receipt, then: Then | None) -> list[dict[str, Any]]:
        """Return the event at its end, or when the time is over, and the event that continues it, if there is one.

        then: returns the id of the next event, given one that succeeded. Raises Unreachable.
        """
        event = self._follow(receipt.status_url)
        if then is None or event["state"] != "succeeded":
            return [event]
        return [event, self._follow(urljoin(receipt.status_url, then(event)))]

    def _follow(self, url: str) -> dict[str, Any]:
        left = max(0.0, self._until - time.monotonic())
        try:
            event = follow(url, seconds=left, token=self._token, seen=lambda event: self._say(waited_for(event)))
        except KeyboardInterrupt:  # click says "Aborted!", as if nothing had been sent
            id_ = url.rpartition("/")[2]
            raise StillRunning(
                f"no longer waiting; {id_} was accepted and goes on: registrar events show {id_}"
            ) from None
        if event["state"] == "unfinished":
            click.echo(f"not done after {self._seconds:g} s: {waited_for(event)}", err=True)
        return event


@contextmanager
def waiting(seconds: float, token: str | None) -> Iterator[Waiting]:
    """Yield a Waiting that shows its progress in a status line on a terminal, and elsewhere in occasional lines."""
    limit = f"at most {seconds:g} s"
    with formatting.show_progress(f"waiting {limit}", otherwise=_echo_occasionally()) as say:
        yield Waiting(seconds, token, lambda progress: say(f"waiting, {limit}: {progress}"))


def waited_for(event: Mapping[str, Any]) -> str:
    """Describe the unfinished tasks of an event, and why each waits, as far as the caller may know."""
    tasks = [_open(task) for task in event["tasks"] if task["state"] in ("queued", "running")]
    return f"{event['type']} {event['id']}: {'; '.join(tasks) or 'nothing of it has begun'}"


def _open(task: Mapping[str, Any]) -> str:
    """Describe a queued or running task. A caller who is no viewer gets its name and state alone."""
    due = _time(task.get("not_before"))
    again = f" again at {due:%H:%M:%S} UTC" if due and due > datetime.now(UTC) else ""
    before = f", after attempt {task['attempts']}: {task['error']}" if task.get("error") else ""
    return f"{task['name']} is {task['state']}{again}{before}"


def _time(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _echo_occasionally() -> Callable[[str], None]:
    """Return a function that prints a line on stderr if it differs from the last one, and not too often."""
    next_, last = time.monotonic() + _QUICK, ""

    def say(line: str) -> None:
        nonlocal next_, last
        if line != last and time.monotonic() >= next_:
            click.echo(line, err=True)
            next_, last = time.monotonic() + _BETWEEN, line

    return say
