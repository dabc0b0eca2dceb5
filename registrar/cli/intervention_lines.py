"""What was done later about an event, in lines: tasks tried again or dropped, itself replayed; by whom and why."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from registrar.cli import formatting

_DONE = {"task.retry": "tried again", "task.drop": "dropped"}


def settled(tasks: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for task in tasks:
        for deed in task["settled"]:
            was = deed["was"]
            before = f"{task['name']} had ended as {was['state']}, attempt {was['attempts']}: {was['error']}"
            yield f"{_DONE[deed['type']]:<12} {_who(deed)}; {before}"


def replays(event: Mapping[str, Any]) -> Iterator[str]:
    if event["replay_of"]:
        yield f"{'replay of':<12} {event['replay_of']}"
    for deed in event["replays"]:
        yield f"{'replayed as':<12} {deed['became']}, {_who(deed)}"


def _who(deed: Mapping[str, Any]) -> str:
    because = f": {deed['reason']}" if deed["reason"] else ""
    return f"{formatting.text(deed['at'])} by {deed['actor_name']} ({deed['event_id']}){because}"
