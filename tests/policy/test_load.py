"""registrar.yml's complaints: each names the line, and none shows a secret."""

import pytest

from registrar.policy import PolicyError
from registrar.policy.load import load, parse

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
            "targets.1.gates.0.of: 'evaluations' is none of training, evaluation; did you mean evaluation?",
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
            "registrar.yml:17: channels.log.buttons: 'ci' does not take button presses of kind log",
        ),
        ("group: leads", "group: leads, required_approvals: 2", "has too few members for 2 approvals"),
        (
            "    targets:",
            "    retention: {keep_last: 3, older_than: 30d, group: leeds}\n    targets:",
            "registrar.yml:13: models.taxi.retention.group: group 'leeds' is not in groups",
        ),
        ("    targets:", "    retention: {older_than: 30d}\n    targets:", "retention: keep_last is missing"),
        (
            "    targets:",
            "    retention: {keep_last: 0, older_than: 1d}\n    targets:",
            "retention.keep_last: is less than 1",
        ),
        (
            "    targets:",
            "    retention: {keep_last: 3, older_than: 30d, schedule: nightly}\n    targets:",
            "'nightly' is no cron expression",
        ),
        ("version: 1\n", "", "version is missing"),
        ("version: 1", "version: 2", "registrar.yml:1: version: only 1 can stand here"),
        (
            "stage: staging",
            "stage: Live",
            "registrar.yml:14: models.taxi.targets.0.stage: 'Live' is none of None, Staging",
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "version: 1\npeople: {ada: {name: Ada, delegate: {to: ada, until: 2026-02-30}}}",
            ":2: not YAML: a date or number",
        ),
        ("version: 0b_\n", ":1: not YAML: a date or number that there is not"),
        ("version: !vault 1\n", ":1: not YAML: !vault is a tag of YAML"),
        ("version: 1\n---\nversion: 1\n", ":2: not YAML: a second document begins here"),
        ("version: 1\nnotify: &a [*a]\n", ":1: is nested too deeply, or holds itself"),
        ("version: 1\nnotify: " + "[" * 2000 + "]" * 2000, "is nested too deeply"),
        ("version: 1\n? [a]\n: 1\n", ":2: not YAML: a list or mapping can't be a key"),
        ("version: 1\nname: a\x00b\n", ":2: not YAML: a character that can't be seen (U+0000)"),
        ("version: 1\nname: 'a\n", "not YAML: a quote that is not closed"),
        ("version: 1\n7: {}\n", "registrar.yml:2: 7: "),
        ("version: 1\npeople: {7: {name: Ada}}\n", "registrar.yml:2: people.7: is a number, and a text belongs here"),
        (
            "version: |x\n 1\n",
            ":1: not YAML: while scanning a block scalar expected chomping or indentation indicators",
        ),
        ("just words\n", "registrar.yml:1: the file: is a text, and keys belong below it: version, sources"),
    ],
)
def test_what_yaml_makes_of_a_slip_is_a_sentence(text, said):
    assert said in complaint(text)


def test_a_file_that_is_no_text_is_a_sentence(tmp_path):
    (tmp_path / "registrar.yml").write_bytes(b"\xff\xfeversion: 1\n")
    with pytest.raises(PolicyError, match=r"registrar\.yml: is not UTF-8 text$"):
        load(tmp_path / "registrar.yml")
    with pytest.raises(PolicyError, match=r"can't be read: Is a directory$"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("24 hours", "24h"), ("24H", "24h"), ("2 weeks", "14d"), ("1h30m", "90m"), ("1.5h", "90m"), ("PT24H", "24h"),
        ("P7D", "7d"), ("P1DT2H", "26h"), ("1 day, 2 hours", "26h"), ("90 min", "90m"), ("30 sec", "30s"),
    ],
)  # fmt: skip
def test_a_length_of_time_is_understood_and_still_refused(written, meant):
    said = complaint(WHOLE.replace("stage: Production,", f'stage: Production, gates: [{{soak: "{written}"}}],'))
    assert said.endswith(
        f"gates.0.soak: '{written}' is no length of time such as 30s, 15m, 12h or 7d; did you mean {meant}?"
    )


@pytest.mark.parametrize("written", ["soon", "-3d", "1month", "", "99999999h"])
def test_what_is_no_length_of_time_has_no_suggestion(written):
    said = complaint(WHOLE.replace("stage: Production,", f'stage: Production, gates: [{{soak: "{written}"}}],'))
    assert said.endswith("is no length of time such as 30s, 15m, 12h or 7d")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("$CI", "env:CI"),
        ("${CI_SECRET}", "env:CI_SECRET"),
        ("${{ secrets.CI }}", "env:CI"),
        ("ENV:CI", "env:CI"),
        ("env: CI", "env:CI"),
        ("/run/secrets/ci", "file:/run/secrets/ci"),
    ],
)
def test_a_secret_that_is_named_otherwise_is_understood_and_still_refused(written, meant):
    said = complaint(WHOLE.replace('"env:CI"', f'"{written}"'))
    assert said.endswith(f"a secret is named here, never written: did you mean {meant}?")
