"""docs/explanation/security.md says of each route who may ask, and of the broker that it carries nothing but JSON."""

import re
from pathlib import Path

import pytest

from registrar.broker.celery_app import celery_app
from tests.webhooks.conftest import Receiver

DOC = (Path(__file__).parent.parent.parent / "docs" / "explanation" / "security.md").read_text(encoding="utf-8")
ROUTE = re.compile(r"`(GET|POST|OPTIONS) (/[^`]*)`")
ROWS = [line.split("|") for line in DOC.splitlines() if ROUTE.search(line)]
HERE_ONLY = [path for _, routes, asks, *_ in ROWS if "to be this machine" in asks for _, path in ROUTE.findall(routes)]


def test_every_route_is_there_and_no_other(receiver: Receiver):
    told = {route for _, routes, *_ in ROWS for route in ROUTE.findall(routes)}
    rules = receiver.client.application.url_map.iter_rules()
    assert told == {
        (method, rule.rule) for rule in rules for method in rule.methods - {"HEAD"} if _is_ours(method, rule)
    }


def _is_ours(method: str, rule: object) -> bool:
    """Flask answers OPTIONS by itself where a route does not."""
    return method != "OPTIONS" or "/webhooks/" in str(rule)


@pytest.mark.parametrize("path", HERE_ONLY)
@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("192.0.2.7", {}),
        ("127.0.0.1", {"Host": "registrar.example.com"}),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}),
        ("127.0.0.1", {"Via": "1.1 proxy"}),
    ],
)
def test_what_is_for_this_machine_is_for_no_other(receiver: Receiver, path: str, peer: str, headers: dict[str, str]):
    asked = {"environ_base": {"REMOTE_ADDR": peer}, "headers": {"Host": "127.0.0.1:8080", **headers}}
    assert receiver.client.get(re.sub("<.*?>", "x", path), **asked).status_code == 401


def test_there_are_such_routes():
    assert len(HERE_ONLY) > 4


def test_only_json_is_read_from_the_broker_and_workers_are_not_commanded_by_it():
    conf = celery_app("redis://127.0.0.1:1").conf
    assert (list(conf.accept_content), conf.worker_enable_remote_control) == (["json"], False)
