"""A ledger that a newer version has migrated: each part and each command says which version it takes."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version

import pytest
from click.testing import CliRunner
from sqlalchemy import insert, text

from registrar.cli import main
from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate
from registrar.ledger.schema import HEAD, NewerSchema, check
from registrar.ledger.tables import schema_versions
from tests.mlflow_server import free_port
from tests.worker.harness import KEY

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SAID = "the ledger is newer than this version"
POLICY = "{version: 1, sources: {ci: {kind: standard, secrets: [env:CI]}}, channels: {log: {kind: log}}}"
COMMANDS = [
    ["migrate"],
    ["overview"],
    ["events"],
    ["models"],
    ["history", "taxi"],
    ["rejections"],
    ["promotions", "list"],
    ["dead", "list"],
    ["queue", "list"],
    ["audit", "verify"],
    ["audit", "export", "--format", "jsonl"],
    ["compact", "--older-than", "90d", "--plan"],
    ["token", "list"],
    ["doctor"],
]


def newer(ledger: Ledger, by: str | None) -> None:
    with ledger.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        if by:
            connection.execute(insert(schema_versions), {"revision": "9999", "version": by, "at": NOON})


@pytest.fixture
def environ(tmp_path, ledger: Ledger) -> dict[str, str]:
    (tmp_path / "registrar.yml").write_text(POLICY)
    newer(ledger, "7.1.0")
    return {
        "REGISTRAR_CONFIG": str(tmp_path / "registrar.yml"),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "REGISTRAR_LEDGER_URL": ledger.engine.url.render_as_string(hide_password=False),
        "REGISTRAR_BROKER_URL": "redis://127.0.0.1:9/0",
        "REGISTRAR_SECRET_KEY": KEY,
        "CI": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }


@pytest.mark.both_ledgers
@pytest.mark.parametrize(("by", "says"), [("7.1.0", "use 7.1.0 or later"), (None, "knows revision 9999, or later")])
def test_which_version_it_takes_is_said_to_whoever_opens_or_migrates_it(ledger: Ledger, by: str | None, says: str):
    newer(ledger, by)
    for use in (check, migrate):
        with pytest.raises(NewerSchema, match=f"{SAID} .*{says}"):
            use(ledger)


def test_the_version_that_brought_a_ledger_where_it_is_stands_there_once(ledger: Ledger):
    migrate(ledger)
    with ledger.read() as connection:
        [found] = connection.execute(schema_versions.select()).all()
    assert (found.revision, found.version) == (HEAD, version("mlflow-registrar"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_says_it(environ: dict[str, str], tmp_path, command: list[str]):
    done = CliRunner().invoke(main, ["--data", str(tmp_path / "data"), *command], env=environ)
    assert (done.exit_code, f"{SAID} " in done.output, "7.1.0" in done.output) == (1, True, True), done.output
    assert isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output


@pytest.mark.parametrize("part", [["webhooks.serve", "--port", "{port}"], ["worker", "run"], ["worker", "beat"]])
def test_each_part_says_it_and_ends(environ: dict[str, str], part: list[str]):
    words = [word.format(port=free_port()) for word in part]
    done = subprocess.run(
        [sys.executable, "-m", *words],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode not in (0, -9)
    assert f"{SAID} " in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
