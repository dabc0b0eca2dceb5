"""No secret of a whole run, with all that can go wrong in one, is in a log, a page, an error, a message or a row."""

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from mlflow import MlflowClient
from sqlalchemy import func, select

from registrar.events.event import Actor
from registrar.http import signing
from registrar.ledger import Ledger, tokens
from registrar.ledger.tables import tasks
from registrar.ledger.tokens import Token
from tests.mlflow_server import train
from tests.notifications.conftest import Listener, listening
from tests.notifications.mailbox import Mailbox
from tests.postgres_server import database
from tests.secrets.search import files, found
from tests.slow.chaos.proxy import Proxy, proxy
from tests.slow.secrets.installation import Installation, installed, made_up

CONFIG = """
version: 1
sources:
  ci: {kind: standard, secrets: ["env:CI", "env:CI_OLD"], may: [{events: ["*"], models: ["*"]}]}
  slack: {kind: slack, secrets: ["env:SLACK"], may: [{events: ["*"], models: ["*"]}]}
  bearer: {kind: cloudevents, secrets: ["env:BEARER"]}
  basic: {kind: cloudevents, secrets: ["env:BASIC"], options: {verify: {how: basic}}}
  token: {kind: cloudevents, secrets: ["env:TOKEN"], options: {verify: {how: token, header: x-token}}}
  mattermost: {kind: mattermost, secrets: ["env:MATTERMOST"], may: [{events: ["*"], models: ["*"]}]}
models:
  "*": {targets: [{stage: Staging, alias: challenger, approval: automatic}]}
channels:
  log: {kind: log}
  unreachable: {kind: slack, url: "env:SLACK_UNREACHABLE"}
  refused: {kind: slack, url: "env:SLACK_REFUSED"}
  bot: {kind: slack, secret: "env:BOT", options: {channel: C0123, api: "LISTENER/slack"}}
  teams: {kind: teams, url: "env:TEAMS"}
  discord: {kind: discord, url: "env:DISCORD", secret: "env:BOT"}
  mail: {kind: email, url: "env:MAIL", options: {from: a@example.com, to: [b@example.com], starttls: false}}
  github: {kind: github, url: "env:LISTENER", secret: "env:GITHUB", options: {repository: o/r, as: comment}}
  pipeline: {kind: gitlab_pipeline, url: "env:LISTENER", secret: "env:GITLAB", options: {project: g/p, ref: main}}
  pager: {kind: pagerduty, url: "env:LISTENER", secret: "env:PAGER"}
  apprise: {kind: apprise, url: "env:APPRISE_URL"}
  deploy: {kind: webhook, url: "env:DEPLOY_URL", secret: "env:DEPLOY"}
  unset: {kind: webhook, url: "env:NOWHERE", secret: "env:DEPLOY"}
notify:
  - {outcomes: ["*"], to: [log, unreachable, refused, bot, teams, discord, mail, github, pipeline, pager, apprise,
                           deploy, unset]}
"""
NOWHERE = "http://127.0.0.1:1"


def environ(
    secrets: dict[str, str], listener: Listener, mailbox: Mailbox, mlflow: str, postgres: str
) -> dict[str, str]:
    at = urlsplit(mlflow).netloc
    return {
        **{name: secret for name, secret in secrets.items() if name.isupper() and name != "REGISTRAR_SECRET_KEY"},
        "REGISTRAR_LEDGER_URL": postgres.replace("registrar@", f"registrar:{secrets['database password']}@"),
        "MLFLOW_TRACKING_URI": f"http://trainer:{secrets['MLflow password']}@{at}",
        "LISTENER": listener.root,
        "SLACK_UNREACHABLE": f"{NOWHERE}/services/{secrets['HOOK_PATH']}",
        "SLACK_REFUSED": f"{listener.root}/services/{secrets['REFUSED_PATH']}",
        "TEAMS": f"{NOWHERE}/workflows/1?sig={quote(secrets['SIG'])}",
        "DISCORD": f"{listener.root}/channels/7/messages",
        "MAIL": f"smtp://robot:{quote(secrets['SMTP'], safe='')}@127.0.0.1:{mailbox.port}",
        "APPRISE_URL": f"json://robot:{secrets['APPRISE']}@127.0.0.1:1/",
        "DEPLOY_URL": f"{NOWHERE}/hooks/{secrets['REFUSED_PATH']}",
    }


@pytest.fixture(scope="module", params=["console", "json"])
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, mlflow_address: str, postgres: str
) -> Iterator[Installation]:
    """A run with everything in it, over; its log in lines for people, and in JSON."""
    secrets = made_up()
    folder = tmp_path_factory.mktemp("run")
    with (
        listening() as listener,
        Mailbox() as mailbox,
        proxy(urlsplit(mlflow_address).port or 0, seed=1) as between,
        database(postgres) as url,
    ):
        listener.answer = (403, {})
        # A server that says back what it was told, as many do.
        listener.body = json.dumps({"ok": False, "error": secrets["BOT"], "message": secrets["GITHUB"]}).encode()
        given = {**environ(secrets, listener, mailbox, between.url, url), "REGISTRAR_LOG": request.param}
        with installed(folder, CONFIG.replace("LISTENER/", f"{listener.root}/"), secrets, given) as parts:
            assert "0" in parts.says("migrate")
            for name in ("receiver", "worker", "beat"):
                parts.start(name)
            parts.wait_for("the receiver", lambda: parts.answers_at("/readyz"))
            good(parts, MlflowClient(mlflow_address), between)
            bad(parts)
            asked(parts)
            broken_starts(parts)
            parts.end("redis", signal.SIGKILL)
            assert post(parts, "experiment.create", {"name": "while the broker is down"}) == 202
            parts.send("GET", "/readyz")
            for name in ("worker", "beat", "receiver"):
                parts.end(name)
            parts.answers |= parts.rows()
            yield parts


def post(parts: Installation, type_: str, data: dict[str, Any], *, signed_with: str = "CI") -> int:
    body = json.dumps({"type": type_, "data": data}).encode()
    now = datetime.now(UTC)
    signed = signing.standard_webhooks(parts.secrets[signed_with], id=f"msg_{now:%H%M%S%f}", timestamp=now, body=body)
    return parts.send("POST", "/webhooks/ci", body, {"Content-Type": "application/json", **signed})


def good(parts: Installation, client: MlflowClient, between: Proxy) -> None:
    """What is done and told, while MLflow answers and while it does not."""
    assert post(parts, "training_run.finished", {"model": "scrubbed", "run_id": train(client)}) == 202
    assert post(parts, "experiment.create", {"name": "scrubbed"}, signed_with="CI_OLD") == 202
    told(parts)
    for waiting, mood in enumerate(("unavailable", "refuse"), start=1):  # the first ends the connections that are kept
        between.mood = mood
        assert post(parts, "experiment.create", {"name": mood}) == 202
        parts.wait_for("MLflow's absence", partial(waits_for_mlflow, parts, waiting))
        parts.says("plan", "scrubbed", "1", "--to", "production")
    between.mood = "pass"
    assert post(parts, "model_version.archive", {"model": "scrubbed", "version": 9}) == 202


def waits_for_mlflow(parts: Installation, count: int) -> bool:
    return tried(parts, "worker.create_experiment", state="queued") >= count


def told(parts: Installation) -> None:
    """Each channel was tried for the version that was registered."""
    parts.wait_for("the notices", lambda: tried(parts, "worker.notify") >= 12)


def tried(parts: Installation, name: str, *, state: str | None = None) -> int:
    ledger = Ledger(parts.environ["REGISTRAR_LEDGER_URL"])
    with ledger.read() as connection:
        wanted = select(func.count()).where(tasks.c.name == name, tasks.c.attempts > 0)
        count = connection.execute(wanted.where(tasks.c.state == state) if state else wanted).scalar_one()
    ledger.close()
    return int(count)


def bad(parts: Installation) -> None:
    """What is refused: with a secret where it should not be, or nearly the right one."""
    secrets = parts.secrets
    event = json.dumps({"specversion": "1.0", "type": "nothing", "source": "s", "id": "1"}).encode()
    kind = {"Content-Type": "application/cloudevents+json"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for body, headers in (
        (b"{", {"Authorization": f"Bearer {secrets['BEARER']}"}),
        (event, {"Authorization": f"Bearer {secrets['BEARER']}"}),
        (event, {"Authorization": f"Bearer {secrets['BEARER']}x"}),
        (event, {"Authorization": secrets["BEARER"]}),
    ):
        parts.send("POST", "/webhooks/bearer", body, {**kind, **headers})
    parts.send("POST", f"/webhooks/bearer?access_token={quote(secrets['BEARER'])}", event, kind)
    parts.send("POST", "/webhooks/basic", event, {**kind, "Authorization": f"Basic {secrets['BASIC']}"})
    parts.send("POST", "/webhooks/token", event, {**kind, "X-Token": f"{secrets['TOKEN']} "})
    parts.send("POST", "/webhooks/token", event, {"Content-Type": secrets["TOKEN"], "X-Token": secrets["TOKEN"]})
    for more in ({"text": "frobnicate"}, {"text": f"approve {'x' * 300}"}, {"command": ""}):
        parts.send("POST", "/webhooks/mattermost", urlencode({"token": secrets["MATTERMOST"], **more}).encode(), form)
    parts.send("POST", "/webhooks/mattermost", f"token={secrets['MATTERMOST']}&token=%".encode(), form)
    parts.send("POST", "/webhooks/slack", b"payload=%7B", {**form, "X-Slack-Signature": f"v0={secrets['SLACK']}"})
    parts.send("POST", "/webhooks/ci", b"{}", {"webhook-signature": secrets["CI"], "Content-Type": "application/json"})
    post(parts, "no.such.type", {"x": 1})
    start = "POST /webhooks/bearer HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nAuthorization"
    for rest in (f" Bearer {secrets['BEARER']}", f" : Bearer {secrets['BEARER']}", f": Bearer\r\n {secrets['BEARER']}"):
        parts.raw(f"{start}{rest}\r\n\r\n".encode())
    parts.raw(f"POST /webhooks/{quote(secrets['BEARER'])} HTTP/9\r\n\r\n".encode())


def asked(parts: Installation) -> None:
    """Every page and list, and every command that looks at the installation."""
    for path in (
        "/v1/events",
        "/v1/dead?limit=500",
        "/v1/rejections",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/healthz",
        "/readyz",
        "/nowhere",
    ):
        parts.send("GET", path)
    by_token(parts)
    parts.says("check-config")
    [dead, *_] = json.loads(parts.says("dead", "list", "--json"))
    parts.says("dead", "show", dead["id"])
    parts.send("GET", f"/v1/dead/{dead['id']}")
    parts.says("doctor", "--source", "bearer")
    assert "the registry of http" in parts.says("doctor")


def by_token(parts: Installation) -> None:
    """Who bears a token, shows it where it should not be, or shows one that is revoked."""
    secret = parts.secrets["API token"]
    kept = Token("scrubbed", tokens.digest(secret), "viewer", None, datetime.now(UTC))
    ledger = Ledger(parts.environ["REGISTRAR_LEDGER_URL"])
    with ledger.write() as connection:
        tokens.create(connection, kept, Actor("local:ada", "ada on host"))
    bearer = {"Authorization": f"Bearer {secret}"}
    assert parts.send("GET", "/v1/events", headers=bearer) == 200
    for wrong in (f"Bearer {secret}x", secret, f"Token {secret}", f"Bearer {secret[:-1]}"):
        parts.send("GET", "/v1/events", headers={"Authorization": wrong})
    parts.send("GET", f"/v1/events?limit={secret}", headers=bearer)
    parts.send("GET", f"/v1/dead/{secret}", headers=bearer)
    parts.send("POST", f"/webhooks/{secret}", headers=bearer)
    parts.says("token", "list")
    parts.says("token", "revoke", "scrubbed")
    ledger.close()


def broken_starts(parts: Installation) -> None:
    """What each process says of settings that can't work, a password among them that nobody encoded."""
    secrets, given = parts.secrets, parts.environ
    broker = f"redis://:{secrets['broker password']}@127.0.0.1:1/0"
    unencoded = f"redis://:{secrets['broker password'][:-2]}#{secrets['broker password'][-2:]}@127.0.0.1:1/0"
    for name in ("worker", "beat"):  # the receiver does without: test_the_run_did_what_it_is_looked_at_for
        parts.fails(name, "a broker that is not there", REGISTRAR_BROKER_URL=broker)
    for name in ("receiver", "worker", "beat"):
        parts.fails(name, "a password that is not encoded", REGISTRAR_BROKER_URL=unencoded)
    for name in ("receiver", "worker", "migrate"):
        no_port = f"postgresql+psycopg://registrar:{secrets['database password']}@127.0.0.1:port/x"
        parts.fails(name, "a database at no port", REGISTRAR_LEDGER_URL=no_port)
    parts.fails(
        "worker", "a registry of no known kind", MLFLOW_TRACKING_URI=f"nosuch://a:{secrets['MLflow password']}@h"
    )
    parts.fails("receiver", "a key that is none", REGISTRAR_SECRET_KEY=given["REGISTRAR_SECRET_KEY"][:-1])
    parts.failed()
    written = parts.folder / "inline.yml"
    written.write_text(CONFIG.replace("env:CI_OLD", secrets["CI_OLD"]).replace('"env:BEARER"', secrets["BEARER"]))
    parts.says("check-config", REGISTRAR_CONFIG=str(written))
    nowhere = given["REGISTRAR_LEDGER_URL"].partition("?")[0].replace("@/", "@127.0.0.1:1/")
    elsewhere = f"http://trainer:{secrets['MLflow password']}@127.0.0.1:1"
    changed = {"REGISTRAR_LEDGER_URL": nowhere, "MLFLOW_TRACKING_URI": elsewhere, "REGISTRAR_CONFIG": str(written)}
    assert "does not answer" in parts.says("doctor", REGISTRAR_BROKER_URL=broker, **changed)
    parts.says("events", REGISTRAR_LEDGER_URL=f"postgresql+psycopg//u:{secrets['database password']}@h/x")


def test_no_secret_is_in_what_the_run_left_behind(run: Installation, postgres: str):
    cluster = Path(postgres)
    places = {
        **files(run.seen, cluster / "data" / "pg_wal"),
        **run.answers,
        "PostgreSQL's log": (cluster / "log").read_bytes(),
    }
    assert len(places) > 50
    assert found(run.secrets, places) == []


def test_a_secret_that_is_planted_in_it_is_found(run: Installation):
    with (run.seen / "worker.log").open("ab") as log:
        log.write(f"12:00 DEBUG urllib3: GET {run.environ['TEAMS']}\n".encode())
    try:
        assert [one.split(":")[0] for one in found(run.secrets, files(run.seen))] == [f"SIG in {run.seen}/worker.log"]
    finally:
        text = (run.seen / "worker.log").read_bytes()
        (run.seen / "worker.log").write_bytes(text[: text.rindex(b"12:00 DEBUG")])


def test_the_run_did_what_it_is_looked_at_for(run: Installation):
    """Where nothing happened, nothing is found."""
    said = {name: (run.seen / f"{name}.log").read_text() for name in ("receiver", "worker", "beat")}
    for sentence in (
        "the registry does not answer",
        "127.0.0.1 does not answer",
        "127.0.0.1 refused the message with 403",
        "127.0.0.1 refused the login",
        "Apprise could not deliver the message",
    ):
        assert sentence in said["worker"]
    assert "the broker does not answer" in said["receiver"]
    assert "refused bad_signature from bearer" in said["receiver"]
    if run.environ["REGISTRAR_LOG"] == "json":
        for log in said.values():
            assert json.loads([line for line in log.splitlines() if line.startswith("{")][-1])["message"]
    assert "scrubbed" in b"".join(run.answers.values()).decode()
    assert b"worker.register" in b"".join(files(run.seen / "redis").values())
