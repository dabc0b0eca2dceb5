"""Waiting for the end of events: says on stderr what is waited for, and is over when --timeout is.

The time is for all that one command waits for, however many events that are.
"""

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
# Seconds: where no terminal is, what takes less is not told of, and between two lines passes so much at least.
_QUICK, _BETWEEN = 2.0, 10.0


class StillRunning(UserError):
    """Ctrl-C while an event was waited for: the event is accepted all the same."""


class Waiting:
    """seconds: for all of it. token: of the receiver that is asked. say: shows what is waited for now."""

    def __init__(self, seconds: float, token: str | None, say: Callable[[str], None]) -> None:
        self._seconds, self._token, self._say = seconds, token, say
        self._until = time.monotonic() + seconds

    def followed(self, receipt: Receipt, then: Then | None) -> list[dict[str, Any]]:
        """The event as it is at its end, or when the time is over; with the one that goes on with it, if any does.

        then: of an event that succeeded, the id of that one. Raises Unreachable.
        """
        event = self._follow(receipt.status_url)
        if then is None or event["state"] != "succeeded":
            return [event]
        return [event, self._follow(urljoin(receipt.status_url, then(event)))]

    def _follow(self, url: str) -> dict[str, Any]:
        left = max(0.0, self._until - time.monotonic())
        try:
            event = follow(url, seconds=left, token=self._token, seen=lambda found: self._say(waited_for(found)))
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
    """On a terminal, what is waited for stands under what is printed; else it is a line now and then."""
    limit = f"at most {seconds:g} s"
    with formatting.show_progress(f"waiting {limit}", otherwise=_now_and_then()) as say:
        yield Waiting(seconds, token, lambda said: say(f"waiting, {limit}: {said}"))


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


def _time(given: object) -> datetime | None:
    return datetime.fromisoformat(given) if isinstance(given, str) else None


def _now_and_then() -> Callable[[str], None]:
    """Where no terminal is: a line on stderr when there is something else to tell, not too often."""
    next_, last = time.monotonic() + _QUICK, ""

    def say(said: str) -> None:
        nonlocal next_, last
        if said != last and time.monotonic() >= next_:
            click.echo(said, err=True)
            next_, last = time.monotonic() + _BETWEEN, said

    return say
