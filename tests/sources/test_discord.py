"""What is special about Discord: Ed25519, options instead of text, and buttons with room for 100 characters."""

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from registrar.config.encryption import Encryptor
from registrar.events.approval_buttons import Audience
from registrar.events.left_out import LEFT_OUT, STEP_BACK
from registrar.events.outcome import Fact
from tests.sources.captured import FIXTURES, read
from webhooks.ingress.errors import BadSignature, InvalidEvent
from webhooks.ingress.source_types import Parsed
from webhooks.signatures import schemes, verifier
from webhooks.signatures.verifier import WeakSecret
from worker.notifications.notifiers import Notification
from worker.notifications.notifiers import discord as notifier

PRESS = read(FIXTURES / "discord" / "press__approve.http")
COMMAND = read(FIXTURES / "discord" / "command__approve.http")
CONTEXT = PRESS.sender.context
# RFC 8032 section 7.1, key 1; the signature was made by another library.
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
MADE = (
    "1695961a47c91a1ec033b819b7e87e3dbc583dd0cee6d1fd0216f58ac87b6228"
    "ae531ddbf91fb7bc28d7edf7f08604da16f54624f38a6bc0614e4dc13cd47f0f"
)


def verify(body: bytes, made: str, timestamp: str = "1700000000", key: str = PUBLIC) -> None:
    headers = {"x-signature-ed25519": made, "x-signature-timestamp": timestamp}
    at = PRESS.request.received_at.fromtimestamp(1700000000, PRESS.request.received_at.tzinfo)
    verifier.verify(schemes.DISCORD, headers=headers, body=body, secrets=(key,), now=at, tolerance=300)


def normalise(captured: Any = PRESS, **changes: object) -> Parsed:
    """The captured interaction with some of its fields changed."""
    body = json.dumps({**json.loads(captured.request.body), **changes}).encode()
    return captured.sender.normalise(replace(captured.request, body=body))


def said_with(*options: dict[str, object]) -> Parsed:
    data = {"id": "1", "name": "registry", "type": 1, "options": list(options)}
    return normalise(COMMAND, data=data)


def option(name: str, value: object, type: int = 3) -> dict[str, object]:
    return {"name": name, "type": type, "value": value}


def test_the_vector_made_by_another_library_verifies():
    verify(b'{"type":1}', MADE)


@given(st.binary(max_size=2000))
def test_an_independent_signer_agrees_on_any_body(body: bytes):
    private = Ed25519PrivateKey.generate()
    verify(body, private.sign(b"1700000000" + body).hex(), key=private.public_key().public_bytes_raw().hex())


@pytest.mark.parametrize(
    "made", ["", MADE[:-2], MADE + "00", MADE.upper(), f"0x{MADE}", f"{MADE},{MADE}", MADE[:-1], "é" * 128, "0" * 128]
)
def test_any_other_signature_is_bad(made: str):
    with pytest.raises(BadSignature):
        verify(b'{"type":1}', made)


def test_a_moved_boundary_between_timestamp_and_body_is_refused_as_stale_or_bad():
    """{timestamp}{body} has no separator; but no JSON that is taken begins with a digit."""
    private = Ed25519PrivateKey.generate()
    made = private.sign(b'17000000001{"type":1}').hex()
    key = private.public_key().public_bytes_raw().hex()
    with pytest.raises(Exception, match="seconds in the future"):
        verify(b'{"type":1}', made, timestamp="17000000001", key=key)


@pytest.mark.parametrize(
    "key", ["", "aa", PUBLIC[:-2], PUBLIC + "00", "g" * 64, f"{PUBLIC[:32]} {PUBLIC[32:]}", "é" * 64]
)
def test_a_malformed_public_key_is_refused_at_start(key: str):
    with pytest.raises(WeakSecret):
        verifier.check_secret(schemes.DISCORD, key)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (1, "r"),
        (2, "1" * 32),
        (3, "4"),
        (4, "S"),
        (5, "0" * 10),
        (6, "ffffffff"),
        (7, "A" * 22),
    ],
)
def test_no_part_of_a_button_can_be_changed(field: int, value: str):
    parts = json.loads(PRESS.request.body)["data"]["custom_id"].split(":")
    parts[field] = value
    with pytest.raises(InvalidEvent, match="not one of this installation's"):
        normalise(data={"component_type": 2, "custom_id": ":".join(parts)})


@pytest.mark.parametrize(
    "message", [None, {}, {"embeds": []}, {"embeds": [5]}, {"embeds": [{"footer": {"text": "churn"}}]}]
)
def test_the_model_in_the_message_can_not_be_changed(message: object):
    with pytest.raises(InvalidEvent, match="not one of this installation's"):
        normalise(message=message)


def test_a_button_of_another_installation_is_refused():
    context = replace(CONTEXT, encryptor=Encryptor(Fernet.generate_key().decode()))
    with pytest.raises(InvalidEvent, match="not one of this installation's"):
        PRESS.sender.kind.normalise(PRESS.request, context)


@pytest.mark.parametrize("custom_id", [None, 5, "", "other:x", "registrar:a", "registrar:x:" + "0" * 60])
def test_a_foreign_button_is_refused(custom_id: object):
    with pytest.raises(InvalidEvent, match="not a button of ours"):
        normalise(data={"component_type": 2, "custom_id": custom_id})


@given(
    model=st.text(
        st.characters(codec="utf-8", exclude_characters="/:\\.\ufffd", exclude_categories=["C"]),
        min_size=1,
        max_size=250,
    ).filter(str.strip),
    version=st.integers(1, 2**31 - 1),
    target=st.sampled_from(["Staging", "Production", "Archived"]),
)
def test_what_the_notifier_posts_fits_and_is_understood(model: str, version: int, target: str):
    if model in (".", ".."):
        return
    details = {"promotion": "prm_" + "ab" * 16, "target": target, "requested_by": "ci", "commit": None}
    fact = Fact(
        "promotion.awaiting_approval", "?", model, version, {**details, "replaces": [], "metrics": {}, "gates": []}
    )
    at = PRESS.request.received_at
    presses = Audience("discord", "discord", "team")
    notice = Notification("tsk_1", fact, "evt_1", at, None, "bot", button_audience=presses, until=at)
    message = notifier.message(notice, CONTEXT.encryptor)
    for button in message["components"][0]["components"]:
        assert len(button["custom_id"]) <= 100
        [event] = normalise(message=message, data={"custom_id": button["custom_id"]}).events
        assert event.type == f"promotion.{button['label'].lower()}"
        said = event.data.model_dump()
        assert (said["model"], said["version"], said["target"]) == (model, version, target)
        assert said["promotion"] == details["promotion"]


def test_a_second_press_of_the_same_person_is_the_same_delivery_whatever_discord_adds():
    first, second = normalise(), normalise(id="846462639134605399", token="b3RoZXI")
    assert (first.delivery_id, first.digest) == (second.delivery_id, second.digest)
    other = normalise(member={"user": {"id": "1", "username": "x"}})
    assert other.delivery_id != first.delivery_id


def test_the_other_model_in_a_reason_is_no_stage():
    [event] = said_with(
        {"name": "reject", "type": 1, "options": [option("reason", "archived is better"), option("model", "nyc taxi"),
                                                  option("version", 3, 4)]}
    ).events  # fmt: skip
    said = event.data.model_dump()
    assert (said["model"], said["target"], said["reason"]) == ("nyc taxi", "Production", "archived is better")


def test_a_reason_to_prune_needs_no_stage_before_it():
    filled = [option("reason", "the disk is full"), option("model", "nyc taxi")]
    [event] = said_with({"name": "prune", "type": 1, "options": filled}).events
    said = event.data.model_dump()
    assert (event.type, said["model"], said["reason"]) == ("model.prune", "nyc taxi", "the disk is full")


def test_a_task_is_tried_again_in_the_grammars_order():
    task = f"tsk_{'0' * 32}"
    filled = [option("reason", "MLflow is back"), option("task", task), option("model", "nyc taxi")]
    [event] = said_with({"name": "retry", "type": 1, "options": filled}).events
    said = event.data.model_dump()
    assert (event.type, said["model"], said["task_id"], said["reason"]) == (
        "task.retry",
        "nyc taxi",
        task,
        "MLflow is back",
    )


@pytest.mark.parametrize(
    ("name", "options", "type_", "expected"),
    [
        ("register", {"run": "r1"}, "model_version.register", {"run_id": "r1"}),
        (
            "demote",
            {"reason": "staging was better", "version": 3},
            "model_version.transition",
            {"version": 3, "stage": STEP_BACK},
        ),
        ("archive", {"version": 3, "reason": "old"}, "model_version.archive", {"version": 3, "reason": "old"}),
        (
            "archive-old",
            {"reason": "space", "keep": 5, "age": "90d"},
            "model.archive",
            {"older_than": "90d", "keep": 5, "reason": "space"},
        ),
        ("transition", {"version": 3, "stage": "staging"}, "model_version.transition", {"stage": "Staging"}),
        ("describe", {"version": 3, "description": "fares 5"}, "model_version.describe", {"description": "fares 5"}),
        ("tag", {"version": 3, "tags": "a=b c=d"}, "model_version.describe", {"tags": {"a": "b", "c": "d"}}),
        ("promote", {"version": 3, "reason": "good"}, "promotion.request", {"target": "Production", "reason": "good"}),
        ("fetch", {"version": 3}, "registry.query", {"question": "fetch", "version": 3}),
    ],
)
def test_every_verb_has_options(name: str, options: dict[str, object], type_: str, expected: dict[str, object]):
    given_options = [option("model", "nyc taxi"), *(option(key, value) for key, value in options.items())]
    [event] = said_with({"name": name, "type": 1, "options": given_options}).events
    assert (event.type, event.data.registered_model) == (type_, "nyc taxi")
    assert {key: getattr(event.data, key) for key in expected} == expected


def test_a_vote_with_a_reason_and_no_version_is_about_the_open_promotion_to_whatever_stage():
    options = [option("model", "nyc taxi"), option("reason", "looks good")]
    [event] = said_with({"name": "approve", "type": 1, "options": options}).events
    assert (event.data.version, event.data.reason) == (LEFT_OUT, "looks good")
    assert "target" not in event.data.model_fields_set


@pytest.mark.parametrize("reason", ["staging was worse", "3 is fine", "latest is best"])
def test_the_reason_of_a_vote_without_a_version_is_never_taken_for_one_or_for_a_stage(reason: str):
    options = [option("model", "nyc taxi"), option("reason", reason)]
    with pytest.raises(InvalidEvent, match="the reason begins with"):
        said_with({"name": "approve", "type": 1, "options": options})


def test_the_best_run_is_registered_by_options():
    options = [
        option("model", "taxi"),
        option("order", "metrics.rmse ASC"),
        option("filter", "metrics.rmse < 7"),
        option("experiment", "nyc taxi"),
    ]
    [event] = said_with({"name": "register", "type": 1, "options": options}).events
    search = event.data.search
    assert (search.experiment, search.filter_string, search.order_by) == (
        "nyc taxi",
        "metrics.rmse < 7",
        ["metrics.rmse ASC"],
    )


def test_a_description_that_begins_with_a_number_is_not_taken_for_a_version():
    with pytest.raises(InvalidEvent, match="is no version"):
        said_with(
            {"name": "describe", "type": 1, "options": [option("model", "taxi"), option("description", "3 fares")]}
        )


def test_runs_take_a_filter():
    filled = [option("filter", "metrics.rmse < 7"), option("experiment", "nyc taxi")]
    [event] = said_with({"name": "runs", "type": 1, "options": filled}).events
    said = event.data.model_dump()
    assert (said["experiment"], said["filter_string"]) == ("nyc taxi", "metrics.rmse < 7")


@pytest.mark.parametrize(
    "options",
    [
        [5],
        "approve",
        [option("colour", "red")],
        [{"name": "models", "type": 1, "options": 5}],
        [{"name": "approve", "type": 2, "options": []}],
        [{"name": "launch", "type": 1}],
    ],
)
def test_options_that_make_no_sense_are_refused(options: object):
    with pytest.raises(InvalidEvent):
        normalise(COMMAND, data={"id": "1", "name": "registry", "type": 1, "options": options})


def test_discords_webhook_events_are_ignored_by_name():
    parsed = normalise(COMMAND, type=0)
    assert parsed.events == ()
    assert parsed.answer
    assert parsed.answer.body["ignored"] == "Discord's webhook events"


@pytest.mark.parametrize("type_", [True, False, 5, 6, "1", None, [2], 2.5])
def test_other_interactions_are_refused(type_: object):
    with pytest.raises(InvalidEvent, match="not a known interaction"):
        normalise(COMMAND, type=type_)


@pytest.mark.parametrize("type_", [2, 3, None])
def test_commands_of_menus_are_refused(type_: object):
    with pytest.raises(InvalidEvent, match="not a slash command"):
        normalise(COMMAND, data={"id": "1", "name": "Approve", "type": type_, "target_id": "2"})


@pytest.mark.parametrize("field", ["id", "application_id", "token", "member"])
@pytest.mark.parametrize("value", [None, "", "../x", 5.5, ["1"], {"user": {"id": "x"}}])
def test_what_it_can_not_be_sure_of_is_refused(field: str, value: object):
    with pytest.raises(InvalidEvent):
        normalise(**{field: value})


def test_a_press_is_told_as_a_refusal_that_discord_shows_and_a_ping_is_not():
    said = PRESS.sender.refusal_body(PRESS.request, InvalidEvent("no <@1> & *x*"))
    assert said is not None
    assert said["data"]["content"] == "Not done: no <\u200b@\u200b1\\> & \\*x\\*"
    assert said["data"]["flags"] == 64
    ping = read(FIXTURES / "discord" / "ping__endpoint_is_saved.http")
    assert ping.sender.refusal_body(ping.request, InvalidEvent("x")) is None
    assert PRESS.sender.refusal_body(replace(PRESS.request, body=b"{"), InvalidEvent("x")) is None


@pytest.mark.parametrize("name", ["nyc taxi", "nyc \u201ctaxi\u201d", 'nyc "taxi"', "nyc\u200b taxi", "\u00abnyc taxi"])
def test_quotes_in_a_models_option_leave_the_other_options_alone(name: str):
    approve = {"name": "approve", "type": 1, "options": [option("model", name), option("version", 3, 4)]}
    [event] = said_with(approve).events
    data = event.data.model_dump()
    assert (data["model"], data["version"], data["reason"]) == ("nyc taxi", 3, None)
