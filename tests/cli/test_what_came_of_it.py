"""What is not well is shown: in the commands, on the pages and in the metrics; and what was refused is no success."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from html import unescape

import pytest
import requests
from click.testing import CliRunner
from sqlalchemy import select

from registrar.cli import main
from registrar.events.outcome import Cause, LedgerChange
from registrar.ledger.disputes import Disputed, Settled
from registrar.ledger.holders import HoldingEnded
from registrar.ledger.journal.stream import entries
from registrar.ledger.journal.verify import verify
from registrar.ledger.tables import events
from tests.actions.versions import live, trained
from tests.cli.setting import House, living
from tests.metrics.reading import scraped
from tests.worker.harness import ADA, BOB, CI
from webhooks.monitoring.metrics.state_collector import StateCollector
from worker.promotions.plan import PlanContext, plan

POLICY = """
version: 1
sources:
  operator: {kind: standard, secrets: ["file:whsec"], may: [{events: ["*"], models: ["*"]}]}
people:
  ada: {name: Ada}
  bob: {name: Bob}
groups:
  leads: [ada, bob, "source:operator"]
  one: [bob]
models:
  taxi:
    drift: revert
    targets:
      - {stage: Staging, alias: challenger, gates: [{metric: rmse, op: "<", threshold: 7}], approval: automatic}
      - stage: Production
        alias: champion
        approval: {rules: [{group: leads}], expires_after: 2d}
        deploy: {to: [log], environment: prod, confirm_within: 15m}
channels:
  log: {kind: log}
notify:
  - {outcomes: ["*"], to: [log]}
"""


@pytest.fixture
def house(tmp_path, ledger, ledger_url) -> Iterator[House]:
    with living(tmp_path, ledger, ledger_url, policy=POLICY) as house:
        yield house


def page(house: House, path: str) -> str:
    answer = requests.get(house.url + path, timeout=10)
    assert answer.status_code == 200, answer.text
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


def promotion(house: House, version: int) -> dict:
    rows = json.loads(house.run("promotions", "list", "--all", "--model", "taxi", "--json").output)
    return next(row for row in rows if (row["version"], row["target"]) == (version, "Production"))


def deployed(house: House, what: str, version: int) -> None:
    house.harness.post(f"deployment.{what}", by=CI, model="taxi", version=version, environment="prod")


# Each promotion has its own deployment.
def test_a_promotion_shows_its_own_deployment_and_no_other(house: House):
    live(house.harness, "r1")
    deployed(house, "succeeded", 1)
    live(house.harness, "r2")
    house.harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    house.harness.later(minutes=16)
    first = promotion(house, 1)
    assert first["became"]["deployment"]["state"] == "live"
    shown = house.run("promotions", "show", first["id"]).output
    assert "deployment   live to prod" in shown
    assert "timed out" not in shown
    told = page(house, f"/promotions/{first['id']}")
    assert ("live deployment to prod" in told, "timed out" in told) == (True, False)


def test_what_was_rolled_back_is_no_success(house: House):
    live(house.harness, "r1", "r2")
    house.harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    second = promotion(house, 2)
    assert (second["state"], second["became"]["state"]) == ("promoted", "rolled_back")
    assert "rolled back" in house.run("promotions", "list", "--all").output
    shown = house.run("promotions", "show", second["id"]).output
    assert re.search(r"quarantined +wrong fares \(rolled back on .* by Ada\)", shown)
    for path in ("/promotions?show=decided", "/models/taxi", f"/promotions/{second['id']}"):
        html = requests.get(house.url + path, timeout=10).text
        assert '<span class="state bad">rolled back</span>' in html, path
    assert '<span class="state ok">promoted</span>' not in html


def test_what_was_lifted_is_quarantined_no_more_and_was_rolled_back(house: House):
    live(house.harness, "r1", "r2")
    house.harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    house.harness.post("quarantine.lift", by=ADA, model="taxi", version=2, reason="right after all")
    became = promotion(house, 2)["became"]
    assert (became["state"], became["quarantined"]) == ("rolled_back", None)
    history = house.run("history", "taxi").output
    assert "taxi version 2 is quarantined: wrong fares" in history
    assert "taxi version 2 is quarantined no more: right after all" in history
    assert "is quarantined no more: right after all" in page(house, "/models/taxi")
    with house.harness.ledger.read() as connection:
        assert verify(connection)


# Not live.
@pytest.mark.parametrize(("how", "said"), [("failed", "failed"), ("nothing", "was not confirmed in time")])
def test_a_champion_that_is_not_live_is_shown_everywhere(house: House, how: str, said: str):
    live(house.harness, "r1")
    if how == "failed":
        deployed(house, "failed", 1)
    else:
        house.harness.later(minutes=16)
    sentence = f"taxi version 1 holds Production and IS NOT LIVE: its deployment to prod {said}"
    assert sentence in house.run("overview").output
    assert [one["version"] for one in house.get("/v1/overview")["not_live"]] == [1]
    assert [one["version"] for one in house.get("/v1/models/taxi")["not_live"]] == [1]
    start = page(house, "/")
    assert ("1 version holds a target and is not live" in start, "All parts are well" in start) == (True, False)
    assert "Version 1 holds Production and is not live: its deployment to prod" in page(house, "/models/taxi")
    metrics = scraped(StateCollector(house.harness.ledger, house.harness.context.policy, house.harness.now))
    assert metrics["registrar_holders_not_live"] == {("taxi", "Production"): 1}
    assert f"the deployment of taxi version 1 {said}" in house.run("history", "taxi").output
    assert promotion(house, 1)["became"]["state"].startswith("deployment_")


def test_what_is_live_after_all_or_holds_nothing_more_is_not_shown_so(house: House):
    live(house.harness, "r1")
    house.harness.later(minutes=16)
    deployed(house, "succeeded", 1)
    assert house.get("/v1/overview")["not_live"] == []
    live(house.harness, "r2")
    deployed(house, "failed", 2)
    live(house.harness, "r3")
    assert house.get("/v1/overview")["not_live"] == []


# What was refused.
def test_what_was_refused_is_in_history_and_overview(house: House):
    trained(house.harness, "r1")
    house.harness.post("promotion.approve", by=CI, model="taxi", version=1)
    house.harness.post("promotion.reject", by=ADA, model="taxi", version=1, reason="wrong at night")
    trained(house.harness, "r2")
    house.harness.later(days=3)
    history = house.run("history", "taxi").output
    assert "approve taxi version 1: did not count: ci may not approve taxi version 1 to Production" in history
    assert "the promotion of taxi version 1 is rejected: wrong at night" in history
    assert "the promotion of taxi version 2 is expired: nobody decided about it" in history.replace(
        "nobody decided about taxi version 2 to Production", "nobody decided about it"
    )
    assert "rejected: wrong at night" in house.run("overview").output
    assert "rejected: wrong at night" in page(house, "/")
    assert "rejected: wrong at night" in page(house, "/models/taxi")
    alone = json.loads(house.run("history", "taxi", "--incidents", "--json").output)
    assert {one["kind"] for one in alone} == {"vote", "promotion.decided"}
    newest = house.run("history", "taxi", "--incidents", "--json", "--limit", "1").output
    assert json.loads(newest) == alone[:1]


def test_an_approval_that_can_not_be_met_is_counted(house: House):
    stuck = POLICY.replace(
        "{rules: [{group: leads}], expires_after: 2d}", "{rules: [{group: one}], exclude: [requester]}"
    )
    house.harness.policy(stuck)
    trained(house.harness, "r1")
    house.harness.post("promotion.cancel", by=BOB, model="taxi", version=1)
    house.harness.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
    metrics = scraped(StateCollector(house.harness.ledger, house.harness.context.policy, house.harness.now))
    assert metrics["registrar_approvals_impossible"] == {("taxi", "Production"): 1}


# By hand.
def test_a_change_by_hand_that_was_put_back_is_in_history_and_journal(house: House):
    live(house.harness, "r1", "r2")
    house.harness.registry.set_stage("taxi", 1, "Production")
    house.harness.registry.set_alias("taxi", "champion", 1)
    house.harness.post("registry.reconcile", by=ADA, model="taxi")
    assert house.harness.stages() == {1: "Archived", 2: "Production"}
    history = house.run("history", "taxi").output
    for said in (
        "@champion of taxi was moved by hand in MLflow, from version 2 to version 1; it is put back",
        "@champion of taxi points at version 2 again",
        "Production of taxi was changed by hand in MLflow: version 1 came; it is put back",
        "taxi version 1 is in Archived again",
    ):
        assert said in history
    with house.harness.ledger.read() as connection:
        found = [json.loads(one["body"])["said"] for one in entries(connection) if one["kind"].startswith("registry.")]
        assert verify(connection)
    assert {one.get("by") for one in found} == {None, "by hand in MLflow, which does not say who"}
    [by] = {line.split()[-2] for line in history.splitlines() if "was moved by hand" in line}
    assert by == "hand"


def test_a_tag_that_a_hand_set_is_in_the_journal(house: House):
    live(house.harness, "r1")
    house.harness.registry.set_tag("taxi", 1, "registrar.evaluation", "mine")
    changed = {"change": "model_version_tag.set", "key": "registrar.evaluation", "version": 1}
    house.harness.post("registry.changed", model="taxi", **changed)
    said = "the tag registrar.evaluation of taxi version 1 was set to 'mine' by hand in MLflow"
    assert said in house.run("history", "taxi", "--incidents").output
    assert said in page(house, "/models/taxi")


# Two pasts.
def happened(house: House, *records: LedgerChange) -> None:
    """What a task that looked at MLflow has written down."""
    house.harness.post("registry.reconcile", by=ADA, model="taxi")
    with house.harness.ledger.write() as connection:
        event = connection.execute(select(events.c.id).order_by(events.c.seq.desc()).limit(1)).scalar_one()
        for record in records:
            record.apply(connection, Cause(event, "ada", "Ada", house.harness.now()))


def test_a_dispute_and_how_it_was_settled_are_in_history_and_overview(house: House):
    live(house.harness, "r1")
    happened(house, Disputed("taxi", "MLflow and the record of taxi don't fit together"))
    happened(house, Settled("taxi", "Ada trusts MLflow"))
    found = json.loads(house.run("history", "taxi", "--incidents", "--json").output)
    told = {(one["kind"], one["text"], one["by"]) for one in found}
    settled = "the dispute about taxi is settled: Ada trusts MLflow"
    disputed = "taxi is in dispute: MLflow and the record of taxi don't fit together"
    assert {("record.disputed", disputed, "Registrar"), ("record.settled", settled, "Ada")} <= told
    for shown in (house.run("history", "taxi").output, house.run("overview").output, page(house, "/")):
        assert disputed in shown
        assert settled in shown


def test_what_ended_since_a_model_was_made_anew_is_in_history_and_overview(house: House):
    live(house.harness, "r1")
    because = "taxi was made anew in MLflow: none of those versions exists now"
    gone = (("stage", "Production"), ("alias", "champion"))
    happened(house, *(HoldingEnded("taxi", kind, 1, key, because=because) for kind, key in gone))
    for said in (
        f"taxi version 1 holds Production no more: {because}",
        f"taxi version 1 holds @champion no more: {because}",
    ):
        for shown in (
            house.run("history", "taxi", "--incidents").output,
            house.run("overview").output,
            page(house, "/"),
        ):
            assert said in shown


def test_what_a_move_ended_is_no_incident(house: House):
    live(house.harness, "r1", "r2")
    assert json.loads(house.run("history", "taxi", "--incidents", "--json").output) == []


# The policy's text.
def test_the_text_behind_a_digest_is_kept_when_it_is_first_used(house: House):
    trained(house.harness, "r1")
    digest = house.get(f"/v1/promotions/{promotion(house, 1)['id']}")["evidence"]["policy_digest"]
    house.harness.policy(POLICY.replace("threshold: 7", "threshold: 6"))
    (house.data / "registrar.yml").write_text(POLICY.replace("threshold: 7", "threshold: 6"))
    trained(house.harness, "r2")
    trained(house.harness, "r3")
    shown = house.run("policy", "show", digest[:12])
    assert ("threshold: 7" in shown.output, f"# digest {digest}" in shown.output) == (True, True), shown.output
    whole = json.loads(house.run("policy", "show", digest, "--json").output)
    assert sha256(whole["text"].encode()).hexdigest() == digest
    assert whole["document"]["groups"] == {"leads": ["ada", "bob", "source:operator"]}
    assert house.get(f"/v1/policy?digest={digest[:8]}")["text"] == whole["text"]
    assert "threshold" in page(house, f"/policy?digest={digest}")
    assert digest in house.run("promotions", "show", "taxi", "1").output
    with house.harness.ledger.read() as connection:
        kept = [one for one in entries(connection) if one["kind"] == "policy.used"]
        assert verify(connection)
    assert len(kept) == 2


@pytest.mark.parametrize("digest", ["0" * 64, "abcdef12"])
def test_a_digest_that_nobody_used_is_said_to_be_unknown(house: House, digest: str):
    shown = house.run("policy", "show", digest)
    assert (shown.exit_code, "has no text of the policy" in shown.stderr) == (1, True)


@pytest.mark.parametrize("digest", ["abc", "%", "ABCDEF1234", "x" * 64])
def test_what_is_no_digest_is_said_to_be_none(house: House, digest: str):
    shown = house.run("policy", "show", digest)
    assert (shown.exit_code, "hexadecimal digits" in shown.stderr) == (2, True)


def test_a_policy_that_nothing_was_asked_under_is_found_too(house: House):
    digest = house.get("/v1/policy?model=taxi")["model"]["digest"]
    assert "# not used yet" in house.run("policy", "show", digest).output


# What somebody says, and is answered.
def test_a_vote_that_does_not_count_has_not_succeeded(house: House):
    house.harness.policy(POLICY.replace('bob, "source:operator"', "bob"))
    trained(house.harness, "r1")
    with house.working():
        voted = house.run("promotions", "approve", "taxi", "1")
    assert voted.exit_code == 1
    assert "succeeded  worker.vote" not in voted.output
    assert re.search(r"refused +worker.vote +Your vote does not count", voted.output)
    assert voted.output.rstrip().endswith("\nrefused")
    event = re.search(r"evt_[0-9a-f]+", voted.output)[0]
    assert "state        refused\n" in house.run("events", "show", event).output
    assert re.search(f"refused +promotion.approve.*{event}", house.run("events", "list", "--state", "refused").output)
    assert "refused" in page(house, f"/events/{event}")
    assert house.get(f"/v1/events/{event}")["refused"] is True


def test_a_vote_that_comes_too_late_has_not_succeeded(house: House):
    trained(house.harness, "r1")
    house.harness.jump(timedelta(days=3))
    with house.working():
        voted = house.run("promotions", "approve", "taxi", "1")
    assert (voted.exit_code, "has expired" in voted.output, voted.output.split()[-1]) == (1, True, "refused"), voted


def test_what_is_approved_and_frozen_lacks_time(house: House):
    frozen = POLICY.replace("alias: champion\n", "alias: champion\n        gates: [{max_per_day: 1}]\n")
    house.harness.policy(frozen)
    (house.data / "registrar.yml").write_text(frozen)
    live(house.harness, "r1", "r2")
    assert promotion(house, 2)["state"] == "approved"
    due = "time, until 20"
    assert due in house.run("promotions", "list").output
    assert f"lacks        {due}" in house.run("promotions", "show", "taxi", "2").output
    assert due in house.run("overview").output
    assert "Nobody is left who may approve" not in page(house, f"/promotions/{promotion(house, 2)['id']}")


def test_a_rejection_without_a_needed_reason_is_not_sent(house: House):
    needed = POLICY.replace("expires_after: 2d", "reject_reason: required")
    house.harness.policy(needed)
    (house.data / "registrar.yml").write_text(needed)
    trained(house.harness, "r1")
    refused = house.run("promotions", "reject", "taxi", "1", "--no-wait")
    assert refused.exit_code == 2
    assert "a rejection of taxi version 1 to Production needs a reason: --reason TEXT" in refused.stderr
    assert [kind for kind, _ in house.harness.facts() if kind.startswith("promotion.vote")] == []
    blank = house.run("promotions", "reject", "taxi", "1", "--no-wait", "--reason", "  ")
    assert blank.exit_code == 2


@pytest.mark.parametrize(
    ("source", "rejecting", "asking"),
    [
        (
            "web",
            "needs a reason: --reason WHY, or the field reason",
            "ask first: registrar send promotion.request model=",
        ),
        ("chat", "needs a reason: reject taxi 1 Production WHY", "ask first: promote taxi 7 Production"),
        ("operator", "needs a reason: the field reason", "ask first: promotion.request"),
    ],
)
def test_answers_are_in_the_grammar_of_whoever_asks(house: House, source: str, rejecting: str, asking: str):
    needed = POLICY.replace("expires_after: 2d", "reject_reason: required")
    house.harness.policy(needed.replace("people:", '  chat: {kind: slack, secrets: ["file:whsec"]}\npeople:'))
    trained(house.harness, "r1")
    house.harness.post("promotion.reject", by=ADA, via=source, model="taxi", version=1)
    assert house.harness.fact("promotion.vote_refused").endswith(rejecting)
    house.harness.post("promotion.approve", by=ADA, via=source, model="taxi", version=7)
    assert asking in house.harness.fact("promotion.vote_refused")


# Who has an event's id alone.
def test_who_has_an_events_id_alone_learns_how_far_it_is_and_no_more(house: House):
    trained(house.harness, "r1")
    [event, *_] = json.loads(house.run("events", "--type", "training_run.finished", "--json").output)
    stranger = {"X-Forwarded-For": "203.0.113.9"}
    told = requests.get(f"{house.url}/v1/events/{event['id']}", headers=stranger, timeout=10).json()
    assert set(told) == {"id", "type", "state", "refused", "tasks"}
    assert (told["state"], told["tasks"][0]) == ("succeeded", {"name": "worker.register", "state": "succeeded"})
    assert house.get(f"/v1/events/{event['id']}")["data"]["run_id"] == "r1"


def test_a_command_with_a_token_waits_as_its_bearer(house: House):
    trained(house.harness, "r1")
    file = house.data / "token"
    file.write_text(house.run("token", "create", "laptop", "--role", "approver", "--person", "ada").stdout)
    with house.working():
        done = CliRunner().invoke(
            main, ["--url", house.url, "--token-file", str(file), "promotions", "approve", "taxi", "1"]
        )
    assert (done.exit_code, "approved by Ada" in done.output) == (0, True), done.output


def test_who_sends_waits_also_where_they_are_no_viewer(tmp_path, ledger, ledger_url):
    """Where the receiver has another host's name, nobody is known for being on its machine."""
    public = "https://registrar.example.com"
    with living(tmp_path, ledger, ledger_url, policy=POLICY, operator=None, public=public) as house:
        house.harness.registry.trained("r1", rmse=5.0)
        done = house.done("send", "training_run.finished", "--source", "operator", "model=taxi", "run_id=r1")
    assert done.exit_code == 0, done.output
    assert "succeeded  worker.register" in done.output
    assert "was registered from run" not in done.output


def look(house: House) -> PlanContext:
    context = house.harness.context
    return PlanContext(house.harness.registry, context.policy, context.ledger, house.harness.now())


def test_a_plan_says_what_became_of_what_was_asked_before(house: House):
    live(house.harness, "r1", "r2")
    house.harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    said = "\n".join(plan(look(house), "taxi", 2, "Production").lines)
    assert "; rolled back (closed)" in said
    trained(house.harness, "r3")
    house.harness.post("promotion.reject", by=ADA, model="taxi", version=3, reason="wrong at night")
    said = "\n".join(plan(look(house), "taxi", 3, "Production").lines)
    assert "; rejected: wrong at night (closed)" in said
