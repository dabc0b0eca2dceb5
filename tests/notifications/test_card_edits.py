"""No card keeps what is no longer so: whatever became of the routes, the chat and the order of the edits."""

from dataclasses import replace

import pytest
from sqlalchemy import delete, select

from registrar.ledger.tables import tasks
from tests.notifications.chatroom import ChatRoom
from tests.notifications.test_flows import (  # noqa: F401 (fixtures)
    ADA,
    again,
    ask,
    card_in,
    decide,
    failed,
    harness,
    has_buttons,
    office_of,
    room,
    text_of,
)
from tests.worker.harness import WorkerHarness

# The tests' parameters have the names of the fixtures from test_flows.
# ruff: noqa: F811

pytestmark = pytest.mark.both_ledgers


def route_to(harness: WorkerHarness, *to: str) -> None:
    """registrar.yml sends everything to these channels from now on; it keeps the others."""
    policy = harness.context.policy
    route = policy.notify[0].model_copy(update={"to": list(to)})
    harness.context = replace(harness.context, policy=policy.model_copy(update={"notify": [route]}))


def dead_letters(harness: WorkerHarness) -> list[str]:
    with harness.ledger.read() as connection:
        dead = select(tasks.c.id).where(tasks.c.state.in_(("failed", "dead")))
        return list(connection.scalars(dead.order_by(tasks.c.seq)))


def retry(harness: WorkerHarness, task_id: str) -> None:
    harness.post("task.retry", by=ADA, task_id=task_id, model="taxi")
    again(harness)


def refuse(room: ChatRoom, method: str, text: str) -> None:
    """The chat knows no such message when one with this text comes by this method."""
    room.answer = lambda call: (404, b"") if call.path.endswith(method) and text in text_of(call.said) else None


def edits(harness: WorkerHarness) -> list[tuple[str, str]]:
    """The channel and state of each edit."""
    query = select(tasks.c.args, tasks.c.state).where(tasks.c.name == "worker.edit_card").order_by(tasks.c.seq)
    with harness.ledger.read() as connection:
        return [(row.args["channel"], row.state) for row in connection.execute(query)]


def test_a_card_is_edited_though_no_route_leads_to_its_channel_any_more(harness, room):
    ask(office_of(harness, room, "slack"))
    route_to(harness, "mattermost")
    decide(harness)
    assert "is in Production" in card_in(room)[1]["text"]
    assert not has_buttons(card_in(room)[1])
    assert set(edits(harness)) == {("slack", "succeeded")}


def test_a_card_of_a_channel_that_is_gone_is_left_and_fails_nothing(harness, room):
    ask(office_of(harness, room, "slack"))
    route_to(harness, "mattermost")
    policy = harness.context.policy
    channels = {name: channel for name, channel in policy.channels.items() if name != "slack"}
    harness.context = replace(harness.context, policy=policy.model_copy(update={"channels": channels}))
    decide(harness)
    assert harness.promotions()[-1] == (1, "Production", "promoted")
    assert edits(harness) == []
    assert failed(harness) == []


def test_a_card_that_waits_to_be_posted_while_the_routes_change_and_the_promotion_ends_has_no_buttons(harness, room):
    room.answer = lambda call: (503, b"")
    ask(office_of(harness, room, "slack"))
    route_to(harness, "mattermost")
    decide(harness)
    room.answer = lambda call: None
    for _ in range(6):
        again(harness)
    posted = [call for call in room.calls if "replaces" in text_of(call.said) and call.path.endswith("postMessage")]
    assert not has_buttons(posted[-1].said)
    assert "is in Production" in card_in(room)[1]["text"]
    assert failed(harness) == []


def test_a_card_that_is_posted_by_a_retry_after_the_end_says_so_and_has_no_buttons(harness, room):
    refuse(room, "postMessage", "replaces")
    ask(office_of(harness, room, "slack"))
    [dead] = dead_letters(harness)
    decide(harness)
    room.answer = lambda call: None
    retry(harness, dead)
    late = card_in(room)[1]
    assert "taxi version 1 to Production no longer waits for approval: promoted" in late["text"]
    assert not has_buttons(late)
    assert failed(harness) == []


def test_a_card_that_is_posted_by_a_retry_before_the_end_has_buttons_and_is_edited(harness, room):
    refuse(room, "postMessage", "replaces")
    ask(office_of(harness, room, "slack"))
    room.answer = lambda call: None
    retry(harness, *dead_letters(harness))
    assert has_buttons(card_in(room)[1])
    decide(harness)
    assert "is in Production" in card_in(room)[1]["text"]
    assert not has_buttons(card_in(room)[1])


def test_an_edit_that_is_done_late_says_nothing_older_than_the_card(harness, room):
    ask(office_of(harness, room, "slack"))
    refuse(room, "chat.update", "was approved")
    # The move is tried again, so that the approval's edit is done while its own fact is the newest.
    harness.registry.fail["set_stage"] = RuntimeError("once")
    decide(harness)
    [dead] = dead_letters(harness)
    again(harness)
    assert "is in Production" in card_in(room)[1]["text"]
    room.answer = lambda call: None
    retry(harness, dead)
    assert failed(harness) == []
    assert "is in Production" in card_in(room)[1]["text"]


def test_an_edit_that_is_done_late_brings_a_card_up_to_date_where_the_later_edit_failed_too(harness, room):
    ask(office_of(harness, room, "slack"))
    refuse(room, "chat.update", "taxi")
    decide(harness)
    first, _ = dead_letters(harness)
    assert has_buttons(card_in(room)[1])
    room.answer = lambda call: None
    retry(harness, first)
    assert "is in Production" in card_in(room)[1]["text"]
    assert not has_buttons(card_in(room)[1])


def test_an_edit_that_is_done_late_leaves_a_card_as_new_as_it_is_where_another_card_was_deleted(harness, room):
    """Both edits fail by the deleted card; the later one was written to the other card nevertheless."""
    ask(office_of(harness, room, "slack"))
    harness.later(hours=3)
    first, second = [ts for ts, each in room.messages.items() if "replaces" in text_of(each)]
    room.answer = lambda call: (404, b"") if call.said.get("ts") == first else None
    decide(harness)
    approved, _ = dead_letters(harness)
    retry(harness, approved)
    assert "is in Production" in room.messages[second]["text"]


def test_an_edit_that_is_done_when_the_later_one_is_archived_does_not_say_that_the_version_is_still_to_move(
    harness, room
):
    ask(office_of(harness, room, "slack"))
    refuse(room, "chat.update", "taxi")
    decide(harness)
    approved, moved = dead_letters(harness)
    with harness.ledger.write() as connection:  # as `registrar compact` does, once it succeeded
        connection.execute(delete(tasks).where(tasks.c.id == moved))
    room.answer = lambda call: None
    retry(harness, approved)
    assert "taxi version 1 to Production no longer waits for approval: promoted" in card_in(room)[1]["text"]
    assert not has_buttons(card_in(room)[1])
