"""`registrar check-config` and `registrar schema`."""

import json
import shlex
from pathlib import Path

import jsonschema
import pytest
import yaml

from registrar.local.data_folder import starter_config
from registrar.policy.explain import explain
from registrar.policy.load import parse

FULL = """
version: 1
sources:
  ci:
    kind: standard
    secrets: ["env:CI_SECRET", "file:old.whsec"]
    may:
      - {events: [training_run.*], models: [taxi, "churn-*"]}
  idle: {kind: slack, secrets: ["env:SLACK"]}
people:
  ada: {name: Ada Lovelace, accounts: {slack: T1/U1}}
  bob: {name: Bob}
groups:
  leads: [ada, bob]
  robots: [source:ci, bob]
models:
  taxi:
    artifact_path: regressor
    retention: {keep_last: 10, older_than: 90d, schedule: "0 3 * * *", group: leads}
    targets:
      - stage: Staging
        alias: challenger
        gates: [{metric: rmse, op: "<", threshold: 7}]
        approval: automatic
      - stage: Production
        exclusive: false
        on_replace: keep
        request: on_request
        approval:
          rules: [{group: leads, required_approvals: 2}, {group: robots}]
  other: {}
channels:
  team: {kind: slack, url: "env:TEAM_URL"}
notify:
  - {outcomes: ["promotion.*"], models: [taxi], to: [team]}
access:
  viewers: ["*"]
  approvers: [leads]
  operators: [bob]
  trusted_proxy: {header: Remote-Email, networks: [10.0.0.5/32]}
  oidc: {issuer: https://login.example.com, client_id: registrar, client_secret: env:OIDC}
"""


def test_the_policy_is_explained_in_sentences():
    assert list(explain(parse(FULL))) == [
        "Sources",
        "  ci (standard) posts to /webhooks/ci, signed with env:CI_SECRET or file:old.whsec",
        "    at most 1,048,576 bytes; its timestamps may be off by 300 s; 10,000 of its tasks may be unfinished",
        "    it counts as a member of robots",
        "    may send training_run.* about taxi, churn-*",
        "  idle (slack) posts to /webhooks/idle, signed with env:SLACK",
        "    at most 1,048,576 bytes; its timestamps may be off by 300 s; 10,000 of its tasks may be unfinished",
        "    may send nothing",
        "  together they may have 50,000 unfinished tasks; people's decisions a tenth more",
        "Models",
        "  taxi, logged as 'regressor'",
        "    None -> Staging and @challenger, by itself",
        "      gates: rmse < 7; a missing metric fails",
        "      approval: none needed",
        "      the version it replaces is archived",
        "    Staging -> Production, when somebody asks",
        "      gates: none",
        "      approval: 2 of leads: Ada Lovelace (slack T1/U1), Bob (no account: can't answer from chat); "
        "and 1 of robots: source:ci (a machine), Bob (no account: can't answer from chat)",
        "      other versions may hold Production beside it",
        "    an approval holds for the names and sizes of a version's files, and for the content of the smallest, "
        "64 MB in all",
        "    all but the newest 10 versions are marked once they are older than 90d, and deleted 7d later; versions "
        "in use stay",
        "      by itself at '0 3 * * *' (UTC), and when one of leads asks: Ada Lovelace, Bob",
        "  other, logged as 'model'",
        "    no stage is governed: every source that may send model_version.transition moves versions freely",
        "Channels",
        "  team (slack) at env:TEAM_URL",
        "  promotion.* about taxi goes to team",
        "Pages and API",
        "  everybody who can sign in may read",
        "  leads (Ada Lovelace, Bob) may also approve and reject, within their groups",
        "  Bob may also make any request",
        "  Remote-Email names the person, in requests from 10.0.0.5/32 alone",
        "  they sign in at https://login.example.com, and are identified by email",
    ]


ELABORATE = """
version: 1
people:
  ada: {name: Ada, accounts: {slack: T1/U1}, delegate: {to: bob, until: 2026-12-24}}
  bob: {name: Bob}
groups: {leads: [ada], oncall: [bob]}
channels: {serving: {kind: log}, bosses: {kind: log}}
models:
  taxi:
    drift: adopt
    reconcile_every: 1h
    targets:
      - stage: Production
        alias: champion
        previous_alias: previous
        on_replace: staging
        gates: [{soak: 24h}, {freeze: "0 15 * * FRI", duration: 65h, zone: Europe/Paris}, {max_per_day: 1}]
        approval:
          rules: [{group: leads}]
          remind_every: 12h
          escalate: {after: 2d, to: [bosses]}
          expires_after: 3d
          on_newer_candidate: keep
          break_glass: {group: oncall}
        deploy: {to: [serving], environment: prod, confirm_within: 15m, on_failure: rollback}
  bus: {mode: aliases, drift: revert}
"""


def test_every_key_of_a_policy_has_its_sentence():
    said = list(explain(parse(ELABORATE)))
    assert said[2:17] == [
        "  taxi, logged as 'model'",
        "    None -> Production and @champion, by itself",
        "      gates: at least 24h in the stage before and not for 65h from '0 15 * * FRI' (Europe/Paris) and "
        "at most 1 in 24 h; a missing metric fails",
        "      approval: 1 of leads: Ada (slack T1/U1; until 2026-12-24 also Bob), reminded every 12h, "
        "bosses notified after 2d, expires after 3d, a newer version's request leaves it open, "
        "the glass may be broken by oncall: Bob",
        "      the version it replaces goes back to Staging",
        "      the version it replaces is @previous",
        "      deployed to prod by serving, to be confirmed within 15m; a failure rolls it back",
        "    a change by hand in MLflow is adopted: its alias or stage follows, the version replaced leaves",
        "    an approval holds for the names and sizes of a version's files, and for the content of the smallest, "
        "64 MB in all",
        "    MLflow is compared with the record every 1h",
        "  bus, logged as 'model'",
        "    only aliases say where a version is",
        "    a change by hand in MLflow is reverted, where the target has gates or approvals",
        "    no stage is governed: every source that may send model_version.transition moves versions freely",
        "Channels",
    ]


PLAIN = """
version: 1
sources:
  ci: {kind: standard, secrets: [env:CI]}
people:
  ada: {name: Ada, accounts: {slack: T1/U1, web: ada@example.com}}
  bob: {name: Bob}
groups: {leads: [ada, bob]}
channels: {team: {kind: slack, secret: env:TEAM}, log: {kind: log}}
models:
  "*":
    retention: {keep_last: 10, older_than: 90d}
    targets:
      - stage: Production
        approval:
          rules: [{group: leads}]
          exclude: [requester]
          reject_reason: required
          break_glass: {group: leads}
        deploy: {to: [team, log]}
notify:
  - {outcomes: ["*"], to: [log]}
  - {outcomes: [promotion.*, model_version.*], models: [taxi, bus], to: [team, log]}
access: {viewers: [ada, bob]}
"""


def test_what_is_not_there_is_not_spoken_of():
    assert list(explain(parse(PLAIN)))[6:] == [
        "  Every model without an entry of its own, logged as 'model'",
        "    None -> Production, by itself",
        "      gates: none",
        "      approval: 1 of leads: Ada (slack T1/U1, web ada@example.com), Bob (no account: can't answer from chat), "
        "not the requester, a rejection needs a reason, the glass may be broken by leads: Ada, Bob",
        "      the version it replaces is archived",
        "      deployed by team, log",
        "    an approval holds for the names and sizes of a version's files, and for the content of the smallest, "
        "64 MB in all",
        "    all but the newest 10 versions are marked once they are older than 90d, and deleted 7d later; versions "
        "in use stay",
        "      when somebody asks",
        "Channels",
        "  team (slack)",
        "  log (log)",
        "  everything about any model goes to log",
        "  promotion.*, model_version.* about taxi, bus goes to team, log",
        "Pages and API",
        "  Ada, Bob may read",
    ]


@pytest.mark.parametrize(
    ("claim", "account", "said"),
    [
        ("email", "email", "Ada"),
        ("email", "slack", "Ada (no account email or web: signs in by links alone, and acts by tokens)"),
        ("oid", "email", "Ada (no account web: signs in by links alone, and acts by tokens)"),
    ],
)
def test_who_is_listed_and_can_not_sign_in_is_told_from_who_can(claim: str, account: str, said: str):
    oidc = f"oidc: {{issuer: https://login.example.com, client_id: r, client_secret: env:X, claim: {claim}}}"
    person = f"people: {{ada: {{name: Ada, accounts: {{{account}: T1/U1}}}}}}"
    document = f"version: 1\n{person}\naccess: {{operators: [ada], {oidc}}}\n"
    assert f"  {said} may also make any request" in list(explain(parse(document)))


def test_an_empty_policy_says_what_that_means():
    assert list(explain(parse("version: 1"))) == [
        "Sources: none; nothing can be sent",
        "Models: none; no stage is governed",
        "Channels: none; nobody is notified",
        "Pages and API: for people who may approve, and for tokens",
    ]


def test_the_starter_policy_is_fine(run):
    result = run("check-config")
    assert result.exit_code == 0, result.stderr
    assert "approval: 1 of approvers: You (slack T0000000/U0000000)" in result.stdout
    assert result.stdout.endswith("registrar.yml is fine; every secret can be read\n")


def test_what_cannot_work_names_file_and_line(run, tmp_path, monkeypatch):
    monkeypatch.setenv("CI_SECRET", "whsec_secret")
    path = tmp_path / "registrar.yml"
    path.write_text(FULL.replace("kind: standard", "kind: standrad").replace("kind: slack, url", "kind: slakc, url"))
    result = run("check-config", str(path))
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"registrar: {path}:5: sources.ci.kind: there is no kind 'standrad'; did you mean standard?",
        f"registrar: {path}:6: sources.ci.secrets.1: file:old.whsec can't be read: No such file or directory",
        f"registrar: {path}:9: sources.idle.secrets.0: env:SLACK is empty or not set",
        f"registrar: {path}:33: channels.team.kind: there is no kind 'slakc'; did you mean slack?",
        f"registrar: {path}:33: channels.team.url: env:TEAM_URL is empty or not set",
        f"registrar: {path}:41: access.oidc.client_secret: env:OIDC is empty or not set",
    ]


def test_a_secret_of_ours_that_is_not_there_comes_with_how_to_make_it(run, tmp_path):
    path = tmp_path / "registrar.yml"
    source = (
        'version: 1\nsources:\n  ci: {kind: KIND, secrets: ["file:ci.whsec"], may: [{events: ["*"], models: ["*"]}]}\n'
    )
    path.write_text(source.replace("KIND", "standard"))
    lacks = "sources.ci.secrets.0: file:ci.whsec can't be read: No such file or directory"
    make = f"; to make one: registrar secret --webhook --to {tmp_path / 'ci.whsec'}"
    for kind, then in (("standard", ""), ("mlflow", ""), ("github", "; give it to github, too")):
        path.write_text(source.replace("KIND", kind))
        assert f"registrar: {path}:3: {lacks}{make}{then}\n" in run("check-config", str(path)).stderr
    path.write_text(source.replace("KIND", "slack"))
    assert run("check-config", str(path)).stderr == f"registrar: {path}:3: {lacks}\n"


def test_the_command_that_makes_a_secret_works_as_it_is_printed(run, tmp_path):
    path = tmp_path / "registrar.yml"
    secrets = '["file:.registrar/secrets/ci.whsec", "file:.registrar/secrets/old.whsec"]'
    path.write_text(
        f'version: 1\nsources:\n  ci: {{kind: standard, secrets: {secrets}, may: [{{events: ["*"], models: ["*"]}}]}}\n'
    )
    lines = run("check-config", str(path)).stderr.splitlines()
    commands = [shlex.split(line.partition("to make one: registrar ")[2]) for line in lines]
    assert (len(commands), {line.partition(": ")[0] for line in lines}) == (2, {"registrar"})
    for command in commands:
        done = run(*command)
        assert (done.exit_code, Path(command[-1]).stat().st_mode & 0o777) == (0, 0o600), done.output
    assert run("check-config", str(path)).exit_code == 0
    before = Path(commands[0][-1]).read_text()
    again = run(*commands[0])
    assert (again.exit_code, "exists, and stays as it is" in again.stderr) == (2, True)
    assert Path(commands[0][-1]).read_text() == before
    assert before.strip() not in again.output


def test_options_that_a_kind_does_not_take_name_file_and_line(run, tmp_path):
    path = tmp_path / "registrar.yml"
    path.write_text(
        FULL.replace('url: "env:TEAM_URL"', "options: {colour: s3cret}").replace("kind: slack, url", "kind: log")
    )
    result = run("check-config", str(path), "--no-secrets")
    assert result.exit_code == 2
    assert "s3cret" not in result.output
    assert result.stderr == f"registrar: {path}:33: channels.team.options.colour: unknown key; known: channel, api\n"


def test_secrets_need_not_be_here(run, tmp_path):
    (tmp_path / "registrar.yml").write_text(FULL)
    result = run("check-config", "registrar.yml", "--no-secrets")
    assert result.exit_code == 1
    assert [line.partition(": ")[2].partition(": ")[2] for line in result.stderr.splitlines()] == [
        "sources.idle: may send nothing, so every event from it is refused; grant it something, such as "
        'may: [{events: [training_run.*], models: ["*"]}]'
    ]


def test_no_secret_is_ever_shown(run, tmp_path, monkeypatch):
    for name in ("CI_SECRET", "SLACK", "TEAM_URL", "OIDC"):
        monkeypatch.setenv(name, "s3cret")
    (tmp_path / "old.whsec").write_text("s3cret")
    (tmp_path / "registrar.yml").write_text(FULL)
    result = run("check-config", "registrar.yml")
    assert result.exit_code == 2  # a secret of Standard Webhooks begins otherwise
    assert "s3cret" not in result.output


def test_a_file_that_is_no_policy_names_file_and_line(run, tmp_path):
    (tmp_path / "bad.yml").write_text("version: 1\nsauces: {}\n")
    result = run("check-config", "bad.yml")
    assert (result.exit_code, result.stderr) == (
        2,
        "registrar: bad.yml:2: sauces: unknown key; did you mean sources?\n",
    )


def test_the_policy_of_the_working_folder_is_found(run, data, tmp_path):
    (data / "environment").unlink()
    (tmp_path / "registrar.yml").write_text("version: 1\n")
    assert run("check-config").stdout.endswith("\nregistrar.yml is fine; every secret can be read\n")


def test_without_any_policy_it_says_how_to_get_one(run, data):
    for name in ("environment", "registrar.yml"):
        (data / name).unlink()
    result = run("check-config")
    assert result.exit_code == 2
    assert "let `registrar up` write a first one" in result.stderr


@pytest.mark.parametrize("text", [starter_config(), FULL])
def test_the_schema_takes_what_is_right(run, text):
    schema = json.loads(run("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(text), schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "wrong",
    [
        "version: 2",
        "version: 1\nsauces: {}",
        "version: 1\nsources: {ci: {kind: standard, secrets: ['whsec_abc']}}",
        "version: 1\nmodels: {taxi: {targets: [{stage: Staging}]}}",
    ],
)
def test_the_schema_refuses_what_is_wrong(run, wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(wrong), json.loads(run("schema").stdout))


def test_a_proxy_that_signs_nobody_in_is_explained_so():
    policy = "version: 1\naccess:\n  trusted_proxy: {networks: [10.0.0.5/32]}\n"
    assert "  X-Forwarded-For gives the client's address, in requests from 10.0.0.5/32 alone" in explain(parse(policy))
