"""The page of a model: who holds its targets and how they came there, its versions, its metrics."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
import requests

from registrar.ledger.disputes import Disputed
from registrar.policy.load import parse as parse_policy
from registrar.queries.target_cards import what_fills
from tests.actions.versions import trained
from tests.cli.setting import House, living
from tests.cli.test_what_came_of_it import deployed
from tests.dashboard.test_version_page import viewer
from tests.dashboard.test_what_is_shown import made_anew
from tests.worker.harness import ADA, BOB, CI

POLICY = """
version: 1
sources:
  operator: {kind: standard, secrets: ["file:whsec"], may: [{events: ["*"], models: ["*"]}]}
people:
  ada: {name: Ada}
  bob: {name: Bob}
  vera: {name: Vera}
groups:
  leads: [ada, bob, "source:operator"]
access: {viewers: [vera], operators: [ada]}
models:
  taxi:
    targets:
      - {stage: Staging, alias: challenger, gates: [{metric: rmse, op: "<", threshold: 7}], approval: automatic}
      - stage: Production
        alias: champion
        gates:
          - {metric: rmse, baseline: "@champion", greater_is_better: false, min_relative_change: 0.01}
        approval: {rules: [{group: leads}]}
        deploy: {to: [log], environment: prod, confirm_within: 15m}
channels:
  log: {kind: log}
"""


@pytest.fixture
def house(tmp_path, ledger, ledger_url) -> Iterator[House]:
    with living(tmp_path, ledger, ledger_url, policy=POLICY, operator="ada") as house:
        yield house


def html(house: House, path: str = "/models/taxi", **more: str) -> str:
    answer = requests.get(house.url + path, timeout=10, headers=more)
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", answer.text)


def text(markup: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", markup))).strip()


def card(house: House, stage: str) -> str:
    """What the card of a target says."""
    return text(markup(house, stage))


def markup(house: House, stage: str, **more: str) -> str:
    found = re.search(rf'<section class="target[^>]*id="target-{stage.lower()}".*?</section>', html(house, **more))
    assert found
    return found[0]


def badges(house: House, path: str = "/models/taxi") -> dict[int, list[str]]:
    """By version, in the order of the page's table."""
    rows = re.findall(r'version (\d+)</a></strong>.*?<td class="badges">(.*?)</td>', html(house, path))
    return {int(number): re.findall(r'<span class="state \w+">([^<]+)</span>', found) for number, found in rows}


def good(house: House, run: str, rmse: float) -> int:
    return trained(house.harness, run, rmse=rmse)


def promoted(house: House, run: str, rmse: float) -> int:
    number = good(house, run, rmse)
    house.harness.post("promotion.approve", by=ADA, model="taxi", version=number)
    return number


# Cards.
def test_an_empty_target_says_what_would_fill_it(house: House):
    good(house, "r1", 9.0)
    assert card(house, "Production") == (
        "Production empty A version in Staging comes here by itself once it passes rmse better than @champion's by 1 % "
        "and 1 of leads approves."
    )
    assert card(house, "Staging") == (
        "Staging empty A registered version comes here by itself once it passes rmse < 7."
    )


def test_production_comes_first_with_its_version_and_who_approved_it(house: House):
    promoted(house, "r1", 6.5)
    good(house, "r2", 6.0)
    found = html(house)
    assert found.index('id="target-production"') < found.index('id="target-staging"')
    said = card(house, "Production")
    assert said.startswith("Production @champion deployment not confirmed yet version 1 since")
    assert "approved by Ada" in said
    assert "rmse 6.5 rmse better than @champion's by 1 %" in said
    staging = card(house, "Staging")
    assert "version 2 since" in staging
    assert "automatic: it needed no approval" in staging
    assert "deployment not tracked" in staging
    assert "rmse 6 rmse < 7" in staging


def test_what_waits_for_a_target_is_on_its_card_and_says_if_it_waits_for_you(house: House):
    promoted(house, "r1", 6.5)
    good(house, "r2", 6.0)
    assert "awaiting approval version 2 for Production waits for you" in card(house, "Production")
    assert "waits for you" not in text(markup(house, "Production", **viewer(house)))


@pytest.mark.parametrize(
    ("report", "said"),
    [("succeeded", "live"), ("failed", "not live: deployment failed"), (None, "not live: not confirmed in time")],
)
def test_a_card_says_whether_its_version_is_deployed(house: House, report: str | None, said: str):
    promoted(house, "r1", 6.5)
    if report:
        deployed(house, report, 1)
    else:
        house.harness.later(minutes=16)
    assert card(house, "Production").startswith(f"Production @champion deployment {said} version 1")


def test_who_broke_the_glass_and_who_rolled_back_is_said(house: House):
    promoted(house, "r1", 6.5)
    promoted(house, "r2", 6.0)
    house.harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    said = card(house, "Production")
    assert "version 1 since" in said
    assert "put back by a rollback of Ada" in said


def test_what_was_moved_by_hand_says_so(house: House):
    good(house, "r1", 9.0)
    house.harness.registry.set_stage("taxi", 1, "Production")
    house.harness.post("registry.reconcile", by=CI, model="taxi")
    said = card(house, "Production")
    assert "moved by hand in MLflow, which does not say by whom" in said
    assert "approved" not in said.replace("awaiting approval", "")


def test_what_is_held_beside_the_targets_is_named_and_shortened(house: House):
    for nth in range(13):
        house.harness.registry.trained(f"r{nth}", rmse=9.0)
        good(house, f"r{nth}", 9.0)
        house.harness.post("model_version.archive", by=ADA, model="taxi", version=nth + 1)
    found = text(html(house))
    assert "Archived versions 13 , 12 , 11" in found
    assert ", 4 and 3 more" in found


def test_nothing_is_offered_that_would_be_refused(house: House):
    promoted(house, "r1", 6.5)
    promoted(house, "r2", 6.0)
    good(house, "r3", 5.5)
    house.harness.post("promotion.cancel", by=BOB, model="taxi", version=3)
    production, staging = markup(house, "Production"), markup(house, "Staging")
    assert re.findall(r'class="button"[^>]*>([^<]+)</a>', production) == ["Demote", "Plan the rollback"]
    assert "Ask again for Production" in re.findall(r'class="button"[^>]*>([^<]+)</a>', staging)
    looking = viewer(house)
    for stage in ("Production", "Staging"):
        assert 'class="button"' not in markup(house, stage, **looking)
    assert "Plan the rollback" not in html(house, **looking)
    house.harness.record(Disputed("taxi", "MLflow has nothing of taxi, and the record has"))
    assert 'class="button"' not in markup(house, "Production")


# Versions.
def test_each_version_has_its_badges(house: House):
    promoted(house, "r1", 6.5)
    promoted(house, "r2", 6.0)
    deployed(house, "succeeded", 2)
    house.harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    good(house, "r3", 9.0)
    found = badges(house)
    assert found[3] == ["held back from Staging"]
    assert found[2][-3:] == ["quarantined", "rolled back", "champion before"]
    assert {"Production", "@champion"} <= set(found[1])
    assert "asked for by" in text(html(house))


def test_a_version_that_was_registered_in_mlflow_has_a_badge(house: House):
    good(house, "r1", 6.5)
    registry = house.harness.registry
    registry.trained("r-hand", rmse=6.0)
    registry.create_version("taxi", registry.sources["r-hand", "model"], run_id="r-hand", description="", tags={})
    house.harness.post("registry.reconcile", by=CI, model="taxi")
    assert "registered in MLflow" in badges(house)[2]
    assert "registered in MLflow" not in badges(house)[1]


def test_versions_come_a_page_at_a_time_with_what_was_asked_of_the_oldest(house: House, monkeypatch):
    monkeypatch.setattr("registrar.queries.model_record.VERSIONS", 2)
    for nth in range(1, 6):
        good(house, f"r{nth}", 6.0 if nth == 1 else 9.0)
    seen: list[int] = []
    path = "/models/taxi"
    while path:
        page = html(house, path)
        found = badges(house, path)
        seen += list(found)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        path = unescape(older[1]).partition("#")[0] if older else ""
    assert seen == [5, 4, 3, 2, 1]
    assert "Staging" in found[1]
    first = html(house)
    assert "The newest 2 versions that the record knows." in text(first)
    assert "Versions 2 to 3." in text(html(house, "/models/taxi?before=4"))
    assert "The newest versions" in text(html(house, "/models/taxi?before=4"))
    for nothing in (0, 1):
        assert f"knows no version below {nothing}" in text(html(house, f"/models/taxi?before={nothing}"))


def test_no_version_of_a_deleted_model_is_listed(house: House):
    for nth in range(1, 4):
        good(house, f"r{nth}", 6.0)
    made_anew(house)
    assert list(badges(house)) == [1]


# Metrics.
def test_the_metric_of_the_gate_is_drawn_with_its_line_and_its_numbers(house: House):
    promoted(house, "r1", 6.5)
    good(house, "r2", 9.0)
    found = html(house)
    assert "rmse over versions</h2>" in found
    assert "gate of Staging: rmse &lt; 7" in found
    assert "Gate of Production: rmse better than @champion's by 1 %" in text(found)
    assert '<path class="champion"' in found
    assert '<path class="held-back"' in found
    table = text(found.partition('<table class="numbers">')[2].partition("</table>")[0])
    assert table.endswith("version 2 9 held back from Staging version 1 6.5 champion now")


def test_another_metric_is_chosen_by_a_link(house: House):
    house.harness.registry.trained("r1", rmse=6.5, mae=3.5, r2=0.9)
    house.harness.post("training_run.finished", model="taxi", run_id="r1")
    assert re.findall(r'href="(/models/taxi\?metric=[^"]+)"', html(house))[:3] == [
        f"/models/taxi?metric={name}#metric" for name in ("rmse", "mae", "r2")
    ]
    found = html(house, "/models/taxi?metric=mae")
    assert "mae over versions</h2>" in found
    assert 'aria-current="true">mae</a>' in found
    assert "rmse over versions</h2>" in html(house, "/models/taxi?metric=nonsense")


def test_better_and_worse_is_said_in_words(house: House):
    promoted(house, "r1", 6.5)
    good(house, "r2", 6.0)
    table = html(house).partition('aria-label="Champion against challenger"')[2].partition("</table>")[0]
    assert "-0.5 (-7.69 %) ▲ better" in text(table)


# Lead time.
def test_the_lead_time_is_the_median_of_what_was_promoted(house: House):
    assert "Lead time" not in text(html_of_first(house))
    for nth, hours in enumerate((1, 2, 9), 2):
        house.harness.registry.born = house.harness.now()
        number = good(house, f"r{nth}", 6.4 - nth / 5)
        house.harness.later(hours=hours)
        house.harness.post("promotion.approve", by=ADA, model="taxi", version=number)
    found = text(html(house))
    assert "Lead time: 2 h from the registration of a version in MLflow to its first holding of Production" in found
    assert "the median of the last 3 versions that were promoted there" in found


def html_of_first(house: House) -> str:
    good(house, "r1", 9.0)
    return html(house)


# Compare.
def test_two_versions_side_by_side(house: House):
    house.harness.registry.trained("r1", rmse=6.5, mae=3.0)
    house.harness.registry.trained("r2", rmse=6.0, r2=0.9)
    for run in ("r1", "r2"):
        house.harness.registry.files[f"models/taxi/{run[1]}"] = {"MLmodel": run.encode()}
        house.harness.post("training_run.finished", model="taxi", run_id=run, commit="c0ffee", tags={"data": run})
        house.harness.post("promotion.approve", by=ADA, model="taxi", version=int(run[1]))
    found = html(house, "/models/taxi/compare?a=1&b=2")
    said = text(found)
    assert "rmse 6.5 6 -0.5 (-7.69 %) ▲ better" in said
    for what in (
        "mae 3 – –",
        "r2 – 0.9 –",
        "commit c0ffee c0ffee same",
        "tag data r1 r2 different",
        "run r1 in MLflow r2 in MLflow different",
    ):
        assert what in said.replace(" in MLflow in MLflow", " in MLflow"), what
    assert "Production @champion, " in said
    assert "approved by Ada" in said
    assert "The record has no parameters" in said
    swapped = text(html(house, "/models/taxi/compare?a=2&b=1"))
    assert "rmse 6 6.5 +0.5 (+8.33 %) ▼ worse" in swapped
    assert house.get("/v1/models/taxi/compare?a=1&b=2")["metrics"][0] == {
        "name": "rmse",
        "a": 6.5,
        "b": 6.0,
        "difference": -0.5,
        "verdict": "better",
    }


@pytest.mark.parametrize("path", ["?a=1&b=9", "?a=0&b=1", "?a=1&b=99999999999999999"])
def test_what_the_record_lacks_can_not_be_compared(house: House, path: str):
    good(house, "r1", 6.5)
    answer = requests.get(f"{house.url}/models/taxi/compare{path}", timeout=10)
    assert answer.status_code == 404
    assert "the record knows no version" in answer.text


def test_the_page_of_a_model_offers_to_compare_its_champion(house: House):
    promoted(house, "r1", 6.5)
    assert "Compare two versions" not in html(house)
    good(house, "r2", 6.0)
    form = html(house).partition('aria-label="Compare two versions"')[2].partition("</form>")[0]
    assert re.findall(r'<option value="(\d)" selected>', form) == ["1", "2"]


def test_the_command_says_the_same(house: House):
    promoted(house, "r1", 6.5)
    good(house, "r2", 6.0)
    shown = house.run("compare", "taxi", "1", "2")
    assert shown.exit_code == 0, shown.output
    assert re.search(r"rmse +6\.5 +6 +-0\.5 +better", shown.output)
    assert "approved by Ada" in shown.output
    assert house.run("compare", "taxi", "1", "9").exit_code == 1
    assert "did you mean taxi?" in house.run("compare", "taxy", "1", "2").stderr
    assert house.run("compare", "taxi", "1", "1").exit_code == 2


# What fills a target, in words.
@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("{stage: Staging, approval: automatic}", "A registered version comes here by itself."),
        (
            "{stage: Staging, request: on_request, approval: {rules: [{group: leads, required_approvals: 2}]}}",
            "A registered version comes here when somebody asks for it, once 2 of leads approve.",
        ),
        (
            "{stage: Production, from: [None, Staging], approval: automatic, "
            'gates: [{tags: [ok]}, {metric: f1, op: ">", threshold: 0.5}, {soak: 24h}]}',
            "A registered version or one in Staging comes here by itself once it passes tagged ok and f1 > 0.5; "
            "at least 24h in the stage before.",
        ),
        (
            "{stage: Staging, approval: {rules: [{group: leads}, {group: risk}]}}",
            "A registered version comes here by itself once 1 of leads and 1 of risk approve.",
        ),
    ],
)
def test_what_fills_a_target_is_a_sentence(target: str, said: str):
    policy = parse_policy(
        f"version: 1\npeople: {{ada: {{name: Ada}}, bob: {{name: Bob}}}}\ngroups: {{leads: [ada, bob], risk: [ada]}}\n"
        f"models:\n  taxi:\n    targets:\n      - {target}\n"
    ).model("taxi")
    assert what_fills(policy, policy.targets[0]) == said
