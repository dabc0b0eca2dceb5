"""`registrar mlflow connect` on a real MLflow server with its own webhooks, to a real receiver."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from mlflow import MlflowClient
from sqlalchemy import select

from registrar.cli import main
from registrar.config.settings import Settings
from registrar.doctor import DoctorContext, Finding
from registrar.http.mlflow_webhook import EVENTS
from registrar.ledger.tables import events
from registrar.plugins import load
from registrar.policy import load as load_policy
from tests import mlflow_server
from tests.webhooks.serving import Server, serving

SECRET, OTHER = "the secret of MLflow's webhook", "another secret, of before"
SOURCE = "  {name}: {{kind: mlflow, secrets: [env:HOOK], may: [{{events: [registry.changed], models: ['*']}}]}}\n"
ONE = "version: 1\nsources:\n" + SOURCE.format(name="mlflow")
PATIENCE = 30.0
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    allowed = {
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_CACHE_TTL": "1",
        "MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES": "0",
    }
    with mlflow_server.serve(tmp_path_factory.mktemp("mlflow"), **allowed) as url:
        yield url


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("receiver")
    (folder / "mlflow.yml").write_text(ONE)
    with serving(folder, REGISTRAR_CONFIG=str(folder / "mlflow.yml"), HOOK=SECRET) as server:
        yield server


@pytest.fixture
def client(address: str) -> Iterator[MlflowClient]:
    """It leaves no webhook behind."""
    made = MlflowClient(address)
    yield made
    for hook in made.list_webhooks():
        made.delete_webhook(hook.webhook_id)


class Site:
    """An installation's settings, for its commands and its doctor."""

    def __init__(self, folder: Path, address: str, receiver: Server, **changed: str) -> None:
        folder.mkdir()
        (folder / "registrar.yml").write_text(ONE)
        self.environment = {
            "REGISTRAR_CONFIG": str(folder / "registrar.yml"),
            "MLFLOW_TRACKING_URI": address,
            "REGISTRAR_LEDGER_URL": f"sqlite:///{folder}/ledger.db",
            "REGISTRAR_BROKER_URL": "redis://127.0.0.1:1/0",
            "REGISTRAR_SECRET_KEY": Fernet.generate_key().decode(),
            "REGISTRAR_PUBLIC_URL": receiver.url,
            "HOOK": SECRET,
            **changed,
        }

    def run(self, *words: str, **changed: str) -> Result:
        return CliRunner().invoke(main, ["mlflow", *words], env=self.environment | changed)

    def doctor(self, **changed: str) -> Finding:
        settings = Settings.read(self.environment | changed)
        context = DoctorContext(settings.config_path.parent, settings, load_policy(settings.config_path))
        [finding] = load("registrar.doctor.checks", "webhook").check(context)
        return finding


@pytest.fixture
def site(tmp_path: Path, address: str, receiver: Server) -> Site:
    return Site(tmp_path / "site", address, receiver)


def test_it_is_made_once_delivers_and_the_doctor_finds_it_well(site: Site, client: MlflowClient, receiver: Server):
    made = site.run("connect")
    assert (made.exit_code, made.stderr) == (0, "")
    assert f"the webhook registrar-mlflow to {receiver.url}/webhooks/mlflow was made" in made.stdout
    assert "a test of it arrived" in made.stdout
    again = site.run("connect", "--json")
    [hook] = client.list_webhooks()
    told = json.loads(again.stdout)
    assert (told["id"], told["created"], told["test"]) == (hook.webhook_id, False, "arrived")
    assert {str(event) for event in hook.events} == set(EVENTS) == set(told["events"])
    assert (site.doctor().level, site.run("status").exit_code) == ("ok", 0)
    time.sleep(1.5)  # MLFLOW_WEBHOOK_CACHE_TTL
    client.create_registered_model("connected")
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with receiver.ledger.read() as connection:
            if found := connection.execute(select(events.c.model, events.c.source)).all():
                break
        time.sleep(0.1)
    assert [tuple(row) for row in found] == [("connected", "mlflow")]


def test_what_was_changed_is_mended_and_the_doctor_says_by_which_command(site: Site, client: MlflowClient):
    site.run("connect")
    [hook] = client.list_webhooks()
    for change, says in (
        ({"status": "DISABLED"}, "is disabled"),
        ({"url": "http://127.0.0.1:9/elsewhere"}, "posts to http://127.0.0.1:9/elsewhere, and not to http"),
        ({"events": ["model_version.created"]}, "leaves out model_version_alias.created"),
        ({"secret": OTHER}, "did not arrive: the receiver refused its signature (401)"),
    ):
        client.update_webhook(hook.webhook_id, **change)
        found = site.doctor()
        assert (found.level, says in found.seen, "`registrar mlflow connect`" in found.do) == ("FAIL", True, True), (
            found
        )
        assert site.run("connect").exit_code == 0
        assert site.doctor().level == "ok"
    assert [one.webhook_id for one in client.list_webhooks()] == [hook.webhook_id]
    client.delete_webhook(hook.webhook_id)
    found = site.doctor()
    assert (found.level, "has no webhook to" in found.seen, "makes it" in found.do) == ("FAIL", True, True)
    assert site.run("status").exit_code == 1


def test_a_secret_or_address_that_is_wrong_is_said_at_once(site: Site, client: MlflowClient):
    wrong = site.run("connect", HOOK=OTHER)
    assert (wrong.exit_code, "a test did not arrive: the receiver refused its signature (401)" in wrong.stderr) == (
        1,
        True,
    )
    assert OTHER not in wrong.output
    dead = site.run("connect", REGISTRAR_PUBLIC_URL="http://127.0.0.1:9")
    assert (dead.exit_code, "MLflow could not post it" in dead.stderr) == (1, True), dead.output
    assert site.run("connect").exit_code == 0
    assert len(client.list_webhooks()) == 1


def test_a_webhook_made_by_hand_for_our_address_is_taken_over(site: Site, client: MlflowClient, receiver: Server):
    """As the docs of earlier releases had it; a second one of ours goes."""
    url = f"{receiver.url}/webhooks/mlflow"
    mine, _ = (client.create_webhook(name="n", url=url, events=["model_version.created"], secret=OTHER) for _ in "ab")
    assert site.run("connect").exit_code == 0
    assert [hook.webhook_id for hook in client.list_webhooks()] == [mine.webhook_id]


def test_each_installation_keeps_to_its_own(site: Site, client: MlflowClient, tmp_path: Path, address: str, receiver):
    """Also after the port of one has changed, and after its key was exchanged."""
    other = Site(tmp_path / "other", address, receiver, REGISTRAR_PUBLIC_URL="http://127.0.0.1:9")
    foreign = client.create_webhook(name="theirs", url="http://127.0.0.1:9/x", events=["model_version.created"])
    site.run("connect")
    other.run("connect")
    assert len(client.list_webhooks()) == 3
    key = Fernet.generate_key().decode()
    other.run(
        "connect",
        REGISTRAR_PUBLIC_URL="http://127.0.0.1:10",
        REGISTRAR_SECRET_KEY=f"{key},{other.environment['REGISTRAR_SECRET_KEY']}",
    )
    urls = {f"{receiver.url}/webhooks/mlflow", "http://127.0.0.1:10/webhooks/mlflow", foreign.url}
    assert {hook.url for hook in client.list_webhooks()} == urls
    assert other.run("disconnect", REGISTRAR_SECRET_KEY=key).stdout == "deleted registrar-mlflow\n"
    assert other.run("disconnect", REGISTRAR_SECRET_KEY=key).stdout == "there was none\n"
    assert {hook.url for hook in client.list_webhooks()} == {f"{receiver.url}/webhooks/mlflow", foreign.url}
    assert site.doctor().level == "ok"


def test_an_address_that_mlflow_can_not_reach_is_refused_before_anything_is_made(site: Site):
    done = site.run("connect", MLFLOW_TRACKING_URI="http://mlflow.example.com")
    assert (done.exit_code, "can't reach http://127.0.0.1" in done.stderr) == (1, True)
    assert "poll_every" in done.stderr


@pytest.mark.parametrize(
    ("policy", "words", "says"),
    [
        ("version: 1\n", (), "has no source of kind mlflow; add one under sources"),
        (ONE, ("--source", "mflow"), "did you mean mlflow?"),
        (ONE + SOURCE.format(name="second"), (), "name one of mlflow, second with --source"),
        (ONE.replace("registry.changed", "model.prune"), (), "may not send registry.changed"),
    ],
)
def test_a_source_that_will_not_do_is_said(site: Site, policy: str, words: tuple[str, ...], says: str):
    Path(site.environment["REGISTRAR_CONFIG"]).write_text(policy)
    done = site.run("connect", *words)
    assert (done.exit_code, says in done.stderr) == (2, True), done.output


def test_a_server_that_posts_to_public_addresses_alone_says_what_it_needs(site: Site, mlflow_address: str):
    done = site.run("connect", MLFLOW_TRACKING_URI=mlflow_address)
    assert (done.exit_code, "Allowed schemes are: https" in done.stderr) == (1, True), done.output
    assert "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS=true" in done.stderr
