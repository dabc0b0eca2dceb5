"""A real receiver's log as JSON: granian's lines, ours, and one per request without what stands behind a path."""

import json
from pathlib import Path

import requests

from tests.webhooks.conftest import CI, finished, signed
from tests.webhooks.serving import serving


def test_every_line_is_json_and_none_holds_a_query_or_a_secret(tmp_path: Path):
    with serving(tmp_path, REGISTRAR_LOG="json") as server:
        url, body = f"{server.url}/webhooks/ci", json.dumps(finished()).encode()
        event = requests.post(f"{url}?token=hunter22", data=body, headers=signed(body), timeout=30).json()["events"][0]
        requests.post(f"{url}/{CI}", data=b"{}", timeout=30)
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert {"_granian", "registrar.ledger.inbox", "granian.access"} <= {line["logger"] for line in lines}
    [accepted] = [line for line in lines if line.get("event") == event["id"]]
    assert (accepted["source"], accepted["type"], accepted["level"]) == ("ci", "training_run.finished", "info")
    requested = [line["message"] for line in lines if line["logger"] == "granian.access"]
    assert [message.rpartition(" ms")[0].rsplit(" ", 1)[0] for message in requested] == [
        "127.0.0.1 POST /webhooks/ci 202",
        "127.0.0.1 POST /webhooks/ci/*** 404",
    ]
    assert "hunter22" not in json.dumps(lines)
    assert CI not in json.dumps(lines)


def test_a_path_forges_no_line(tmp_path: Path):
    with serving(tmp_path) as server:
        requests.post(f"{server.url}/webhooks/x%0Aforged%0D%1B[31m", data=b"{}", timeout=30)
    [line] = [line for line in server.log.read_text().splitlines() if "forged" in line and "granian.access" in line]
    assert "\x1b" not in line
