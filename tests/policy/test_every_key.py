"""Every key of registrar.yml: what comes of the same events with it, and with another value, is not the same."""

import importlib
import re
import shutil
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydantic import BaseModel
from sqlalchemy import select

from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate
from registrar.ledger.tables import tasks
from registrar.policy.document import Policy
from tests.policies import approval, gate_on_production, gate_on_staging, model, production
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY, WorkerHarness
from worker import registry_poll

Story = Callable[[WorkerHarness], None]
_TIMES = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")


def trained(harness: WorkerHarness, run: str = "r1", rmse: float = 5.0, mae: float = 1.0) -> None:
    harness.registry.trained(run, rmse=rmse, mae=mae)
    harness.post("training_run.finished", model="taxi", run_id=run)


def approved(harness: WorkerHarness, number: int = 1, *, by=ADA, **given: object) -> None:
    harness.post("promotion.approve", by=by, model="taxi", version=number, **given)


def one(harness: WorkerHarness) -> None:
    """A version is trained and approved."""
    trained(harness)
    approved(harness)


def two(harness: WorkerHarness) -> None:
    """Two versions, one after the other, each approved as it comes."""
    for number, run in enumerate(("r1", "r2"), start=1):
        trained(harness, run, 5.0 - number / 10)
        approved(harness, number)


def worse(harness: WorkerHarness) -> None:
    """The second version is worse than the first."""
    for number, run in enumerate(("r1", "r2"), start=1):
        trained(harness, run, 5.0 + number / 10)
        approved(harness, number)


def two_requests(harness: WorkerHarness) -> None:
    """A second version asks before anybody answered about the first."""
    for run in ("r1", "r2"):
        trained(harness, run)


def asked_by_ada(harness: WorkerHarness) -> None:
    trained(harness)
    harness.post("promotion.reject", by=BOB, model="taxi", version=1)
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")
    approved(harness)


def unanswered(harness: WorkerHarness) -> None:
    trained(harness)
    for _ in range(5):
        harness.later(hours=10)


def evaluated(harness: WorkerHarness) -> None:
    trained(harness)
    run = harness.registry.evaluated("e1", 1, rmse=6.5)
    harness.registry.runs["e1"] = replace(run, started_at=harness.now())
    harness.later(hours=5)
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")


def tagged(harness: WorkerHarness) -> None:
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1", tags={"dataset": "abc"})


def signed(harness: WorkerHarness) -> None:
    harness.registry.files["models/taxi/1"] = {"MLmodel": b"flavors: {}"}
    trained(harness)


def written_over(harness: WorkerHarness) -> None:
    """The weights are exchanged for others of the same size before the approval."""
    for weights in (b"weights", b"WEIGHTS"):
        harness.registry.files["models/taxi/1"] = {"MLmodel": b"flavors: {}", "weights": weights}
        if weights.islower():
            trained(harness)
    approved(harness)


def patient(harness: WorkerHarness) -> None:
    """Hours go by between the approval and a look at what came of it."""
    trained(harness)
    harness.later(hours=2)
    approved(harness)
    harness.later(hours=2)


def deployed(harness: WorkerHarness) -> None:
    """The second version's deployment fails in prod, and then nothing is heard."""
    for number, run in enumerate(("r1", "r2"), start=1):
        harness.registry.files[f"models/taxi/{number}"] = {"MLmodel": b""}
        trained(harness, run)
        approved(harness, number)
        harness.later(minutes=5)
    harness.post("deployment.failed", by=CI, model="taxi", version=2, environment="prod")
    harness.later(hours=1)


def moved_by_hand(harness: WorkerHarness) -> None:
    two(harness)
    harness.registry.set_stage("taxi", 1, "Production")
    harness.later(hours=3)


def asked_what_changed(harness: WorkerHarness) -> None:
    two(harness)
    registry_poll.poll(harness.context)
    harness.registry.set_alias("taxi", "champion", 1)
    registry_poll.poll(harness.context)
    harness.work()


def reconciled(harness: WorkerHarness) -> None:
    moved_by_hand(harness)
    harness.post("registry.reconcile", model="taxi")


def registered_by_hand(harness: WorkerHarness) -> None:
    """One version by an event, the next in MLflow itself."""
    trained(harness)
    harness.registry.trained("r2", rmse=5.0)
    source = harness.registry.sources["r2", "model"]
    harness.registry.create_version("taxi", source, run_id="r2", description="", tags={})
    harness.post("registry.changed", model="taxi", change="model_version.created", version=2)


def old(harness: WorkerHarness) -> None:
    """Two versions, and months without a prune that anybody asked for."""
    two(harness)
    for days in (40, 10):
        harness.later(days=days)


def pruned(harness: WorkerHarness) -> None:
    two(harness)
    for days in (40, 10):
        harness.later(days=days)
        harness.post("model.prune", model="taxi")


def glass(harness: WorkerHarness) -> None:
    trained(harness)
    approved(harness, by=EVE, break_glass=True, reason="wrong prices")


def voted(harness: WorkerHarness) -> None:
    """Everybody says yes, one after the other."""
    trained(harness)
    for person in (EVE, ADA, BOB):
        approved(harness, by=person)


def outcome(harness: WorkerHarness) -> object:
    """What was told, and how MLflow, the record and the votes are left."""
    query = select(tasks.c.args, tasks.c.state).where(tasks.c.name == "worker.notify").order_by(tasks.c.seq)
    with harness.ledger.read() as connection:
        rows = connection.execute(query).all()
    told = harness.told_facts()
    said = [
        (row.args["channel"], fact.type, _TIMES.sub("then", fact.text), row.state)
        for row, fact in zip(rows, told, strict=True)
    ]
    aliases = harness.registry.model("taxi").aliases if harness.stages() else {}
    return said, harness.stages(), dict(aliases), harness.promotions(), harness.votes(), harness.holding()


@dataclass(frozen=True)
class Change:
    """The same story under two policies; or the key's test elsewhere, as module:test."""

    story: Story = one
    before: str = POLICY
    after: str = ""
    elsewhere: str = ""


def old_and_new(story: Story, before: str, old: str, new: str) -> Change:
    assert old in before, old
    return Change(story, before, before.replace(old, new))


def elsewhere(test: str) -> Change:
    return Change(elsewhere=test)


ROLES = "tests.auth.test_roles"
RULES = "{rules: [{group: leads}]}"
LAST_TARGET = f"      - {{stage: Production, alias: champion, approval: {RULES}}}\n"
LIMITED = "tests.webhooks.test_rate_limit:test_a_request_beyond_the_sources_limit_is_429_says_when_and_is_recorded"
LACKING = "tests.notifications.test_notifiers:test_a_channel_without_address_or_secret_says_what_to_add"
WITH_RISK = POLICY.replace("leads: [ada, bob]", "leads: [ada, bob]\n  risk: [eve]")
SERVING = POLICY.replace("channels:", "channels:\n  serving: {kind: log}\n  other: {kind: log}")
DEPLOY = production("deploy: {to: [serving], environment: prod, confirm_within: 15m, on_failure: rollback}", SERVING)
DELEGATE = POLICY.replace("ada: {name: Ada}", "ada: {name: Ada, delegate: {to: eve, until: 2999-01-01}}")
ESCALATE = approval("{rules: [{group: leads}], escalate: {after: 15h, to: [serving]}}", SERVING)
BEATS = '{metric: rmse, baseline: "@champion", greater_is_better: false, when_no_baseline: pass}'
FREEZE = '{freeze: "* * * * *", duration: 12h, zone: UTC}'
KEPT = model("retention: {keep_last: 1, older_than: 30d, grace: 7d}")
QUIET = SERVING.replace('outcomes: ["*"]', "outcomes: [task.dead]")

CHANGES = {
    "Policy.version": elsewhere("tests.policy.test_load:test_a_complaint_names_the_line_and_what_would_be_right"),
    "Policy.sources": elsewhere("tests.webhooks.test_error_handlers:test_an_unknown_source_is_404"),
    "Policy.max_unfinished": elsewhere("tests.webhooks.test_capacity:test_over_the_bound_in_all_everybody_waits"),
    "Policy.people": old_and_new(one, POLICY, "{name: Ada}", "{name: Augusta}"),
    "Policy.groups": old_and_new(one, POLICY, "leads: [ada, bob]", "leads: [bob]"),
    "Policy.models": old_and_new(one, POLICY, "  taxi:\n", "  bus:\n"),
    "Policy.channels": old_and_new(one, POLICY, "log: {kind: log}", "log: {kind: webhook}"),
    "Policy.notify": old_and_new(one, POLICY, 'outcomes: ["*"]', 'outcomes: ["promotion.*"]'),
    "Source.kind": elsewhere("tests.webhooks.test_start:test_a_wrong_registrar_yml"),
    "Source.secrets": elsewhere("tests.webhooks.test_error_handlers:test_another_secret_is_401"),
    "Source.may": elsewhere("tests.policy.test_policy:test_a_source_may_send_what_is_granted_and_nothing_else"),
    "Source.max_bytes": elsewhere("tests.webhooks.test_error_handlers:test_a_body_over_the_sources_limit_is_413"),
    "Source.rate_limit": elsewhere(
        "tests.webhooks.test_rate_limit:test_a_request_beyond_the_sources_limit_is_429_says_when_and_is_recorded"
    ),
    "Source.max_unfinished": elsewhere(
        "tests.webhooks.test_capacity:test_a_source_over_its_bound_is_503_and_the_others_are_not"
    ),
    "Source.tolerance": elsewhere("tests.webhooks.test_error_handlers:test_a_stale_timestamp_is_401"),
    "Source.options": elsewhere("tests.webhooks.test_ci:test_a_dispatch_beyond_the_grants_is_a_403"),
    "Source.reply_to": elsewhere("tests.webhooks.test_reply_address:test_any_other_address_is_refused"),
    "Grant.events": elsewhere("tests.policy.test_policy:test_a_source_may_send_what_is_granted_and_nothing_else"),
    "Grant.models": elsewhere("tests.policy.test_policy:test_a_source_may_send_what_is_granted_and_nothing_else"),
    "Person.name": old_and_new(one, POLICY, "bob: {name: Bob}", "bob: {name: Robert}"),
    "Person.accounts": old_and_new(
        one,
        approval("{rules: [{group: leads}], exclude: [author]}").replace(
            "name: Ada", "name: Ada, accounts: {mlflow: a}"
        ),
        "{mlflow: a}",
        "{mlflow: ada}",
    ),
    "Person.delegate": Change(voted, POLICY, DELEGATE),
    "Delegate.to": old_and_new(voted, DELEGATE, "to: eve", "to: bob"),
    "Delegate.until": old_and_new(voted, DELEGATE, "2999-01-01", "2020-01-01"),
    "ModelPolicy.artifact_path": Change(one, POLICY, model("artifact_path: regressor")),
    "ModelPolicy.mode": Change(two, POLICY, model("mode: aliases")),
    "ModelPolicy.register_": Change(registered_by_hand, POLICY, model("register: {from_mlflow: tell}")),
    "Register.from_mlflow": Change(
        registered_by_hand, model("register: {from_mlflow: tell}"), model("register: {from_mlflow: ignore}")
    ),
    "ModelPolicy.targets": Change(
        one, POLICY, POLICY.replace(f"      - {{stage: Production, alias: champion, approval: {RULES}}}\n", "")
    ),
    "ModelPolicy.drift": Change(reconciled, POLICY, model("drift: revert")),
    "ModelPolicy.compare_content_mb": Change(written_over, POLICY, model("compare_content_mb: 0")),
    "ModelPolicy.reconcile_every": Change(moved_by_hand, POLICY, model("reconcile_every: 1h")),
    "ModelPolicy.poll_every": Change(asked_what_changed, POLICY, model("poll_every: 1h")),
    "ModelPolicy.retention": Change(pruned, POLICY, KEPT),
    "Retention.keep_last": old_and_new(pruned, KEPT, "keep_last: 1", "keep_last: 2"),
    "Retention.older_than": old_and_new(pruned, KEPT, "older_than: 30d", "older_than: 99d"),
    "Retention.grace": old_and_new(pruned, KEPT, "grace: 7d", "grace: 20d"),
    "Retention.schedule": old_and_new(old, KEPT, "grace: 7d", 'grace: 7d, schedule: "0 3 * * *"'),
    "Retention.group": old_and_new(pruned, KEPT, "grace: 7d", "grace: 7d, group: leads"),
    "Target.stage": Change(one, POLICY, POLICY.replace(LAST_TARGET, "").replace("Staging", "Production")),
    "Target.alias": old_and_new(one, POLICY, "alias: champion", "alias: live"),
    "Target.previous_alias": Change(two, POLICY, production("previous_alias: previous")),
    "Target.from_": Change(one, POLICY, production("from: [Archived]")),
    "Target.exclusive": Change(two, POLICY, production("exclusive: false, on_replace: keep")),
    "Target.on_replace": Change(two, POLICY, production("on_replace: staging")),
    "Target.request": Change(one, POLICY, production("request: on_request")),
    "Target.gates": Change(one, POLICY, gate_on_staging("{tags: [dataset]}")),
    "Target.approval": Change(one, POLICY, approval("automatic")),
    "Target.deploy": Change(two, SERVING, DEPLOY),
    "Threshold.metric": Change(one, POLICY, gate_on_staging('{metric: mae, op: "<", threshold: 0.5}')),
    "Threshold.of": Change(
        evaluated,
        gate_on_staging('{metric: rmse, op: "<", threshold: 6}'),
        gate_on_staging('{metric: rmse, of: evaluation, op: "<", threshold: 6}'),
    ),
    "Threshold.op": Change(one, POLICY, gate_on_staging('{metric: rmse, op: ">", threshold: 7}')),
    "Threshold.threshold": Change(one, POLICY, gate_on_staging('{metric: rmse, op: "<", threshold: 4}')),
    "Comparison.metric": Change(two, gate_on_production(BEATS), gate_on_production(BEATS.replace("rmse", "mae"))),
    "Comparison.of": Change(
        two, gate_on_production(BEATS), gate_on_production(BEATS.replace("rmse,", "rmse, of: evaluation,"))
    ),
    "Comparison.baseline": Change(
        worse, gate_on_production(BEATS), gate_on_production(BEATS.replace("@champion", "@nobody"))
    ),
    "Comparison.greater_is_better": Change(
        two, gate_on_production(BEATS), gate_on_production(BEATS.replace("better: false", "better: true"))
    ),
    "Comparison.min_absolute_change": Change(
        two, gate_on_production(BEATS), gate_on_production(BEATS.replace("}", ", min_absolute_change: 0.5}"))
    ),
    "Comparison.min_relative_change": Change(
        two, gate_on_production(BEATS), gate_on_production(BEATS.replace("}", ", min_relative_change: 0.5}"))
    ),
    "Comparison.when_no_baseline": Change(
        one, gate_on_production(BEATS), gate_on_production(BEATS.replace("pass", "fail"))
    ),
    "RequiredTags.tags": Change(one, gate_on_staging("{tags: [git_commit]}"), gate_on_staging("{tags: [dataset]}")),
    "RequiredTags.by": Change(
        tagged,
        gate_on_staging("{tags: [dataset]}"),
        gate_on_staging("{tags: [dataset], by: evals}").replace(
            "people:", "  evals: {kind: standard, secrets: [env:EVALS]}\npeople:"
        ),
    ),
    "MaxAge.max_age": Change(one, gate_on_staging("{max_age: 9999d}"), gate_on_staging("{max_age: 1s}")),
    "Evaluated.evaluated_within": Change(
        evaluated, gate_on_staging("{evaluated_within: 9h}"), gate_on_staging("{evaluated_within: 4h}")
    ),
    "Signature.signature": Change(signed, POLICY, gate_on_staging("{signature: required}")),
    "Soak.soak": Change(patient, gate_on_production("{soak: 1h}"), gate_on_production("{soak: 3h}")),
    "Freeze.freeze": Change(
        patient, gate_on_production(FREEZE), gate_on_production(FREEZE.replace("* * * * *", "0 0 1 1 *"))
    ),
    "Freeze.duration": Change(
        patient,
        gate_on_production(FREEZE.replace("* * * * *", "0 0 1 1 *")),
        gate_on_production(FREEZE.replace("* * * * *", "0 0 1 1 *").replace("12h", "366d")),
    ),
    "Freeze.zone": elsewhere("tests.actions.test_timing:test_a_freeze_is_where_its_zone_says"),
    "MaxPerDay.max_per_day": Change(
        two, gate_on_production("{max_per_day: 2}"), gate_on_production("{max_per_day: 1}")
    ),
    "Approval.rules": Change(voted, WITH_RISK, approval("{rules: [{group: leads}, {group: risk}]}", WITH_RISK)),
    "Approval.exclude": Change(asked_by_ada, POLICY, approval("{rules: [{group: leads}], exclude: [requester]}")),
    "Approval.reject_reason": Change(
        asked_by_ada, POLICY, approval("{rules: [{group: leads}], reject_reason: required}")
    ),
    "Approval.expires_after": Change(unanswered, POLICY, approval("{rules: [{group: leads}], expires_after: 25h}")),
    "Approval.remind_every": Change(unanswered, POLICY, approval("{rules: [{group: leads}], remind_every: 12h}")),
    "Approval.escalate": Change(unanswered, SERVING, ESCALATE),
    "Approval.on_newer_candidate": Change(
        two_requests, POLICY, approval("{rules: [{group: leads}], on_newer_candidate: keep}")
    ),
    "Approval.break_glass": Change(
        glass, WITH_RISK, approval("{rules: [{group: leads}], break_glass: {group: risk}}", WITH_RISK)
    ),
    "Rule.group": Change(voted, WITH_RISK, approval("{rules: [{group: risk}]}", WITH_RISK)),
    "Rule.required_approvals": Change(voted, POLICY, approval("{rules: [{group: leads, required_approvals: 2}]}")),
    "Escalation.after": old_and_new(unanswered, ESCALATE, "after: 15h", "after: 99d"),
    "Escalation.to": Change(
        unanswered,
        ESCALATE.replace('outcomes: ["*"]', "outcomes: [promotion.awaiting_approval]"),
        ESCALATE.replace('outcomes: ["*"]', "outcomes: [promotion.awaiting_approval]").replace(
            "to: [serving]", "to: [serving, other]"
        ),
    ),
    "BreakGlass.group": old_and_new(
        glass,
        approval("{rules: [{group: leads}], break_glass: {group: risk}}", WITH_RISK),
        "break_glass: {group: risk}",
        "break_glass: {group: leads}",
    ),
    "Deploy.to": old_and_new(two, DEPLOY, "to: [serving]", "to: [serving, other]"),
    "Deploy.environment": old_and_new(deployed, DEPLOY, "environment: prod", "environment: canary"),
    "Deploy.confirm_within": old_and_new(deployed, DEPLOY, "confirm_within: 15m", "confirm_within: 2m"),
    "Deploy.on_failure": old_and_new(deployed, DEPLOY, "on_failure: rollback", "on_failure: alert"),
    "Channel.kind": elsewhere("tests.notifications.test_notifiers:test_every_kind_has_a_fixture_of_what_goes_out"),
    "Channel.url": elsewhere(
        "tests.notifications.test_notifiers:test_a_channel_without_address_or_secret_says_what_to_add"
    ),
    "Channel.secret": elsewhere(
        "tests.notifications.test_notifiers:test_a_channel_without_address_or_secret_says_what_to_add"
    ),
    "Channel.buttons": elsewhere(
        "tests.notifications.test_cards:test_a_card_names_the_source_that_its_presses_come_in_by"
    ),
    "Channel.options": elsewhere("tests.worker.test_channels:test_options_are_the_kinds_own_and_change_what_it_says"),
    "Route.outcomes": Change(one, SERVING, QUIET),
    "Route.models": old_and_new(one, POLICY, '- {outcomes: ["*"],', '- {outcomes: ["*"], models: [bus],'),
    "Route.to": old_and_new(one, SERVING, "to: [log]", "to: [log, other]"),
    "Policy.access": elsewhere("tests.auth.test_roles:test_a_viewer_is_no_more"),
    "Access.viewers": elsewhere("tests.auth.test_roles:test_everybody_may_look"),
    "Access.approvers": elsewhere(f"{ROLES}:test_people_and_groups_have_the_highest_role_that_names_them"),
    "Access.trusted_proxy": elsewhere("tests.auth.test_proxy:test_whom_the_proxy_names_is_signed_in"),
    "Access.oidc": elsewhere("tests.auth.test_signin:test_who_signed_in_is_a_person_of_registrar_yml"),
    "TrustedProxy.header": elsewhere("tests.auth.test_proxy:test_whom_the_proxy_names_is_signed_in"),
    "TrustedProxy.networks": elsewhere("tests.auth.test_proxy:test_elsewhere_a_forwarded_address_is_nobodys_budget"),
    "TrustedProxy.name_header": elsewhere(
        "tests.auth.test_proxy:test_where_all_may_look_a_guest_is_called_as_the_proxy_says"
    ),
    "Oidc.issuer": elsewhere("tests.auth.test_signin:test_an_id_token_that_proves_nothing_signs_nobody_in"),
    "Oidc.client_id": elsewhere("tests.auth.test_signin:test_what_is_asked_of_the_provider"),
    "Oidc.client_secret": elsewhere("tests.auth.test_signin:test_a_secret_that_can_not_be_read_does_not_start"),
    "Oidc.claim": elsewhere("tests.auth.test_signin:test_another_claim_says_who_it_is"),
    "Access.operators": elsewhere(f"{ROLES}:test_people_and_groups_have_the_highest_role_that_names_them"),
}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory) -> Path:
    """A ledger's file, to be copied: migrating takes longer than most stories."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    opened = Ledger(f"sqlite:///{path}")
    migrate(opened)
    opened.close()
    return path


def told(folder: Path, migrated: Path, policy: str, story: Story) -> object:
    """What came of a story under a policy."""
    folder.mkdir()
    ledger = Ledger(f"sqlite:///{shutil.copy(migrated, folder)}")
    harness = WorkerHarness(ledger, folder, policy=policy)
    story(harness)
    ledger.close()
    return outcome(harness)


@pytest.mark.parametrize("key", [key for key, change in CHANGES.items() if not change.elsewhere])
def test_another_value_is_another_outcome(migrated, tmp_path, key):
    change = CHANGES[key]
    before = told(tmp_path / "before", migrated, change.before, change.story)
    assert told(tmp_path / "after", migrated, change.after, change.story) != before


def test_the_same_policy_is_the_same_outcome(migrated, tmp_path):
    """Else the claim above would hold of any key."""
    for number, story in enumerate({change.story for change in CHANGES.values()}):
        first = told(tmp_path / f"first-{number}", migrated, DEPLOY, story)
        assert told(tmp_path / f"second-{number}", migrated, DEPLOY, story) == first


@pytest.mark.parametrize("key", [key for key, change in CHANGES.items() if change.elsewhere])
def test_what_is_claimed_elsewhere_is_there(key):
    module, _, test = CHANGES[key].elsewhere.partition(":")
    assert callable(getattr(importlib.import_module(module), test))


def test_no_key_is_forgotten():
    assert set(CHANGES) == set(keys(Policy, set()))


def keys(part: object, seen: set[object]) -> Iterator[str]:
    """CLASS.field of every class of the policy."""
    if isinstance(part, type) and issubclass(part, BaseModel) and part not in seen:
        seen.add(part)
        for name, field in part.model_fields.items():
            yield f"{part.__name__}.{name}"
            yield from keys(field.annotation, seen)
    for inner in typing.get_args(part):
        yield from keys(inner, seen)
