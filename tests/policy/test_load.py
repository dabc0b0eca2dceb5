"""registrar.yml's complaints: each names the line, and none shows a secret."""

import pytest

from registrar.policy import PolicyError
from registrar.policy.load import parse

WHOLE = """version: 1
sources:
  ci:
    kind: standard
    secrets: ["env:CI"]
    may: [{events: [training_run.*], models: ["taxi-*"]}]
people:
  ada: {name: Ada, accounts: {slack: T1/U1}}
groups:
  leads: [ada]
models:
  taxi:
    targets:
      - {stage: staging, alias: challenger, approval: automatic}
      - {stage: Production, approval: {rules: [{group: leads}]}}
channels:
  log: {kind: log}
notify:
  - {outcomes: ["*"], to: [log]}
"""


def complaint(text: str) -> str:
    with pytest.raises(PolicyError) as error:
        parse(text)
    return str(error.value)


def test_a_whole_file_is_read():
    assert parse(WHOLE).model("taxi").targets[0].stage == "Staging"


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("kind: standard", "knd: standard", "registrar.yml:4: sources.ci.knd: unknown key"),
        ('["env:CI"]', "[topsecret]", "registrar.yml:5: sources.ci.secrets.0: a secret is named here, never written"),
        (
            "group: leads",
            "group: leeds",
            "registrar.yml:15: models.taxi.targets.1.approval.rules.0: group 'leeds' is not",
        ),
        (
            "stage: Production,",
            "stage: Production, gates: [{tags: [report], by: cj}],",
            "gates.0.by: 'cj' is not in sources; did you mean ci?",
        ),
        (
            "stage: Production,",
            "stage: Production, gates: [{tags: [report], by: [ci, ops]}],",
            "gates.0.by: 'ops' is not in sources; did you mean ci?",
        ),
        (
            "stage: Production,",
            "stage: Production, gates: [{tags: [report], by: CI}],",
            "gates.0.by: 'CI' is not in sources; did you mean ci?",
        ),
        (
            "stage: Production,",
            'stage: Production, gates: [{metric: rmse, of: evaluations, op: "<", threshold: 7}],',
            "targets.1.gates.0.of: Input should be 'training' or 'evaluation'",
        ),
        ("[ada]", "[bob]", "registrar.yml:10: groups.leads.0: 'bob' is neither in people nor a source:NAME"),
        ("to: [log]", "to: [chat]", "registrar.yml:19: notify.0.to.0: 'chat' is not in channels"),
        (
            "{kind: log}",
            "{kind: log, buttons: chat}",
            "registrar.yml:17: channels.log.buttons: 'chat' is not in sources",
        ),
        (
            "{kind: log}",
            "{kind: log, buttons: ci}",
            "registrar.yml:17: channels.log.buttons: 'ci' takes no presses of kind log",
        ),
        ("group: leads", "group: leads, required_approvals: 2", "has too few members for 2 approvals"),
        (
            "    targets:",
            "    retention: {keep_last: 3, older_than: 30d, group: leeds}\n    targets:",
            "registrar.yml:13: models.taxi.retention.group: group 'leeds' is not in groups",
        ),
        ("    targets:", "    retention: {older_than: 30d}\n    targets:", "retention: keep_last is missing"),
        ("    targets:", "    retention: {keep_last: 0, older_than: 1d}\n    targets:", "greater than or equal to 1"),
        (
            "    targets:",
            "    retention: {keep_last: 3, older_than: 30d, schedule: nightly}\n    targets:",
            "'nightly' is no cron expression",
        ),
        ("version: 1\n", "", "version is missing"),
        ("version: 1", "version: 2", "registrar.yml:1: version: Input should be 1"),
        (
            "stage: staging",
            "stage: Live",
            "registrar.yml:14: models.taxi.targets.0.stage: Input should be 'None', 'Staging'",
        ),
        ("alias: challenger", "alias: v12", "registrar.yml:14: models.taxi.targets.0.alias"),
        ("alias: challenger", "on_replace: keep", "on_replace: keep leaves two holders"),
        ("stage: Production", "stage: Staging", "two targets have the same stage"),
        ("stage: Production", "stage: Archived", "None and Archived need no target"),
        ("channels:\n", "channels:\n  log: {kind: slack}\n", "registrar.yml:18: log stands here twice"),
        (
            "  ci:\n",
            "  registrar:\n",
            "registrar.yml:3: sources.registrar: 'registrar' is what Registrar itself is called",
        ),
        (
            "slack: T1/U1}",
            "slack: T1/U1}, delegate: {to: bob, until: 2026-12-24}",
            "people.ada.delegate.to: 'bob' is not",
        ),
        (
            "slack: T1/U1}",
            "slack: T1/U1}, delegate: {to: ada, until: soon}",
            "registrar.yml:8: people.ada.delegate.until",
        ),
        (
            "group: leads}]",
            "group: leads}], break_glass: {group: oncall}",
            "approval.break_glass: group 'oncall' is not",
        ),
        (
            "group: leads}]",
            "group: leads}], escalate: {after: 2d, to: [boss]}",
            "escalate.to.0: 'boss' is not in channels",
        ),
        ("stage: Production,", "stage: Production, deploy: {to: [prod]},", "deploy.to.0: 'prod' is not in channels"),
        ("stage: Production,", "stage: Production, gates: [{soak: 2 days}],", "models.taxi.targets.1.gates.0.soak"),
        ("stage: Production,", 'stage: Production, gates: [{freeze: "x", duration: 2d}],', "'x' is no cron expression"),
        (
            "stage: Production,",
            'stage: Production, gates: [{freeze: "0 15 * * FRI", duration: 2d, zone: Paris}],',
            "'Paris' is no time zone such as Europe/Paris",
        ),
        (
            "stage: Production,",
            'stage: Production, gates: [{freeze: "0 15 * * FRI", duration: 400d}],',
            "a freeze lasts 366 days at most",
        ),
        ("stage: staging,", "stage: staging, on_replace: staging,", "what leaves Staging can't go there"),
        ("  taxi:\n", "  taxi:\n    mode: aliases\n", "mode: aliases needs an alias of Production"),
        ("  taxi:\n", "  taxi:\n    mode: stages\n", "mode: stages sets no alias: take those of Staging away"),
        ("alias: challenger,", "alias: challenger, previous_alias: challenger,", "two targets have the same alias"),
        ("[ada]", "[ada", "not YAML"),
    ],
)
def test_a_complaint_names_the_line_and_what_would_be_right(right, wrong, said):
    assert right in WHOLE
    assert said in complaint(WHOLE.replace(right, wrong))


def test_a_written_secret_is_not_repeated_in_the_complaint():
    assert "topsecret" not in complaint(WHOLE.replace('["env:CI"]', "[topsecret]"))


def test_an_account_belongs_to_one_person():
    doubled = WHOLE.replace("groups:", "  bob: {name: Bob, accounts: {slack: T1/U1}}\ngroups:")
    assert "T1/U1 is people.ada's account already" in complaint(doubled)


def test_an_empty_file_and_a_list_are_told_apart_from_a_policy():
    assert "version is missing" in complaint("")
    assert "registrar.yml:1" in complaint("- a\n")


@pytest.mark.parametrize("alias", ["latest", "Latest", "LATEST", "v1", "V1", "V02"])
@pytest.mark.parametrize("key", ["alias: challenger", "alias: challenger, previous_alias: {}"])
def test_what_mlflow_reserves_is_refused_in_any_case(alias, key):
    wrong = key.format(alias) if "{}" in key else f"alias: {alias}"
    said = complaint(WHOLE.replace("alias: challenger", wrong))
    assert said.startswith("registrar.yml:14: models.taxi.targets.0.")
    assert said.endswith(f"alias: {alias} is reserved by MLflow, in any case; choose another alias")


@pytest.mark.parametrize("alias", ["latest1", "v1a", "vv1", "Live"])
def test_what_only_looks_like_it_is_free(alias):
    assert parse(WHOLE.replace("alias: challenger", f"alias: {alias}")).model("taxi").targets[0].alias == alias
