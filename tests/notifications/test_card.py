"""What a card answers, how long it may get, and that nothing in it calls anybody."""

import json
import math
import re
from dataclasses import replace
from typing import Any

import pytest

from registrar.events.facts import traits
from registrar.events.outcome import Fact
from tests.actions.test_request_details import details_of
from tests.notifications.test_notifiers import ASKED, DOOR, ENCRYPTOR, NOON, PAGE, ended, notice
from worker.notifications import fact_card
from worker.notifications.notifiers import Notification, discord, mattermost, slack, teams

CHATS = ["slack", "mattermost", "discord", "discord-hook", "teams"]
CALLS = ["<!channel>", "<!here|here>", "@everyone", "@here", "@channel", "<at>all</at>", "<@U123>", "<@&1>"]


def message(chat: str, told: Notification) -> dict[str, Any]:
    told = replace(told, buttons_url=DOOR, page=PAGE, secret=None if chat == "discord-hook" else "bot")
    match chat:
        case "slack":
            return slack.message(told, ENCRYPTOR)
        case "mattermost":
            return mattermost.message(told, ENCRYPTOR)
        case "teams":
            return teams.message(told)
    return discord.message(told, ENCRYPTOR)


def named(name: str) -> Fact:
    """ASKED of a model, with a name everywhere that the outside could put it."""
    gates = [{"gate": name, "passed": False, "reason": name, "value": None}]
    held = {"version": 1, "of": f"@{name}", "metrics": {name: 1.0}}
    details = {**ASKED.details, "gates": gates, "metrics": {name: 2.0}, "champion": held}
    return Fact(ASKED.type, f"{name} version 2 waits", name, 2, {**details, "commit": name, "requested_by": name})


def texts(shown: Any) -> list[str]:
    """All that people may see: not what is sealed, not what a press finds the model by, and no addresses."""
    if isinstance(shown, dict):
        hidden = ("value", "context", "footer", "url", "custom_id", "$schema")
        return [text for key, value in shown.items() if key not in hidden for text in texts(value)]
    if isinstance(shown, list):
        return [text for value in shown for text in texts(value)]
    return [shown] if isinstance(shown, str) else []


@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("name", CALLS)
def test_a_models_name_calls_nobody(chat, name):
    for told in (notice(named(name)), notice(named(name), until=None, end=f"{name} was approved by {name}")):
        assert not [text for text in texts(message(chat, told)) if name.lower() in text.lower()]
    plain = message(chat, notice(Fact("task.failed", f"{name} {name.upper()} failed", name)))
    assert not [text for text in texts(plain) if name.lower() in text.lower()]


@pytest.mark.parametrize("told", [notice(ASKED), ended()])
def test_slack_parses_nothing_by_itself(told):
    """Without `verbatim` Slack makes mentions of what only looks like them."""
    words = [block["text"] for block in slack.message(told, ENCRYPTOR)["blocks"] if "text" in block]
    assert all(each["verbatim"] is True for each in words)


def huge() -> Fact:
    """Longest names of the widest characters, as many metrics and gates as anybody may have."""
    name = "\N{GRINNING FACE}" * 250
    metrics = {f"{'&<>@_*' * 40}{nth}": math.pi * nth for nth in range(100)}
    gates = [{"gate": "g", "passed": True, "reason": "<&>`*" * 400, "value": 1.0}] * 60
    held = {"version": 1, "of": "@" + "a" * 200, "metrics": metrics}
    more = {"replaces": list(range(500)), "commit": "c" * 250, "requested_by": "@" * 320}
    return Fact(ASKED.type, "&" * 5000, name, 2**31 - 1, {**named(name).details, **more, "metrics": metrics,
                                                          "gates": gates, "champion": held})  # fmt: skip


@pytest.mark.parametrize("told", [notice(huge()), notice(huge(), until=None, end="&" * 5000)], ids=["asked", "ended"])
def test_long_names_and_many_metrics_keep_within_slacks_limits(told):
    """https://docs.slack.dev/reference/block-kit/blocks/section-block, /block-elements/button-element"""
    shown = message("slack", told)
    assert len(shown["blocks"]) <= 50
    assert len(shown["text"]) <= 4000
    for block in shown["blocks"]:
        for words in [block["text"]] if "text" in block else block["elements"]:
            assert 1 <= len(words["text"]) <= 3000
            assert len(words.get("value", "")) <= 2000
    assert not [text for text in texts(shown) if re.search("&(?!(amp|lt|gt);)", text)]


@pytest.mark.parametrize("chat", ["mattermost", "discord", "discord-hook", "teams"])
@pytest.mark.parametrize("told", [notice(huge()), notice(huge(), until=None, end="&" * 5000)], ids=["asked", "ended"])
def test_long_names_and_many_metrics_keep_within_the_other_limits(chat, told):
    shown = message(chat, told)
    if chat == "mattermost":  # https://developers.mattermost.com/integrate/reference/message-attachments
        assert len(shown["text"]) + len(shown["attachments"][0]["text"]) <= 16_383
    elif chat == "teams":  # 28 KB, of which 21 are known to pass
        assert len(json.dumps(shown, ensure_ascii=False).encode()) <= 21_000
    else:  # https://docs.discord.com/developers/resources/message#embed-object-embed-limits
        [embed] = shown["embeds"]
        assert len(shown["content"]) <= 2000
        assert len(embed["description"]) <= 4096
        assert len(embed["description"]) + len(embed["footer"]["text"]) <= 6000


def test_what_does_not_fit_is_counted():
    [gates, metrics, about] = fact_card.parts(notice(huge()))
    assert (len(gates), len(metrics), len(about)) == (12, 12, 4)
    assert gates[-1] == "… and 49 more"
    assert metrics[-1] == "… and 90 more"


def lines(**details: Any) -> list[str]:
    return fact_card.evidence(replace(ASKED, details={**ASKED.details, **details}))


@pytest.mark.parametrize(
    ("new", "old", "said"),
    [
        (5.0, 6.0, "rmse 5 against 6 (-1, -16.7 %)"),
        (6.99996, 7.0, "rmse 6.99996 against 7 (-4e-05, -0.000571 %)"),
        (-2.0, -4.0, "rmse -2 against -4 (+2, +50 %)"),
        (1.0, 0.0, "rmse 1 against 0 (+1)"),
        (1.0, "nan", "rmse 1 against nan"),
        ("inf", 1.0, "rmse inf against 1"),
        (1.0, None, "rmse 1 against none"),
    ],
)
def test_each_metric_is_a_line_with_both_values_and_the_difference(new, old, said):
    held = {} if old is None else {"rmse": old}
    assert said in lines(metrics={"rmse": new}, champion={"version": 1, "of": "@champion", "metrics": held})


def test_a_first_candidate_is_compared_with_nobody():
    shown = lines(champion=None, replaces=[])
    assert "rmse 5" in shown
    assert "replaces nothing" in shown
    assert not [line for line in shown if "against" in line]


def test_a_version_that_keeps_its_stage_gives_its_alias_away():
    assert "takes @champion from version 1, which stays where it is" in lines(replaces=[])


def test_a_fact_of_an_older_worker_is_still_shown():
    old = {"promotion": "prm_1", "target": "Production", "metrics": {"rmse": "5"}, "gates": []}
    assert fact_card.evidence(replace(ASKED, details=old)) == [
        "rmse 5",
        "replaces nothing",
        "requested by nobody known",
        "no commit given",
    ]


def test_how_it_ended_is_said_with_its_time():
    assert (
        fact_card.closing_line(Fact("promotion.expired", "it expired"), NOON)
        == "\N{HOURGLASS} it expired (2026-11-22 12:00 UTC)"
    )


NEW = [
    *(f"promotion.{what}" for what in ("waiting", "reminder", "escalated", "superseded", "expired", "cancelled")),
    *(f"deployment.{what}" for what in ("requested", "succeeded", "failed", "timed_out")),
    *("promotion.broke_glass", "model.rolled_back", "model_version.pruned", "registry.changed_by_hand"),
]


@pytest.mark.parametrize("type_", NEW)
def test_each_thing_that_happens_has_an_icon_of_its_own(type_):
    icon = fact_card.headline(Fact(type_, "x"))
    assert icon != fact_card.headline(Fact("nothing.known", "x"))
    assert traits(type_).icon in icon


def test_what_the_request_says_is_what_the_card_shows(ledger, tmp_path):
    shown = fact_card.evidence(details_of(ledger, tmp_path))
    assert shown == [
        "✓ rmse 5 is < 7",
        "compared with version 1, which holds @champion now:",
        "rmse 5 against 6 (-1, -16.7 %)",
        "mae 3 against none",
        "replaces version 1, which is archived",
        "trained 2026-11-22 12:00 UTC, registered 2026-11-22 12:00 UTC",
        "requested by ci",
        "files compared: content",
        "no commit given",
    ]
