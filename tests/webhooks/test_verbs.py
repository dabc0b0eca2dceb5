"""Each verb gives the same event by the command line, by a token, in chat and by a page's form.

One table. What differs is who is said to have asked, and by which source. A row without an entrance has none there:
chat answers with a link where others fetch, and a page has no form to register.
"""

import json
import re
import shlex
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from sqlalchemy import select, update

from registrar.events.states import PromotionState
from registrar.http import signing
from registrar.ledger import tokens
from registrar.ledger.engine import now
from registrar.ledger.promotions import still_open
from registrar.ledger.tables import events, promotions
from registrar.ledger.tokens import Token
from tests.actions.versions import trained
from tests.cli.setting import House, living
from tests.worker.harness import ADA

SECRET, TOKEN = "slack signing secret", "rgt_" + "t" * 43
POLICY = """
version: 1
sources:
  ci: {kind: standard, secrets: ["file:whsec"], may: [{events: [training_run.*], models: ["*"]}]}
  slack: {kind: slack, secrets: ["file:slack"], may: [{events: ["*"], models: ["*"]}]}
people:
  ada: {name: Ada, accounts: {slack: T1/U1}}
groups:
  leads: [ada]
access: {operators: [ada]}
models:
  taxi:
    targets:
      - {stage: Staging, alias: challenger, gates: [{metric: rmse, op: "<", threshold: 7}], approval: automatic}
      - {stage: Production, alias: champion, approval: {rules: [{group: leads}]}}
"""
TAXI = {"model": "taxi"}
V1, V2 = {**TAXI, "version": 1}, {**TAXI, "version": 2}
ABOUT_2 = "/models/taxi/versions/2"


@dataclass(frozen=True)
class Form:
    """A form of a page: where it is, where it goes to, and what a person fills in."""

    page: str
    action: str
    filled: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verb:
    """A verb by each entrance; None: it has no such entrance.

    type, data: of the event; data may leave out fields that are null or empty. token: the data that a program posts.
    cli: the arguments of the command, as typed. PROMOTION stands for the id of the open promotion.
    """

    type: str
    data: Mapping[str, Any]
    token: Mapping[str, Any]
    chat: str | None
    cli: str | None
    form: Form | None = None


PROMOTION = "(the open promotion)"
VOTE = {**V2, "target": "Production", "promotion": PROMOTION, "reason": "so"}
DECIDE = "/promotions/(the open promotion)"


def voted(verb: str, *, cli: str) -> Verb:
    page, filled = Form(DECIDE, f"{DECIDE}/{verb}", {"reason": "so"}), {**TAXI, "reason": "so"}
    return Verb(f"promotion.{verb}", VOTE, filled, f"{verb} taxi so", cli, page)


VERBS = {
    "approve": voted("approve", cli="approve taxi --reason so"),
    "reject": voted("reject", cli="reject taxi --reason so"),
    "cancel": voted("cancel", cli="promotions cancel taxi 2 --reason so"),
    "promote": Verb(
        "promotion.request",
        {**V1, "target": "Production", "reason": "so"},
        {**V1, "target": "Production", "reason": "so"},
        "promote taxi 1 so",
        "promote taxi 1 --to production --reason so",
    ),
    "promote, without a version": Verb(
        "promotion.request",
        {**V2, "target": "Production"},
        {**TAXI, "target": "Production"},
        "promote taxi",
        "promote taxi --to production",
    ),
    "promote, the older word": Verb(
        "promotion.request", {**V1, "target": "Staging"}, {**V1, "target": "staging"}, "request taxi 1 staging", None
    ),
    "ask again": Verb(
        "promotion.request",
        {**TAXI, "version": 3, "target": "Staging", "reason": "so"},
        {**TAXI, "version": 3, "target": "Staging", "reason": "so"},
        "promote taxi 3 staging so",
        "promote taxi 3 --to staging --reason so",
        Form("/models/taxi/versions/3", "/models/taxi/versions/3/request", {"reason": "so"}),
    ),
    "transition": Verb(
        "model_version.transition",
        {**V2, "stage": "Archived", "reason": "so"},
        {**V2, "stage": "Archived", "reason": "so"},
        "transition taxi 2 archived so",
        "transition taxi 2 --to archived --reason so",
    ),
    "demote": Verb(
        "model_version.transition",
        {**V2, "stage": "None", "reason": "so"},
        {**V2, "stage": None, "reason": "so"},
        "demote taxi 2 so",
        "demote taxi 2 --reason so",
        Form(ABOUT_2, f"{ABOUT_2}/demote", {"reason": "so"}),
    ),
    "archive": Verb(
        "model_version.archive",
        {**V2, "reason": "so"},
        {**V2, "reason": "so"},
        "archive taxi 2 so",
        "archive taxi 2 --reason so",
        Form(ABOUT_2, f"{ABOUT_2}/archive", {"reason": "so"}),
    ),
    "describe": Verb(
        "model_version.describe",
        {**V2, "description": "of 2025"},
        {**V2, "description": "of 2025"},
        "describe taxi 2 of 2025",
        "describe taxi 2 --text 'of 2025'",
        Form(ABOUT_2, f"{ABOUT_2}/describe", {"description": "of 2025", "tags": ""}),
    ),
    "tag": Verb(
        "model_version.describe",
        {**V2, "tags": {"team": "fares", "note": "a b"}},
        {**V2, "tags": {"team": "fares", "note": "a b"}},
        "tag taxi 2 team=fares note='a b'",
        "tag taxi 2 team=fares 'note=a b'",
        Form(ABOUT_2, f"{ABOUT_2}/describe", {"tags": "team=fares\nnote=a b"}),
    ),
    "register": Verb(
        "model_version.register",
        {**TAXI, "run_id": "r9"},
        {**TAXI, "run_id": "r9"},
        "register taxi r9",
        "register taxi --run r9",
    ),
    "rollback": Verb(
        "model.rollback",
        {**TAXI, "target": "Staging", "to": 1, "reason": "so slow"},
        {**TAXI, "target": "Staging", "to": 1, "reason": "so slow"},
        "rollback taxi staging to 1 so slow",
        "rollback taxi --target Staging --to 1 --reason 'so slow'",
        Form("/models/taxi/rollback?target=Staging&to=1", "/models/taxi/rollback", {"reason": "so slow"}),
    ),
    "archive old versions": Verb(
        "model.archive",
        {**TAXI, "older_than": "90d", "keep": 5, "reason": "so"},
        {**TAXI, "older_than": "90d", "keep": 5, "reason": "so"},
        "archive-old taxi 90d keep 5 so",
        "archive taxi --older-than 90d --keep 5 --reason so",
    ),
    "prune": Verb(
        "model.prune", {**TAXI, "reason": "so"}, {**TAXI, "reason": "so"}, "prune taxi so", "prune taxi --reason so"
    ),
}


@pytest.fixture
def house(tmp_path, ledger, ledger_url) -> Iterator[House]:
    """Of taxi version 1 held Staging before 2, which waits for its approval; 3 is held back."""
    (tmp_path / "slack").write_text(SECRET)
    with living(tmp_path, ledger, ledger_url, policy=POLICY, operator="ada") as house:
        for run, rmse in (("r1", 5.0), ("r2", 5.0), ("r3", 9.0)):
            trained(house.harness, run, rmse)
        with ledger.write() as connection:
            # The first is superseded, long ago: who approves now has seen the second.
            ended = promotions.c.state == PromotionState.SUPERSEDED
            connection.execute(update(promotions).where(ended).values(decided_at=now() - timedelta(hours=1)))
            tokens.create(connection, Token("bot", tokens.digest(TOKEN), "operator", "ada", now()), ADA)
        yield house


def by_token(house: House, verb: Verb, promotion: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    body = {"type": verb.type, "data": dict(verb.token)}
    answer = requests.post(f"{house.url}/v1/commands", json=body, headers=headers, timeout=10)
    assert answer.status_code == 202, answer.text


def by_chat(house: House, verb: Verb, promotion: str) -> None:
    typed = {"command": "/registry", "team_id": "T1", "user_id": "U1", "user_name": "ada", "text": str(verb.chat)}
    body = urlencode({**typed, "trigger_id": uuid.uuid4().hex}).encode()
    headers = signing.slack(SECRET, timestamp=datetime.now(UTC), body=body)
    headers |= {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(f"{house.url}/webhooks/slack", data=body, headers=headers, timeout=10)
    assert answer.json()["text"].startswith("On it: "), answer.text


def by_cli(house: House, verb: Verb, promotion: str) -> None:
    done = house.run(*shlex.split(str(verb.cli)), "--no-wait", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["type"] == verb.type


def by_form(house: House, verb: Verb, promotion: str) -> None:
    assert verb.form
    page, action = (text.replace(PROMOTION, promotion) for text in (verb.form.page, verb.form.action))
    text = requests.get(house.url + page, timeout=10).text
    forms = re.findall(r'<form[^>]*method="post".*?</form>', text, re.DOTALL)
    found = next((one for one in forms if f'action="{action}"' in one), "")  # its own, or a button's
    assert found, f"{page} has no form for {action}"
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', found))
    fields = {name: unescape(value) for name, value in hidden.items()} | dict(verb.form.filled)
    answer = requests.post(house.url + action, data=fields, timeout=10, allow_redirects=False)
    assert answer.status_code == 303, answer.text


BY = {"token": by_token, "chat": by_chat, "cli": by_cli, "form": by_form}
# Who is said to have asked is the same person, and the source says by which way.
SOURCES = {"token": "web", "chat": "slack", "cli": "web", "form": "web"}


@pytest.mark.parametrize("name", VERBS)
def test_the_same_verb_gives_the_same_event_by_every_entrance(house: House, name: str):
    """No worker runs, so that each entrance meets the same record."""
    verb = VERBS[name]
    with house.harness.ledger.read() as connection:
        [promotion] = [each.id for each in still_open(connection, model="taxi")]
    expected = {field_: promotion if value == PROMOTION else value for field_, value in verb.data.items()}
    for entrance, act in BY.items():
        if getattr(verb, entrance) is None:
            continue
        before = newest(house)
        act(house, verb, promotion)
        event = newest(house)
        assert event.seq > before.seq, entrance
        assert (event.type, event.actor, event.source) == (verb.type, "ada", SOURCES[entrance]), entrance
        assert {key: value for key, value in event.data.items() if value not in (None, {}, False)} == expected, entrance


def newest(house: House) -> Any:
    with house.harness.ledger.read() as connection:
        return connection.execute(select(events).order_by(events.c.seq.desc())).first()


def test_every_verb_is_asked_by_token_and_in_chat():
    assert [name for name, verb in VERBS.items() if verb.chat is None] == []
