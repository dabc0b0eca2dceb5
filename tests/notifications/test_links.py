"""A card leads to the page of what it asks, names nobody who may not answer, and has buttons only where they count."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from registrar.config.settings import Settings
from registrar.policy.load import parse
from tests.notifications.samples import ASKED, ENCRYPTOR, MOVED, notice
from tests.policies import approval
from tests.worker.harness import ADA, BOB, CI, WorkerHarness
from worker.notifications.channels import _page
from worker.notifications.notifiers import discord, email, mattermost, slack, teams
from worker.promotions.transition_rules import excluded_approvers, required_approvals

PAGE = "https://registrar.example.com/promotions/prm_1"
MAIL = {"from": "registrar@example.com", "to": ["ada@example.com"]}


def written(kind: str, page: str | None) -> str:
    open_request = replace(notice(ASKED, **(MAIL if kind == "email" else {})), page=page)
    match kind:
        case "slack":
            return json.dumps(slack.message(open_request, ENCRYPTOR))
        case "mattermost":
            return json.dumps(mattermost.message(open_request, ENCRYPTOR))
        case "discord":
            return json.dumps(discord.message(open_request, ENCRYPTOR))
        case "teams":
            return json.dumps(teams.message(open_request))
        case _:
            return email.message(open_request).get_content()


@pytest.mark.parametrize("kind", ["slack", "mattermost", "discord", "teams", "email"])
def test_each_card_leads_to_the_page_where_there_is_an_address(kind: str):
    assert PAGE in written(kind, PAGE)
    assert "Open in Registrar" not in written(kind, None)


@pytest.mark.parametrize("kind", ["slack", "mattermost", "discord"])
def test_no_card_has_buttons_where_no_source_takes_their_presses(kind: str):
    """notice() has none."""
    assert ('"button"' in written(kind, None), '"style"' in written(kind, None)) == (False, False)


def test_the_page_is_the_promotions_or_the_models():
    settings = replace(Settings.of_file(Path("registrar.yml"), {}), public_url="https://registrar.example.com/")
    assert _page(ASKED, settings) == f"https://registrar.example.com/promotions/{ASKED.details['promotion']}"
    other = replace(MOVED, model="nyc taxi?", details={})
    assert _page(other, settings) == "https://registrar.example.com/models/nyc%20taxi%3F"
    assert _page(ASKED, replace(settings, public_url=None)) is None


@pytest.fixture
def harness(ledger, tmp_path) -> WorkerHarness:
    return WorkerHarness(ledger, tmp_path)


def open_request(harness: WorkerHarness) -> str:
    return harness.fact("promotion.awaiting_approval")


def test_who_is_excluded_is_not_named_as_one_who_may_approve(harness):
    excluding = approval("{rules: [{group: leads}], exclude: [requester, author]}").replace(
        "bob: {name: Bob}", "bob: {name: Bob, accounts: {mlflow: bobby}}"
    )
    harness.policy(excluding)
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", by=CI, model="taxi", run_id="r1")
    assert open_request(harness).endswith("1 of Ada, Bob (leads)")
    harness.post("promotion.cancel", by=ADA, model="taxi", version=1)
    harness.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
    assert open_request(harness).endswith("1 of Ada (leads)")


def test_where_nobody_is_left_the_card_says_so(harness):
    harness.policy(
        approval("{rules: [{group: one}], exclude: [requester]}").replace("  leads:", "  one: [bob]\n  leads:")
    )
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", by=CI, model="taxi", run_id="r1")
    harness.post("promotion.cancel", by=BOB, model="taxi", version=1)
    harness.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
    assert open_request(harness).endswith("1 of nobody who may (one)")


def test_the_author_is_not_named():
    policy = parse(
        approval("{rules: [{group: leads}], exclude: [author]}").replace(
            "bob: {name: Bob}", "bob: {name: Bob, accounts: {mlflow: bobby}}"
        )
    )
    target = policy.model("taxi").targets[1]
    assert (
        required_approvals(policy, target, excluded_approvers(policy, target, requester="ada", trained_by="bobby"))
        == "1 of Ada (leads)"
    )
