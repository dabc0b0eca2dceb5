"""Each way for the receiver not to be reached has its line."""

import socket

import pytest

from tests.doctor.conftest import NOWHERE, Pages, SiteOf, troubles

READY = {"status": "ready", "checks": {"ledger": {"status": "pass", "detail": "takes writes"}}}
NOT_READY = {"detail": "x", "checks": {"broker": {"status": "fail", "detail": "the broker does not answer"}}}


def test_one_that_is_ready_has_no_trouble(site: SiteOf, pages: Pages):
    pages.say("/readyz", READY)
    assert troubles("receiver", site(REGISTRAR_PUBLIC_URL=f"{pages.root}/")) == []


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (503, NOT_READY, "is not ready: broker: the broker does not answer"),
        (200, "<h1>It works!</h1>", "answers 200, but not as a receiver does"),
        (502, "", "answers 502, but not as a receiver does"),
        (301, "", "answers 301, but not as a receiver does"),
    ],
)
def test_what_it_says_instead_is_said(site: SiteOf, pages: Pages, status: int, body: object, says: str):
    pages.say("/readyz", body, status=status)
    [(level, seen, _)] = troubles("receiver", site(REGISTRAR_PUBLIC_URL=pages.root))
    assert (level, says in seen) == ("FAIL", True)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (NOWHERE, "nothing listens there"),
        ("https://nowhere.invalid", "does not resolve"),
        ("registrar.example.com", "is no http(s) address"),
    ],
)
def test_one_that_can_not_be_reached_is_said(site: SiteOf, url: str, says: str):
    [(level, seen, do)] = troubles("receiver", site(REGISTRAR_PUBLIC_URL=url))
    assert (level, says in seen, "REGISTRAR_PUBLIC_URL" in do) == ("FAIL", True, True)


def test_one_without_tls_is_said(site: SiteOf):
    levels = [level for level, *_ in troubles("receiver", site(REGISTRAR_PUBLIC_URL="http://nowhere.invalid"))]
    assert levels == ["warn", "FAIL"]


def test_an_address_that_is_not_set_is_said(site: SiteOf):
    [(level, seen, _)] = troubles("receiver", site(REGISTRAR_PUBLIC_URL=""))
    assert (level, "is not set" in seen) == ("warn", True)


def test_one_that_takes_connections_and_is_silent_is_not_waited_for(site: SiteOf):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        [(level, seen, _)] = troubles("receiver", site(REGISTRAR_PUBLIC_URL=url))
    assert (level, "does not answer within 3 s" in seen) == ("FAIL", True)
