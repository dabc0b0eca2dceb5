"""How long each page of the dashboard takes on the server, in a ledger of 100,000 events.

In the process itself, through the receiver's own router, with the browser's and the network's share left out.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import quote

from cryptography.fernet import Fernet
from flask.testing import FlaskClient
from sqlalchemy import select

from registrar.config.settings import Settings
from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate
from registrar.ledger.tables import events, holders, promotions, tasks
from tests.bench.filling import fill
from tests.bench.options import Options
from tests.bench.result import Plot, Result, Table, Target
from tests.bench.rounds import Figures, medians
from tests.postgres_server import database
from tests.postgres_server import serve as serve_postgres
from webhooks.app import create_app

TITLE = "Pages of the dashboard: how long the server takes, with 100,000 events in the ledger"
SIZE = 100_000
AT_MOST = 200.0  # ms
_MODELS = 200
_TIMES = 5  # each round
_AT_HOME = {"base_url": "http://127.0.0.1:8080", "environ_overrides": {"REMOTE_ADDR": "127.0.0.1"}}
_POLICY = """
version: 1
sources: {ci: {kind: standard, secrets: [env:CI_SECRET], may: [{events: ["*"], models: ["*"]}]}}
people: {ada: {name: Ada}}
groups: {leads: [ada]}
models:
  "*":
    targets:
      - {stage: Staging, alias: challenger, approval: automatic}
      - {stage: Production, alias: champion, approval: {rules: [{group: leads}]}}
"""


@dataclass(frozen=True)
class Filled:
    """A receiver on a ledger of SIZE events, and its pages by what they are called."""

    client: FlaskClient
    pages: Mapping[str, str]


def measure(options: Options) -> Result:
    found: dict[str, list[Figures]] = {}
    for name in options.ledgers:
        with filled(name) as receiver:
            found[name] = [once(receiver) for _ in range(options.rounds)]
    figures = {name: medians(rounds) for name, rounds in found.items()}
    pages = list(next(iter(figures.values())))
    return Result(
        table=Table(
            ("page", *(f"{name}, ms" for name in figures)),
            [(page, *(f[page] for f in figures.values())) for page in pages],
        ),
        targets=[
            Target(f"the slowest page, {name}", max(of_it.values()), at_most=AT_MOST, unit="ms")
            for name, of_it in figures.items()
        ],
        plots=[Plot(name, "ms", pages, {"ms": [of_it[page] for page in pages]}) for name, of_it in figures.items()],
        rounds=found,
    )


def once(receiver: Filled) -> Figures:
    """The median of each page's times, in ms."""
    for path in receiver.pages.values():  # templates are compiled once, at a page's first request
        assert receiver.client.get(path, **_AT_HOME).status_code in (200, 303), path
    return {name: median(_took(receiver.client, path) for _ in range(_TIMES)) for name, path in receiver.pages.items()}


def _took(client: FlaskClient, path: str) -> float:
    begun = time.perf_counter()
    client.get(path, **_AT_HOME)
    return (time.perf_counter() - begun) * 1000


@contextmanager
def filled(name: str, *, size: int = SIZE) -> Iterator[Filled]:
    """name: sqlite or postgresql."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(serve_postgres(durable=True)) if name == "postgresql" else None
        url = stack.enter_context(database(cluster)) if cluster else f"sqlite:///{folder}/ledger.db"
        ledger = Ledger(url)
        stack.callback(ledger.close)
        migrate(ledger)
        fill(ledger, size, models=min(_MODELS, size // 10), versions=True)
        yield Filled(create_app(_settings(folder, url)).test_client(), _pages(ledger, size))


def _settings(folder: Path, url: str) -> Settings:
    (folder / "registrar.yml").write_text(_POLICY)
    return Settings.read(
        {
            "REGISTRAR_CONFIG": str(folder / "registrar.yml"),
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
            "REGISTRAR_LEDGER_URL": url,
            "REGISTRAR_BROKER_URL": "redis://127.0.0.1:1/0",
            "REGISTRAR_SECRET_KEY": Fernet.generate_key().decode(),
            "REGISTRAR_LOCAL_OPERATOR": "ada",
            "CI_SECRET": "whsec_" + "c2Vj" * 8,
        }
    )


def _pages(ledger: Ledger, size: int) -> dict[str, str]:
    with ledger.read() as connection:
        event = connection.execute(select(events.c.id).where(events.c.seq == size // 2)).scalar_one()
        promotion = connection.execute(select(promotions.c.id).limit(1)).scalar_one()
        dead = select(tasks.c.id, tasks.c.seq, tasks.c.finished_at).where(tasks.c.state == "dead")
        letter, seq, at = connection.execute(dead.limit(1)).one()
        held = connection.execute(select(holders.c.model, holders.c.version).limit(1)).one()
        of_model = select(holders.c.version).where(holders.c.model == held.model, holders.c.version != held.version)
        other = connection.execute(of_model.limit(1)).scalar_one()
    return {
        "overview": "/",
        "events": "/events",
        "events, an old page": f"/events?before={size // 3}",
        "events of a model": "/events?model=model-7",
        "events of a rare state": "/events?state=dead",
        "events of no such source": "/events?source=nobody",
        "events of a day": "/events?since=2025-09-10&until=2025-09-11",
        "events of a source, a type and a state": "/events?source=ci&type=training_run.finished&state=succeeded",
        "an event": f"/events/{event}",
        "promotions": "/promotions",
        "promotions that need me": "/promotions?show=mine",
        "promotions that were decided": "/promotions?show=decided",
        "a promotion": f"/promotions/{promotion}",
        "models": "/models",
        "a model": "/models/model-7",
        "a model, older versions": f"/models/model-7?before={size // 2}",
        "two versions": f"/models/{held.model}/compare?a={held.version}&b={other}",
        "dead letters": "/dead",
        "dead letters, an old page": f"/dead?before={quote(f'{at.isoformat()}~{seq}')}",
        "a dead letter": f"/dead/{letter}",
        "refused requests": "/rejections",
        "policy": "/policy",
        "audit": "/audit",
        "audit of a model": "/audit?model=model-7",
        "find": "/find?q=model-7",
        "find, several": "/find?q=odel-7",
    }
