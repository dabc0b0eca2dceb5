"""Cards in a real chat server, from the request to the end: posted, told on in their thread, edited at the end."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from registrar.config.encryption import Encryptor
from registrar.events.approval_buttons import Audience
from registrar.events.event import Actor
from registrar.events.facts import FactType
from registrar.ledger.engine import now
from registrar.ledger.notification_cards import posted
from registrar.ledger.tables import cards, tasks
from registrar.policy.load import parse
from tests.notifications.chatroom import Call, ChatRoom
from tests.worker.harness import ADA, KEY, POLICY, WorkerHarness
from worker.context import WorkerContext

CHANNELS = """
  slack: {kind: slack, secret: "env:SLACK", options: {channel: C0123, api: "ROOT/slack"}}
  mattermost: {kind: mattermost, url: "env:MM", secret: "env:BOT", options: {channel_id: ID}, buttons: chat}
  discord: {kind: discord, url: "env:DISCORD", secret: "env:BOT"}
  discord-hook: {kind: discord, url: "env:HOOK"}
  slack-hook: {kind: slack, url: "env:SLACK_HOOK"}
"""
SOURCE = """sources:
  chat: {kind: mattermost, secrets: ["env:TOKEN"]}
  slack: {kind: slack, secrets: ["env:SIGNING"]}
  discord: {kind: discord, secrets: ["env:PUBLIC"]}"""
GATES = 'gates: [{metric: rmse, op: "<", threshold: 7}],'
KINDS = ["slack", "mattermost", "discord", "discord-hook"]
IN_SLACK = Audience("slack", "slack", "slack").at("C0123")
SECRET = "xoxb-very-secret"


def office_of(harness: WorkerHarness, room: ChatRoom, *to: str, escalated_to: str | None = None) -> WorkerHarness:
    """Everything is told to these channels of the room."""
    channels = CHANNELS.replace("ROOT", room.root).replace("ID}", "i" * 26 + "}")
    text = POLICY.replace("sources:", SOURCE).replace("log: {kind: log}", channels.strip())
    text = text.replace("alias: champion,", "alias: champion, " + GATES).replace("to: [log]", f"to: [{', '.join(to)}]")
    patience = "{rules: [{group: leads}], remind_every: 2h, expires_after: 4d"
    patience += f", escalate: {{after: 1d, to: [{escalated_to}]}}}}" if escalated_to else "}"
    text = text.replace("{rules: [{group: leads}]}", patience)
    environ = {
        "SLACK": SECRET,
        "BOT": SECRET,
        "MM": f"{room.root}/mattermost",
        "DISCORD": f"{room.root}/discord/channels/7/messages",
        "HOOK": f"{room.root}/discord/webhooks/8/tok",
        "SLACK_HOOK": f"{room.root}/nowhere",
    }
    settings = replace(harness.context.settings, environ=environ, public_url="https://registrar.example.com")
    harness.context = WorkerContext(**{**harness.context.__dict__, "settings": settings, "policy": parse(text)})
    return harness


@pytest.fixture
def room() -> Iterator[ChatRoom]:
    with ChatRoom() as opened:
        yield opened


@pytest.fixture
def harness(ledger, tmp_path) -> WorkerHarness:
    return WorkerHarness(ledger, tmp_path)


def ask(harness: WorkerHarness, run: str = "r1") -> None:
    """A trained version comes to Staging by itself, and asks for Production."""
    harness.registry.trained(run, rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id=run)


def decide(
    harness: WorkerHarness, what: str = "promotion.approve", by: Actor = ADA, version: int = 1, **more: Any
) -> None:
    harness.post(what, by=by, model="taxi", version=version, **more)


def text_of(message: dict[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False)


def card_in(room: ChatRoom) -> tuple[str, dict[str, Any]]:
    """The only message that shows evidence."""
    [(id, message)] = [(id, each) for id, each in room.messages.items() if "replaces" in text_of(each)]
    return id, message


def has_buttons(message: dict[str, Any]) -> bool:
    return any(mark in text_of(message) for mark in ('"registrar.approve"', '"sealed"', "registrar:a:"))


def failed(harness: WorkerHarness) -> list[tuple[str, str]]:
    with harness.ledger.read() as connection:
        rows = connection.execute(select(tasks.c.name, tasks.c.error).where(tasks.c.state.in_(("failed", "dead"))))
        return [(row.name, row.error) for row in rows]


def again(harness: WorkerHarness) -> None:
    """What waits to be tried again is due now."""
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.state == "queued").values(not_before=now()))
    harness.work()


@pytest.mark.both_ledgers
@pytest.mark.parametrize("kind", KINDS)
def test_a_card_says_how_it_ended_keeps_its_evidence_and_loses_its_buttons(harness, room, kind):
    ask(office_of(harness, room, kind))
    id, asked = card_in(room)
    assert "rmse 5 is" in text_of(asked)
    assert has_buttons(asked) or "/registry approve taxi 1 Production" in text_of(asked)
    decide(harness)
    same, ended = card_in(room)
    assert same == id
    assert not has_buttons(ended)
    assert "/registry approve" not in text_of(ended)
    assert "rmse 5 is" in text_of(ended)
    assert "is in Production" in text_of(ended)
    assert "by Ada (20" in text_of(ended)
    assert failed(harness) == []


@pytest.mark.parametrize(
    ("what", "says"),
    [("promotion.reject", "was rejected by Ada: no"), ("promotion.cancel", "was cancelled by Ada: no")],
)
def test_every_end_is_said(harness, room, what, says):
    ask(office_of(harness, room, "slack"))
    decide(harness, what, reason="no")
    assert says in card_in(room)[1]["text"]
    assert not has_buttons(card_in(room)[1])


def test_an_approval_that_is_void_ends_its_card_and_the_new_request_has_one_of_its_own(harness, room):
    ask(office_of(harness, room, "slack"))
    harness.registry.trained("r1", rmse=4.0)
    decide(harness)
    first, second = [each for each in room.messages.values() if "replaces" in text_of(each)]
    assert "changed since" in first["text"]
    assert (has_buttons(first), has_buttons(second)) == (False, True)


@pytest.mark.parametrize(
    ("kind", "thread"),
    [
        ("slack", lambda message: message.get("thread_ts")),
        ("mattermost", lambda message: message.get("root_id")),
        ("discord", lambda message: message.get("message_reference", {}).get("message_id")),
    ],
)
def test_what_comes_of_a_promotion_is_told_in_its_cards_thread(harness, room, kind, thread):
    ask(office_of(harness, room, kind))
    id, _ = card_in(room)
    before = set(room.messages)
    decide(harness)
    later = {text_of(room.messages[each]): thread(room.messages[each]) for each in set(room.messages) - before}
    assert len(later) == 2
    assert set(later.values()) == {id}
    assert all(thread(room.messages[each]) is None for each in before)


def test_cards_in_two_channels_are_both_edited_and_a_webhook_is_left_alone(harness, room):
    ask(office_of(harness, room, "slack", "mattermost", "discord"))
    asked = [each for each in room.messages.values() if "replaces" in text_of(each)]
    assert len(asked) == 3
    decide(harness)
    assert not any(has_buttons(each) for each in asked)
    assert all("is in Production" in text_of(each) for each in asked)


def test_a_channel_that_was_asked_and_is_not_told_the_end_has_its_card_edited(harness, room):
    office_of(harness, room, "slack")
    policy = harness.context.policy
    route = policy.notify[0].model_copy(update={"outcomes": ["promotion.awaiting_approval"]})
    harness.context = replace(harness.context, policy=policy.model_copy(update={"notify": [route]}))
    ask(harness)
    decide(harness)
    assert [call.path for call in room.calls] == ["/slack/chat.postMessage"] + ["/slack/chat.update"] * 2
    assert "is in Production" in card_in(room)[1]["text"]


def test_a_kind_that_can_not_edit_is_asked_for_no_edit(harness, room):
    harness.post("training_run.failed", model="taxi")
    ask(harness)  # told to the log alone
    decide(harness)
    with harness.ledger.read() as connection:
        assert not connection.execute(select(tasks).where(tasks.c.name == "worker.edit_card")).all()


def test_a_webhook_whose_messages_have_no_name_costs_nothing(harness, room):
    room.answer = lambda call: (200, b"ok")
    ask(office_of(harness, room, "slack-hook"))
    decide(harness)
    assert failed(harness) == []
    assert {call.path for call in room.calls} == {"/nowhere"}
    with harness.ledger.read() as connection:
        assert not connection.execute(select(tasks).where(tasks.c.name == "worker.edit_card")).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_chat_that_is_down_between_post_and_edit_is_waited_for(harness, room, kind):
    ask(office_of(harness, room, kind))
    room.answer = lambda call: (503, b"")
    decide(harness)
    assert harness.stages() == {1: "Production"}
    assert has_buttons(card_in(room)[1]) or kind == "discord-hook"
    room.answer = lambda call: None
    for _ in range(6):
        again(harness)
    assert "is in Production" in text_of(card_in(room)[1])
    assert not has_buttons(card_in(room)[1])
    assert failed(harness) == []


def test_a_chat_that_never_edits_fails_no_promotion_and_bothers_nobody(harness, room):
    ask(office_of(harness, room, "slack"))
    room.messages.clear()  # somebody deleted it
    decide(harness)
    assert harness.promotions()[-1] == (1, "Production", "promoted")
    assert {name for name, _ in failed(harness)} == {"worker.edit_card"}
    assert not [fact for fact, _ in harness.facts() if fact.startswith("task.")]


def test_an_edit_that_is_given_up_while_the_promotion_is_under_way_does_not_fail_it(harness, room):
    ask(office_of(harness, room, "slack"))
    room.messages.clear()
    harness.registry.fail["set_stage"] = RuntimeError("once")
    decide(harness)
    assert harness.promotions()[-1] == (1, "Production", "approved")
    again(harness)
    assert harness.promotions()[-1] == (1, "Production", "promoted")


def test_one_card_that_is_gone_keeps_no_other_from_being_edited(harness, room):
    ask(office_of(harness, room, "slack"))
    harness.later(hours=3)
    first, second = [ts for ts, each in room.messages.items() if "replaces" in text_of(each)]
    del room.messages[first]
    decide(harness)
    assert "is in Production" in room.messages[second]["text"]


def test_a_reminder_is_a_card_with_buttons_of_its_own_in_the_thread_and_in_the_channel(harness, room):
    ask(office_of(harness, room, "slack"))
    id, _ = card_in(room)
    harness.later(hours=3)
    first, second = [each for each in room.messages.values() if "replaces" in text_of(each)]
    assert (second["thread_ts"], second["reply_broadcast"]) == (id, True)
    assert "waits for approval since 3 h" in second["text"]
    assert nonces(first).isdisjoint(nonces(second))
    decide(harness)
    assert not has_buttons(first)
    assert not has_buttons(second)
    assert "is in Production" in first["text"] == second["text"]


def test_a_channel_that_was_asked_only_when_nobody_answered_is_told_the_end_too(harness, room):
    ask(office_of(harness, room, "slack", escalated_to="mattermost"))
    harness.later(days=2)
    asked = [each for each in room.messages.values() if "replaces" in text_of(each)]
    assert len({"channel_id" in each for each in asked}) == 2
    decide(harness)
    assert not any(has_buttons(each) for each in asked)
    assert all("is in Production" in text_of(each) for each in asked)
    assert failed(harness) == []


def test_a_request_that_expired_says_so_on_its_card(harness, room):
    ask(office_of(harness, room, "slack"))
    harness.later(days=5)
    asked = [each for each in room.messages.values() if "replaces" in text_of(each)]
    assert not any(has_buttons(each) for each in asked)
    assert all("has expired" in each["text"] for each in asked)


def test_a_request_that_is_made_anew_before_the_clock_saw_it_expire_ends_the_first_ones_card(harness, room):
    ask(office_of(harness, room, "slack"))
    harness._ahead = timedelta(days=5)
    harness.post("promotion.request", model="taxi", version=1, target="Production")
    first, second = [each for each in room.messages.values() if "replaces" in text_of(each)]
    assert "has expired" in first["text"]
    assert (has_buttons(first), has_buttons(second)) == (False, True)


def test_a_request_that_a_newer_version_superseded_says_so_on_its_card(harness, room):
    ask(office_of(harness, room, "slack"))
    ask(harness, "r2")
    first, second = [each for each in room.messages.values() if "replaces" in text_of(each)]
    assert "superseded: version 2 came after it" in first["text"]
    assert (has_buttons(first), has_buttons(second)) == (False, True)


def nonces(message: dict[str, Any]) -> set[str]:
    elements = next(block["elements"] for block in message["blocks"] if block["type"] == "actions")
    return {Encryptor(KEY).decrypt(element["value"], audience=IN_SLACK)["nonce"] for element in elements}


def dying(harness: WorkerHarness) -> Any:
    """The worker is killed after the chat took the message and before the ledger knows: the sweep rings again."""
    deaths = iter([True])

    def die(call: Call) -> None:
        if "replaces" in text_of(call.said) and next(deaths, False):
            with harness.ledger.write() as connection:
                back = {"state": "queued", "lease": None, "lease_until": None}
                connection.execute(update(tasks).where(tasks.c.state == "running").values(back))

    return die


def test_a_card_that_is_posted_twice_has_the_same_buttons(harness, room):
    """Slack takes no id of ours: there are two messages. A person's presses of both are one."""
    room.after = dying(office_of(harness, room, "slack"))
    ask(harness)
    again(harness)
    first, second = [each for each in room.messages.values() if "replaces" in text_of(each)]
    assert nonces(first) == nonces(second)


@pytest.mark.parametrize("kind", ["mattermost", "discord"])
def test_a_chat_that_takes_an_id_has_one_card_though_the_worker_died(harness, room, kind):
    room.after = dying(office_of(harness, room, kind))
    ask(harness)
    again(harness)
    assert [call.said for call in room.calls if "replaces" in text_of(call.said)][1:]
    decide(harness)
    assert "is in Production" in text_of(card_in(room)[1])


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_that_is_done_twice_changes_nothing_more(harness, room, kind):
    ask(office_of(harness, room, kind))
    decide(harness)
    before = json.loads(text_of(room.messages))
    with harness.ledger.write() as connection:
        edits = update(tasks).where(tasks.c.name == "worker.edit_card")
        connection.execute(edits.values(state="queued", not_before=now(), finished_at=None))
    harness.work()
    assert room.messages == before


def test_the_record_names_the_card_and_holds_no_secret(harness, room):
    ask(office_of(harness, room, *KINDS))
    with harness.ledger.read() as connection:
        rows = connection.execute(select(cards)).all()
        [first] = posted(connection, rows[0].promotion_id, "slack")
    assert [row.channel for row in rows] == KINDS
    assert json.loads(first.ref).keys() == {"channel", "ts"}
    assert json.loads(first.ref)["ts"] in room.messages
    assert all(SECRET not in row.ref and "http" not in row.ref for row in rows)
    assert first.fact["type"] == FactType.PROMOTION_AWAITING_APPROVAL


def test_buttons_count_for_thirty_days_from_the_first_attempt(harness, room):
    room.answer = lambda call: (503, b"")
    ask(office_of(harness, room, "slack"))
    with harness.ledger.write() as connection:
        waiting = update(tasks).where(tasks.c.name == "worker.notify")
        connection.execute(waiting.values(started_at=now() - timedelta(hours=5)))
    room.answer = lambda call: None
    for _ in range(5):
        again(harness)
    actions = card_in(room)[1]["blocks"][-1]["elements"]
    until = Encryptor(KEY).decrypt(actions[0]["value"], audience=IN_SLACK)["until"]
    assert abs(until - (now() + timedelta(days=30, hours=-5)).timestamp()) < 60
