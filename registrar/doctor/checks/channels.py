"""Channels: addresses that lead somewhere, tokens of the right form. Nothing is sent."""

import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies

from registrar.config.settings import Settings, SettingsError
from registrar.doctor import DoctorContext, Finding, fail, ok, warn
from registrar.http.probe import PATIENCE
from registrar.policy.routes import Channel

# https://docs.slack.dev/authentication/tokens, https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats
_TOKENS = {
    "slack": (r"xox[bp]-\S+", "a bot's token, xoxb-..."),
    "github": (
        r"(gh[pousr]_|github_pat_)\w+|-----BEGIN[\s\S]+",
        "a token (ghp_..., github_pat_...) or a private key, PEM",
    ),
    "github_dispatch": (
        r"(gh[pousr]_|github_pat_)\w+|-----BEGIN[\s\S]+",
        "a token (ghp_..., github_pat_...) or a key, PEM",
    ),
    "pagerduty": (r"\w{32}", "an integration key of 32 characters"),
    "webhook": (r"whsec_[A-Za-z0-9+/=_-]{32,}", "whsec_ and base64, from `registrar secret --webhook`"),
}
_PORTS = {"https": 443, "http": 80, "smtp": 587, "smtps": 465}
_OF_ITSELF = frozenset({"log", "apprise"})


def look(site: DoctorContext) -> Iterator[Finding]:
    channels = site.policy.channels if site.policy else {}
    for name, channel in channels.items():
        yield from _one(name, channel, site.settings)
    routed = {to for route in site.policy.notify for to in route.to} if site.policy else set()
    if site.policy and not routed - {name for name, one in channels.items() if one.kind == "log"}:
        yield warn("nobody is told of anything outside of the worker's log", "Add a channel, and a route under notify")


def _one(name: str, channel: Channel, settings: Settings) -> Iterator[Finding]:
    wrong = False
    if channel.secret and (secret := _value(channel.secret, settings)) and channel.kind in _TOKENS:
        pattern, wanted = _TOKENS[channel.kind]
        if not re.fullmatch(pattern, secret):
            yield warn(
                f"{name}: its secret ({channel.secret}) has not the form of a {channel.kind} channel's",
                f"It is {wanted}",
            )
            wrong = True
    url = _value(channel.url, settings) if channel.url and channel.kind not in _OF_ITSELF else None
    if url and (trouble := _trouble(url)):
        yield fail(f"{name}: {trouble}", f"Correct {channel.url}, and see that this machine reaches it")
        wrong = True
    if not wrong:
        yield ok(f"{name} ({channel.kind})" + (": nothing to see, nothing is sent" if not channel.url else ""))


def _trouble(url: str) -> str | None:
    """What keeps a connection from being made; the address itself is a secret, its host is not."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        host = None
    if not host:
        return "its url is no address of http, https, smtp or smtps"
    if parts.scheme in ("http", "https") and get_environ_proxies(url):
        return None  # the proxy resolves and connects
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except socket.gaierror:
        return f"{host} does not resolve here"
    except OSError as error:
        return f"{host} port {port} takes no connection ({error.strerror or type(error).__name__})"
    return None


def _value(reference: str, settings: Settings) -> str | None:
    """None where it can't be read here: the secrets' check says so."""
    try:
        return settings.secret(reference)
    except SettingsError:
        return None
