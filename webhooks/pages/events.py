"""/events: what came in, searched and a page at a time. /events/ID: one, with all that came of it. Replay."""

import re
from datetime import UTC, datetime
from typing import Any, cast, get_args

from flask import Blueprint, Response, request, url_for

from registrar.ledger import around, search, status
from registrar.ledger.archived import place
from registrar.ledger.engine import now
from registrar.ledger.search import Sought
from registrar.policy.document import OURSELVES, WEB
from registrar.replaying import NoReplay, again
from registrar.vocabulary import VOCABULARY
from webhooks.clean import clean
from webhooks.errors import InvalidEvent, NotFound
from webhooks.pages.house import House, readable

MOST = 50
_FILTERS = ("source", "type", "model", "actor", "state", "since", "until")


def register(pages: Blueprint, house: House) -> None:
    @pages.get("/events")
    def events() -> str:
        guest = house.guest()
        given = {name: clean(request.args.get(name, "").strip()) for name in _FILTERS}
        sought, before = _sought(given), _before()
        with house.ledger.read() as connection:
            found = search.search(connection, sought, before=before, limit=MOST + 1)
        return house.page(
            "events.html",
            guest,
            given=given,
            filtered=any(given.values()),
            first=before is None,
            found=found[:MOST],
            older=_older(given, found),
            types=sorted(VOCABULARY),
            sources=[*house.policy.sources, WEB, OURSELVES],
            states=get_args(search.State),
        )

    @pages.get("/events/<event_id>")
    def event(event_id: str) -> str:
        guest = house.guest()
        with house.ledger.read() as connection:
            found = status.event(connection, event_id) if readable(event_id) else None
            gone = place(connection, event_id) if found is None and readable(event_id) else None
            about = around.event(connection, event_id) if found else None
        if gone:
            raise NotFound(f"{event_id} was archived on {gone.started_at:%Y-%m-%d}: registrar archive show {event_id}")
        if found is None:
            raise NotFound(f"there is no event {clean(event_id)}")
        return house.page("event.html", guest, found=found, about=about, replay=_replay(house, found), now=now())

    @pages.post("/events/<event_id>/replay")
    def replay(event_id: str) -> Response:
        """The command names the model, as what a grant is judged by."""
        house.guest("operator")
        with house.ledger.read() as connection:
            found = status.event(connection, event_id) if readable(event_id) else None
        if found is None:
            raise NotFound(f"there is no event {clean(event_id)}")
        data = {"event_id": event_id, "model": found["model"], "reason": request.form.get("reason", "").strip()}
        return house.do("event.replay", data, then=url_for("pages.event", event_id=event_id))


def _replay(house: House, found: dict[str, Any]) -> dict[str, str]:
    """What sending it again would be, as far as it is known here; or why it can't be."""
    try:
        data = again(house.policy, WEB, found["type"], found["data"])
    except NoReplay as error:
        return {"no": str(error)}
    return {"task": VOCABULARY[found["type"]].task.removeprefix("worker."), "doc": (data.__doc__ or "").split("\n")[0]}


def _sought(given: dict[str, str]) -> Sought:
    """Raises InvalidEvent."""
    state = given["state"] or None
    if state not in (None, *get_args(search.State)):
        raise InvalidEvent(f"state is one of {', '.join(get_args(search.State))}")
    return Sought(
        source=given["source"] or None,
        type=given["type"] or None,
        model=given["model"] or None,
        actor=given["actor"] or None,
        state=cast("search.State | None", state),
        since=_time("since", given["since"]),
        until=_time("until", given["until"]),
    )


def _time(name: str, given: str) -> datetime | None:
    """As a browser's datetime-local field sends it; without a zone it is UTC. Raises InvalidEvent."""
    if not given:
        return None
    try:
        at = datetime.fromisoformat(given)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidEvent(f"{name} is a day or a time in UTC, such as 2026-11-22 or 2026-11-22T12:00") from None


def _before() -> int | None:
    """The number that the page before ended at. Raises InvalidEvent."""
    given = request.args.get("before")
    if given is None:
        return None
    if not re.fullmatch("[0-9]{1,18}", given):
        raise InvalidEvent("before is the number of an event, as the link to older ones has it")
    return int(given)


def _older(given: dict[str, str], found: list[dict[str, Any]]) -> str | None:
    if len(found) <= MOST:
        return None
    kept: dict[str, Any] = {name: value for name, value in given.items() if value}
    return url_for("pages.events", **kept, before=found[MOST - 1]["seq"])
