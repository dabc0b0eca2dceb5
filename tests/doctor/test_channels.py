"""Each way for a channel not to be reached has its line, and nothing is sent."""

import socket

import pytest

from registrar.config.key_generation import new_webhook_secret
from tests.doctor.conftest import Pages, SiteOf, looked, troubles

ONE = 'version: 1\nchannels:\n  team: {{kind: {kind}, {keys}}}\nnotify:\n  - {{outcomes: ["*"], to: [team]}}\n'


def policy(kind: str, keys: str) -> str:
    return ONE.format(kind=kind, keys=keys)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://nowhere.invalid/services/T0/B0/the-token", "nowhere.invalid does not resolve here"),
        ("http://127.0.0.1:1/services/T0/B0/the-token", "no connection to 127.0.0.1 port 1 (Connection refused)"),
        (
            "hooks.slack.com/services/T0/B0/the-token",
            "its url does not begin with http://, https://, smtp:// or smtps://",
        ),
        ("smtp://robot:the-token@127.0.0.1:1", "no connection to 127.0.0.1 port 1"),
    ],
)
def test_an_address_that_leads_nowhere_is_said_without_its_token(site: SiteOf, url: str, says: str):
    [(level, seen, do)] = troubles("channels", site(policy("slack", 'url: "env:HOOK"'), HOOK=url))
    assert (level, says in seen, "env:HOOK" in do) == ("FAIL", True, True)
    assert "the-token" not in seen + do


def test_one_that_takes_connections_is_sent_nothing(site: SiteOf):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        assert troubles("channels", site(policy("slack", 'url: "env:HOOK"'), HOOK=url)) == []
        taken, _ = listener.accept()
        with taken:
            assert taken.recv(1) == b""


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("slack", "xoxb-123-abc", "xapp-1-abc"),
        ("github", "ghp_abc123", "abc123"),
        ("github", "-----BEGIN RSA PRIVATE KEY-----\nabc", "SHA256:abc"),
        ("pagerduty", "a" * 32, "a" * 31),
        ("webhook", new_webhook_secret(), "hunter2"),
    ],
    ids=["slack", "github", "a key of github", "pagerduty", "webhook"],
)
def test_a_token_of_another_form_is_said_and_not_shown(site: SiteOf, kind: str, good: str, bad: str):
    with_secret = policy(kind, 'secret: "env:TOKEN"')
    assert troubles("channels", site(with_secret, TOKEN=good)) == []
    [(level, seen, do)] = troubles("channels", site(with_secret, TOKEN=bad))
    assert (level, "does not look like one of a" in seen) == ("warn", True)
    assert bad not in seen + do


def test_behind_a_proxy_of_the_environment_the_proxy_connects(
    site: SiteOf, pages: Pages, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("https_proxy", pages.root)
    there = site(policy("slack", 'url: "env:HOOK"'), HOOK="https://nowhere.invalid/x")
    assert [one.level for one in looked("channels", there)] == ["ok"]


def test_that_nobody_is_told_is_said(site: SiteOf):
    [(level, seen, _)] = troubles("channels", site())
    assert (level, "nobody is notified" in seen) == ("warn", True)
