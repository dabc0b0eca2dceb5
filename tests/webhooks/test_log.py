"""A real receiver's log as JSON: gunicorn's lines, ours, and one per request without what stands behind a path."""

import json
from pathlib import Path

import requests

from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate
from tests.webhooks.conftest import CI, finished, signed
from tests.webhooks.test_gunicorn import CONFIG, port_of, start


def test_every_line_is_json_and_none_holds_a_query_or_a_secret(tmp_path: Path):
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    migrate(ledger)
    config = f"{CONFIG}workers = 1\naccesslog = {str(tmp_path / 'access.log')!r}\n"
    process = start(tmp_path, config=config, REGISTRAR_LOG="json")
    try:
        url = f"http://127.0.0.1:{port_of(process)}/webhooks/ci"
        body = json.dumps(finished()).encode()
        event = requests.post(f"{url}?token=hunter22", data=body, headers=signed(body), timeout=30).json()["events"][0]
        requests.post(f"{url}/{CI}", data=b"{}", timeout=30)
    finally:
        process.terminate()
        process.wait(20)
        ledger.close()
    lines = [json.loads(line) for line in (tmp_path / "gunicorn.log").read_text().splitlines()]
    assert {"gunicorn.error", "webhooks.intake"} <= {line["logger"] for line in lines}
    [accepted] = [line for line in lines if line.get("event") == event["id"]]
    assert (accepted["source"], accepted["type"], accepted["level"]) == ("ci", "training_run.finished", "info")
    requested = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    assert [(line["method"], line["path"], line["status"]) for line in requested] == [
        ("POST", "/webhooks/ci", 202),
        ("POST", "/webhooks/ci/***", 404),
    ]
    assert requested[0]["seconds"] >= 0
    assert "hunter22" not in json.dumps([lines, requested])
    assert CI not in json.dumps([lines, requested])
