"""The page of one promotion: its steps, what the reader's vote would do, who agreed to each rule, what may be done."""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from html import unescape
from pathlib import Path

import pytest
import requests

from registrar.ledger import Ledger, tokens
from registrar.ledger.engine import now
from registrar.ledger.tokens import Token
from registrar.ledger.version_state import Key, StateSet
from registrar.policy.access import Role
from tests.actions.versions import trained
from tests.cli.setting import House, living
from tests.worker.harness import ADA, BOB, EVE

POLICY = """
version: 1
sources:
  operator: {kind: standard, secrets: ["file:whsec"], may: [{events: ["*"], models: ["*"]}]}
people:
  ada: {name: Ada}
  bob: {name: Bob}
  eve: {name: Eve}
  vera: {name: Vera}
groups: {leads: [ada, bob], risk: [eve]}
access: {viewers: [vera], operators: [ada]}
models:
  taxi:
    targets:
      - {stage: Staging, alias: challenger, gates: [{metric: rmse, op: "<", threshold: 7}], approval: automatic}
      - stage: Production
        alias: champion
        gates: [{metric: rmse, op: "<", threshold: 7}]
        approval: {rules: [{group: leads}, {group: risk}], exclude: [requester]}
channels: {log: {kind: log}}
notify: [{outcomes: ["*"], to: [log]}]
"""
RULES = "approval: {rules: [{group: leads}, {group: risk}], exclude: [requester]}"
ALONE = POLICY.replace(RULES, "approval: {rules: [{group: leads}]}")
DEPLOYED = ALONE.replace(
    "rules: [{group: leads}]}",
    "rules: [{group: leads}]}\n        deploy: {to: [log], environment: prod, confirm_within: 15m}",
)


class At:
    """Somebody at the machine, whose receiver may have read another policy than the worker."""

    def __init__(self, folder: Path, ledger: Ledger, ledger_url: str) -> None:
        self.folder, self.ledger, self.url = folder, ledger, ledger_url
        self.count = 0

    def __call__(self, who: str, policy: str = POLICY, registry: object = None) -> AbstractContextManager[House]:
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir()
        return living(folder, self.ledger, self.url, registry, policy=policy, operator=who)


@pytest.fixture
def at(tmp_path: Path, ledger: Ledger, ledger_url: str) -> At:
    return At(tmp_path, ledger, ledger_url)


@pytest.fixture
def house(at: At) -> Iterator[House]:
    with at("ada") as house:
        yield house


def asked(house: House, version: int = 1) -> str:
    """The path of the newest request of a version for Production."""
    rows = house.get("/v1/promotions?model=taxi")["promotions"]
    return "/promotions/" + next(
        row["id"] for row in rows if (row["version"], row["target"]) == (version, "Production")
    )


def token(house: House, who: str, role: Role) -> dict[str, str]:
    """The header of a person who is elsewhere."""
    secret = "rgt_" + who[0] * 43
    with house.harness.ledger.write() as connection:
        tokens.create(connection, Token(who, tokens.digest(secret), role, who, now()), ADA)
    return {"Authorization": f"Bearer {secret}"}


def html(house: House, path: str, headers: Mapping[str, str] | None = None) -> str:
    answer = requests.get(house.url + path, headers=headers, timeout=10)
    assert answer.status_code == 200, answer.text
    return unescape(re.sub(r"\s+", " ", answer.text))


def words(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)).strip()


def strip(house: House, path: str) -> dict[str, str]:
    """The state of each step, by its name."""
    found = re.search(r'<ol class="steps".*?</ol>', html(house, path))
    assert found
    pairs = re.findall(r'"step-name">([^<]+)</span> <span class="state \w+">([^<]+)<', found[0])
    return dict(pairs)


def panel(house: House, path: str, headers: Mapping[str, str] | None = None) -> str:
    """Where a person decides."""
    found = re.search(r'<section id="decide".*?</section>', html(house, path, headers))
    assert found
    return found[0]


# Its way.
def test_the_steps_are_those_of_its_target_with_the_one_that_is_now(house: House):
    trained(house.harness, "r1")
    way = strip(house, asked(house))
    assert way == {
        "Requested": "done",
        "Checked": "done",
        "Gates": "done",
        "Votes": "now",
        "Moved": "waiting",
        "In Production": "waiting",
    }
    steps = house.get(f"/v1{asked(house)}")["steps"]
    assert [(step["name"], step["state"]) for step in steps][3:5] == [("votes", "now"), ("moved", "waiting")]
    assert steps[3]["detail"] == "0 of 2"
    shown = house.run("promotions", "show", asked(house).rpartition("/")[2]).output
    assert re.search(r"votes +now +- +0 of 2", shown), shown


def test_a_step_that_is_done_says_when_and_by_whom(at: At):
    with at("ada", DEPLOYED) as house:
        trained(house.harness, "r1")
        house.harness.post("promotion.approve", by=ADA, model="taxi", version=1)
        way = strip(house, asked(house))
        assert (way["Votes"], way["Moved"], way["Deployed"], way["In Production"]) == ("done", "done", "now", "now")
        told = words(html(house, asked(house)))
        assert "due in 14 min" in told or "due in 15 min" in told
        house.harness.post("deployment.succeeded", model="taxi", version=1, environment="prod")
        assert strip(house, asked(house))["Deployed"] == "done"
        house.harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")


@pytest.mark.parametrize(
    ("end", "step", "state", "detail"),
    [
        ("promotion.reject", "Votes", "failed", "rejected by Ada"),
        ("promotion.cancel", "Votes", "stopped", "cancelled by Ada"),
        ("", "Votes", "failed", "expired"),
    ],
)
def test_a_promotion_that_came_to_nothing_says_at_which_step(at: At, end: str, step: str, state: str, detail: str):
    with at("ada", ALONE.replace("[{group: leads}]}", "[{group: leads}], expires_after: 2d}")) as house:
        trained(house.harness, "r1")
        if end:
            house.harness.post(end, by=ADA, model="taxi", version=1)
        else:
            house.harness.later(days=3)
        way = strip(house, asked(house))
        assert (way["Gates"], way[step], way["Moved"], way["In Production"]) == (
            "done",
            state,
            "not reached",
            "not reached",
        )
        assert detail in words(html(house, asked(house)))


def test_one_that_fails_after_its_approval_failed_at_the_move(at: At):
    policy = ALONE.replace('gates: [{metric: rmse, op: "<", threshold: 7}]\n', "gates: [{max_per_day: 1}]\n")
    with at("ada", policy) as house:
        trained(house.harness, "r1")
        house.harness.post("promotion.approve", by=ADA, model="taxi", version=1)
        trained(house.harness, "r2")
        house.harness.post("promotion.approve", by=ADA, model="taxi", version=2)
        way = strip(house, asked(house, 2))
        assert (way["Votes"], way["Moved"]) == ("done", "now")
        assert "at most 1 in 24 h" in words(html(house, asked(house, 2)))
        house.harness.post("promotion.cancel", by=ADA, model="taxi", version=2)
        way = strip(house, asked(house, 2))
        assert (way["Votes"], way["Moved"], way["In Production"]) == ("done", "stopped", "not reached")


def test_its_deployment_is_its_own(at: At):
    with at("ada", DEPLOYED) as house:
        for version, what in ((1, "succeeded"), (2, "failed")):
            trained(house.harness, f"r{version}")
            house.harness.post("promotion.approve", by=ADA, model="taxi", version=version)
            house.harness.post(f"deployment.{what}", model="taxi", version=version, environment="prod")
        assert strip(house, asked(house, 1))["Deployed"] == "done"
        assert strip(house, asked(house, 2))["Deployed"] == "failed"
        assert strip(house, asked(house, 1))["In Production"] == "done"
        assert "live deployment to prod" in words(html(house, asked(house, 1)))
        assert "failed deployment to prod" in words(html(house, asked(house, 2)))


def test_what_was_rolled_back_is_no_success_of_its_last_step(at: At):
    with at("ada", ALONE) as house:
        for version in (1, 2):
            trained(house.harness, f"r{version}")
            house.harness.post("promotion.approve", by=ADA, model="taxi", version=version)
        house.harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
        way = strip(house, asked(house, 2))
        assert (way["Moved"], way["In Production"]) == ("done", "failed")


def test_a_target_that_needs_nobody_has_no_votes(house: House):
    trained(house.harness, "r1")
    rows = house.get("/v1/promotions?model=taxi")["promotions"]
    staging = next(row["id"] for row in rows if row["target"] == "Staging")
    way = strip(house, f"/promotions/{staging}")
    assert "Votes" not in way
    assert way["In Staging"] == "now"
    assert "Promoted without a vote: none was needed" in words(panel(house, f"/promotions/{staging}"))


# What the reader's vote would do.
@pytest.mark.parametrize(
    ("who", "role", "sentence"),
    [
        ("bob", "approver", "Your approval counts. After it, 1 more of risk is still needed."),
        ("eve", "approver", "Your approval counts. After it, 1 more of leads is still needed."),
        ("vera", "viewer", "You are signed in as viewer and can't vote. The people who can are named here."),
    ],
)
def test_a_reader_is_shown_what_their_vote_would_do(house: House, who: str, role: Role, sentence: str):
    trained(house.harness, "r1")
    told = panel(house, asked(house), token(house, who, role))
    assert sentence in words(told)
    assert "1 more of risk : Eve" in words(told)
    assert ('<button class="main" formnovalidate>Approve' in told) == (who != "vera")
    assert ("<form" in told) == (who != "vera")


def test_the_last_vote_is_called_so_and_who_has_voted_is_shown_what_lacks(house: House, at: At):
    trained(house.harness, "r1")
    house.harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    told = panel(house, asked(house))
    assert "You have approved it. Still needed: 1 more of risk." in words(told)
    assert 'class="main"' not in told
    with at("eve", registry=house.harness.registry) as hers:
        assert "Your approval is the last one that is needed. Then it is moved to Production at once." in words(
            panel(hers, asked(house))
        )
    with at("bob", registry=house.harness.registry) as his:
        told = panel(his, asked(house))
        assert "would not bring this further: needed is 1 more of risk" in words(told)
        assert 'class="main"' not in told


def test_who_is_excluded_or_in_no_group_is_shown_why(at: At):
    with at("ada") as house:
        trained(house.harness, "r1")
        house.harness.post("promotion.cancel", by=BOB, model="taxi", version=1)
        house.harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")
        told = panel(house, asked(house))
        assert "Your approval would not count: you asked for taxi version 1 to Production." in words(told)
        assert 'class="main"' not in told
        assert "Approve</button>" in told
    both = POLICY.replace("leads: [ada, bob]", "leads: [bob]")
    with at("ada", both, house.harness.registry) as house:
        house.harness.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
        trained(house.harness, "r2")
        told = words(panel(house, asked(house, 2)))
        assert "you are in no group that approves this (leads: Bob; risk: Eve)" in told


def test_a_quarantined_version_is_not_to_be_approved(at: At):
    with at("ada", ALONE) as house:
        for version in (1, 2):
            trained(house.harness, f"r{version}")
            house.harness.post("promotion.approve", by=ADA, model="taxi", version=version)
        open_ = asked(house, trained(house.harness, "r3"))
        version = house.harness.registry.version("taxi", 3)
        house.harness.record(StateSet("taxi", 3, version.created_at, Key.QUARANTINED, "wrong fares"))
        text = panel(house, open_)
        assert "No approval would count: the version is in quarantine (wrong fares)." in words(text)
        assert 'class="main"' not in text


# The rules, person by person.
def test_each_rule_says_who_agreed_and_who_is_missing(house: House):
    trained(house.harness, "r1")
    house.harness.post("promotion.approve", by=BOB, model="taxi", version=1, reason="fine fares")
    told = words(html(house, asked(house)))
    assert "1 of 1 leads : 1 must agree, 0 missing. Bob agreed" in told
    assert "0 of 1 risk : 1 must agree, 1 missing. May still approve: Eve" in told
    assert "fine fares" in told
    [leads, risk] = house.get(f"/v1{asked(house)}")["voting"]["rules"]
    assert ([each["name"] for each in leads["agreed"]], risk["agreed"]) == (["Bob"], [])
    assert re.search(r"1 of leads: is met; agreed: Bob, ", house.run("promotions", "show", "taxi", "1").output)


def test_after_its_end_the_rules_stay_while_the_policy_is_the_same(house: House, at: At):
    trained(house.harness, "r1")
    for who in (BOB, EVE):
        house.harness.post("promotion.approve", by=who, model="taxi", version=1)
    told = words(html(house, asked(house)))
    assert "1 of 1 leads Bob agreed" in told
    assert "Approved by Bob, Eve" in words(panel(house, asked(house)))
    with at("ada", POLICY.replace("threshold: 7", "threshold: 6"), house.harness.registry) as anew:
        told = words(html(anew, asked(house)))
        assert "of 1 leads" not in told
        assert "approve Bob" in told


def test_a_delegate_is_shown_for_whom(at: At):
    policy = POLICY.replace("bob: {name: Bob}", "bob: {name: Bob, delegate: {to: vera, until: 2099-12-31}}")
    with at("ada", policy.replace("leads: [ada, bob]", "leads: [bob]")) as house:
        trained(house.harness, "r1")
        from_vera = type(ADA)("vera", "Vera")
        house.harness.post("promotion.approve", by=from_vera, model="taxi", version=1)
        assert re.search(r"Vera agreed [^,]*, for Bob", words(html(house, asked(house))))


# Gates, time and metrics.
def test_better_and_worse_are_said_where_a_gate_says_what_is_better(at: At):
    with at("ada", ALONE) as house:
        house.harness.registry.trained("r1", rmse=5.0, r2=0.8, mae=3.0)
        house.harness.post("training_run.finished", model="taxi", run_id="r1")
        house.harness.post("promotion.approve", by=ADA, model="taxi", version=1)
        house.harness.registry.trained("r2", rmse=6.0, r2=0.9, mae=3.0)
        house.harness.post("training_run.finished", model="taxi", run_id="r2")
        found = re.findall(
            r'<th scope="row">(\w+)</th>.*?<span class="verdict">(.*?)</span></td></tr>', html(house, asked(house, 2))
        )
        assert dict(found) == {"rmse": '<span class="state bad">worse</span>', "r2": "higher", "mae": "same"}


def test_a_soak_and_the_deadlines_count_down(at: At):
    policy = ALONE.replace('gates: [{metric: rmse, op: "<", threshold: 7}]\n', "gates: [{soak: 3h}]\n").replace(
        "[{group: leads}]}", "[{group: leads}], expires_after: 2d, remind_every: 1d}"
    )
    with at("ada", policy) as house:
        trained(house.harness, "r1")
        told = words(html(house, asked(house)))
        assert re.search(r"closed at least 3h in the stage before .*? it opens in 2 h 59 min", told)
        assert strip(house, asked(house))["Gates"] == "now"
        assert "Approve</button>" not in panel(house, asked(house))
        [gate] = house.get(f"/v1{asked(house)}")["time_gates"]
        assert gate["until"]
        house.harness.later(hours=4)
        told = words(html(house, asked(house)))
        assert "open at least 3h in the stage before" in told
        assert re.search(r"It expires in \d d \d+ h if nobody decides", told)
        assert "The approvers are reminded in 1 d 3 h" in told


def test_a_freeze_says_until_when_and_may_be_approved_meanwhile(at: At):
    policy = ALONE.replace(
        'gates: [{metric: rmse, op: "<", threshold: 7}]\n', 'gates: [{freeze: "0 0 * * *", duration: 24h}]\n'
    )
    with at("ada", policy) as house:
        trained(house.harness, "r1")
        told = words(html(house, asked(house)))
        assert re.search(r"closed not for 24h from '0 0 \* \* \*' \(UTC\) frozen until .* it opens in ", told)
        assert '<button class="main" formnovalidate>Approve' in panel(house, asked(house))


def test_what_changed_of_the_policy_is_shown_in_lines(house: House, at: At):
    trained(house.harness, "r1")
    assert "policy-change" not in html(house, asked(house))
    changed = POLICY.replace("risk: [eve]", "risk: [bob, eve]")
    with at("ada", changed, house.harness.registry) as anew:
        text = html(anew, asked(house))
        assert "<ins>+ - bob</ins>" in text
        assert "<del>" not in text
        assert "No approval would count" not in words(panel(anew, asked(house)))
        assert "It can't be approved any more: cancel the request" in words(panel(anew, asked(house)))


# Once more.
def test_what_has_ended_is_requested_again_by_who_may(house: House):
    trained(house.harness, "r1")
    first = asked(house)
    assert "Request again" not in panel(house, first)
    house.harness.post("promotion.reject", by=BOB, model="taxi", version=1)
    assert "Request again" not in panel(house, first, token(house, "bob", "approver"))
    text = panel(house, first)
    assert "Request again" in text
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text))
    answer = requests.post(
        f"{house.url}{first}/request", data={**fields, "reason": "mended"}, timeout=10, allow_redirects=False
    )
    assert answer.status_code == 303, answer.text
    house.harness.work()
    again = asked(house)
    assert again != first
    assert "mended" in words(html(house, again))
    text = panel(house, first)
    assert f'href="{again}"' in text
    assert "Request again" not in text


def test_a_form_for_another_version_of_the_number_requests_nothing(house: House):
    trained(house.harness, "r1")
    house.harness.post("promotion.reject", by=BOB, model="taxi", version=1)
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', panel(house, asked(house))))
    answer = requests.post(f"{house.url}{asked(house)}/request", data={**fields, "seen": "x"}, timeout=10)
    assert answer.status_code == 409


def test_nobody_is_offered_to_cancel_what_is_not_theirs(at: At):
    with at(
        "eve",
        ALONE.replace("risk: [eve]", "risk: [eve], others: [eve]").replace(
            "access: {viewers: [vera]", "access: {viewers: [vera], approvers: [eve]"
        ),
    ) as house:
        trained(house.harness, "r1")
        text = panel(house, asked(house))
        assert "Cancel the request" not in text
        assert "Reject" in text


def test_what_can_not_be_met_says_why(at: At):
    policy = POLICY.replace("risk: [eve]", "risk: [bob]").replace("leads: [ada, bob]", "leads: [ada]")
    with at("ada", policy) as house:
        trained(house.harness, "r1")
        house.harness.post("promotion.cancel", by=ADA, model="taxi", version=1)
        house.harness.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
        told = words(panel(house, asked(house)))
        assert "stuck It can't be met any more: nobody is left who may give 1 more of risk." in told
        assert "Nobody is left who may approve." in words(html(house, asked(house)))
