"""What leaves the house: the exact body of each kind of channel, and the two fates of what the other side says."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook

from registrar.config.encryption import Encryptor
from registrar.events.approval_buttons import Audience
from registrar.events.outcome import Fact
from registrar.plugins import kinds
from tests.worker.harness import KEY
from worker.notifications import fact_card
from worker.notifications.notifiers import Notification, apprise, discord, log, mattermost, slack, teams, webhook
from worker.registry.protocol import PermanentError, RetryableError

FIXTURES = Path(__file__).parent.parent / "fixtures" / "notifiers"
ENCRYPTOR = Encryptor(KEY)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MOVED = Fact(
    "model_version.transitioned",
    "taxi version 2 is in Production (@champion), by Ada",
    "taxi",
    2,
    {"stage": "Production"},
)
ASKED = Fact(
    "promotion.awaiting_approval",
    "taxi version 2 waits for approval to go to Production: 1 of Ada (leads)",
    "taxi",
    2,
    {
        "promotion": "prm_" + "0" * 32,
        "target": "Production",
        "alias": "champion",
        "requested_by": "ci",
        "commit": "c0ffee",
        "registered_at": "2026-11-22T11:55:00+00:00",
        "trained_at": "2026-11-20T09:00:00+00:00",
        "replaces": [1],
        "metrics": {"rmse": 5.0, "mae": 3.5},
        "champion": {"version": 1, "of": "@champion", "metrics": {"rmse": 6.0}},
        "gates": [{"gate": "rmse < 7", "passed": True, "reason": "rmse 5 is < 7", "value": 5.0}],
    },
)

HELD = Fact("model_version.held_back", "taxi version 3 was held back from Staging: rmse 9 is not < 7", "taxi", 3)


UNTIL = NOON + timedelta(days=30)
PRESSES = {kind: Audience(kind, "chat", "team") for kind in ("slack", "mattermost", "discord")}
APPROVED = Fact("promotion.approved", "the promotion of taxi version 2 to Production was approved by Ada")


def notice(fact: Fact, url: str | None = None, secret: str | None = SECRET, **more: Any) -> Notification:
    until = UNTIL if fact.type in fact_card.ASKING else None
    return Notification("tsk_1", fact, "evt_1", NOON, url, secret, **{"until": until, **more})


def ended(**more: Any) -> Notification:
    """ASKED's card as it is rewritten."""
    return notice(ASKED, until=None, end=fact_card.closing_line(APPROVED, NOON), **more)


@pytest.fixture
def session() -> requests.Session:
    return requests.Session()


def sealed_buttons(message: dict) -> list[dict]:
    return [b for block in message["blocks"] if block["type"] == "actions" for b in block["elements"]]


def test_every_kind_has_a_fixture_of_what_goes_out():
    without_body = {"log"}
    assert {path.stem.split("__")[0] for path in FIXTURES.glob("*.json")} == set(
        kinds("worker.notifications.notifiers")
    ) - without_body


def expected(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("slack__moved", notice(MOVED)),
        ("slack__asked", notice(ASKED, button_audience=PRESSES["slack"])),
        ("slack__asked_without_buttons", notice(ASKED)),
        ("slack__ended", ended()),
    ],
)
def test_the_exact_message_for_slack(name, told):
    message = slack.message(told, ENCRYPTOR)
    for button in sealed_buttons(message):
        button["value"] = ENCRYPTOR.decrypt(
            button["value"], audience=PRESSES["slack"].at(None)
        )  # a seal differs each time; what it holds does not
    assert message == expected(name)


DOOR = "https://registrar.example.com/webhooks/mattermost"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mattermost__moved", notice(MOVED)),
        ("mattermost__asked", notice(ASKED, buttons_url=DOOR, button_audience=PRESSES["mattermost"])),
        ("mattermost__asked_without_buttons", notice(ASKED)),
        ("mattermost__ended", ended(buttons_url=DOOR)),
    ],
)
def test_the_exact_message_for_mattermost(name, told):
    message = mattermost.message(told, ENCRYPTOR)
    for attachment in message.get("attachments", []):
        for action in attachment.get("actions", []):
            context = action["integration"]["context"]
            context["sealed"] = ENCRYPTOR.decrypt(context["sealed"], audience=PRESSES["mattermost"].at(None))
    assert message == expected(name)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("discord__moved", notice(MOVED)),
        ("discord__asked", notice(ASKED, button_audience=PRESSES["discord"])),
        ("discord__asked_without_buttons", notice(ASKED, secret=None, button_audience=PRESSES["discord"])),
        ("discord__ended", ended()),
    ],
)
def test_the_exact_message_for_discord(name, told):
    assert discord.message(told, ENCRYPTOR) == expected(name)


PAGE = "https://registrar.example.com/models/taxi"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("teams__moved", notice(MOVED, page=PAGE)),
        ("teams__asked", notice(ASKED, page=PAGE)),
        ("teams__asked_without_page", notice(ASKED)),
    ],
)
def test_the_exact_message_for_teams(name, told):
    assert teams.message(told) == expected(name)


def test_teams_takes_the_card_and_gives_nothing_to_edit(listener, session):
    assert teams.post(notice(ASKED, listener.url), session, ENCRYPTOR) is None
    assert json.loads(listener.got[0][1])["attachments"][0]["content"]["type"] == "AdaptiveCard"
    assert not hasattr(teams, "edit")


def test_discord_gets_buttons_from_a_bot_only(listener, session):
    discord.post(notice(ASKED, listener.url, "bot-token", button_audience=PRESSES["discord"]), session, ENCRYPTOR)
    discord.post(notice(ASKED, listener.url, None, button_audience=PRESSES["discord"]), session, ENCRYPTOR)
    [(bots, with_buttons), (webhooks, without)] = listener.got
    assert bots["Authorization"] == "Bot bot-token"
    assert bots["User-Agent"].startswith("DiscordBot (")
    assert "Authorization" not in webhooks
    assert "components" in json.loads(with_buttons)
    assert "components" not in json.loads(without)


@pytest.mark.parametrize("kind", [mattermost, discord])
def test_a_models_name_calls_nobody_in_markdown(listener, session, kind):
    kind.post(notice(Fact("x", "@channel <!here> <@1> *b*", "m"), listener.url), session, ENCRYPTOR)
    said = json.loads(listener.got[0][1])
    assert "@\u200bchannel <\u200b!here\\> <\u200b@\u200b1\\> \\*b\\*" in said.get("text", said.get("content"))


def test_an_answer_in_mattermost_is_seen_only_by_the_one_who_asked(listener, session):
    mattermost.reply(listener.url, "no @all", session)
    assert json.loads(listener.got[0][1]) == {
        "response_type": "ephemeral",
        "text": "no @\u200ball",
        "skip_slack_parsing": True,
    }


def test_an_answer_in_discord_is_seen_only_by_the_one_who_asked_and_mentions_nobody(listener, session):
    discord.reply(listener.url, "no @everyone " + "x" * 5000, session)
    said = json.loads(listener.got[0][1])
    assert (said["flags"], said["allowed_mentions"]) == (64, {"parse": []})
    assert said["content"].startswith("no @\u200beveryone")
    assert len(said["content"]) <= 2000


def test_the_exact_body_for_a_webhook():
    assert json.loads(webhook.body(notice(MOVED))) == json.loads((FIXTURES / "webhook__moved.json").read_text())


def test_the_webhooks_signature_is_what_the_reference_library_accepts(listener, session):
    webhook.post(notice(MOVED, listener.url), session, ENCRYPTOR)
    [(headers, body)] = listener.got
    assert Webhook(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})["type"] == MOVED.type
    assert headers["webhook-id"] == "tsk_1"


def test_a_models_name_calls_nobody_in_slack(listener, session):
    slack.post(notice(Fact("x", "<!channel> & <@U1>", "m"), listener.url), session, ENCRYPTOR)
    assert b"<!" not in listener.got[0][1]
    assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in json.loads(listener.got[0][1])["text"]


def test_an_answer_is_seen_only_by_the_one_who_asked(listener, session):
    slack.reply(listener.url, "no", session)
    assert json.loads(listener.got[0][1]) == {"response_type": "ephemeral", "replace_original": False, "text": "no"}


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_work_later_is_retryable(listener, session, status):
    listener.answer = (status, {"Retry-After": "7"})
    with pytest.raises(RetryableError, match=f"answered {status}") as error:
        slack.post(notice(MOVED, listener.url), session, ENCRYPTOR)
    assert error.value.after == 7


@pytest.mark.parametrize("status", [301, 400, 404, 410])
def test_what_will_never_work_is_final(listener, session, status):
    listener.answer = (status, {"Location": "http://127.0.0.1:9/"})
    with pytest.raises(PermanentError, match=f"refused the message with {status}"):
        slack.post(notice(MOVED, listener.url), session, ENCRYPTOR)
    assert len(listener.got) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/hooks/secret-part", "ftp://host/secret-part", "secret-part"])
def test_no_error_names_the_address(session, url):
    with pytest.raises((RetryableError, PermanentError)) as error:
        slack.post(notice(MOVED, url), session, ENCRYPTOR)
    assert "secret-part" not in str(error.value)


def test_a_channel_without_address_or_secret_says_what_to_add(session):
    with pytest.raises(PermanentError, match="add url: env:NAME"):
        slack.post(notice(MOVED), session, ENCRYPTOR)
    with pytest.raises(PermanentError, match="add secret: env:NAME"):
        webhook.post(notice(MOVED, "http://127.0.0.1:9", None), session, ENCRYPTOR)


def test_the_log_gets_a_line(caplog, session):
    caplog.set_level("INFO")
    log.post(notice(MOVED), session, ENCRYPTOR)
    assert MOVED.text in caplog.text


def apprised(listener) -> str:
    """Apprise's own way of posting JSON; the address holds a password."""
    return listener.url.replace("http://", "json://ada:hunter2hunter2@")


@pytest.mark.parametrize(("name", "fact"), [("apprise__moved", MOVED), ("apprise__held_back", HELD)])
def test_the_exact_message_of_apprise(name, fact, listener, session):
    apprise.post(notice(fact, apprised(listener)), session, ENCRYPTOR)
    [(headers, body)] = listener.got
    assert json.loads(body) == json.loads((FIXTURES / f"{name}.json").read_text())
    assert headers["Authorization"].startswith("Basic ")


def test_nobody_is_called_by_a_name(listener, session):
    apprise.post(notice(replace(MOVED, text="@everyone <!here> moved"), apprised(listener)), session, ENCRYPTOR)
    message = json.loads(listener.got[0][1])["message"]
    assert "@everyone" not in message
    assert "<!here>" not in message


@pytest.mark.parametrize("url", [None, "", "nonsense", "nosuchservice://x", "json://"])
def test_an_address_that_apprise_does_not_know_is_final_and_not_told(url, session, caplog):
    with pytest.raises(PermanentError) as caught:
        apprise.post(notice(MOVED, url), session, ENCRYPTOR)
    assert not url or url not in str(caught.value)


@pytest.mark.parametrize("status", [500, 404])
def test_what_apprise_could_not_deliver_is_tried_again_and_no_password_is_logged(status, listener, session, caplog):
    listener.answer = (status, {})
    with pytest.raises(RetryableError) as caught:
        apprise.post(notice(MOVED, apprised(listener)), session, ENCRYPTOR)
    assert "hunter2" not in str(caught.value) + caplog.text
