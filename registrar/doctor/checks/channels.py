"""Checks the channels: that their addresses take connections, and that tokens look right. Sends nothing."""

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
_NO_HOST = frozenset({"log", "apprise"})  # kinds whose url, if any, is not the address of a server


def check(context: DoctorContext) -> Iterator[Finding]:
    channels = context.policy.channels if context.policy else {}
    for name, channel in channels.items():
        yield from _check_channel(name, channel, context.settings)
    routed = {to for route in context.policy.notify for to in route.to} if context.policy else set()
    if context.policy and not routed - {name for name, channel in channels.items() if channel.kind == "log"}:
        yield warn(
            "nobody is notified: notifications go to the worker's log alone",
            "Add a channel, and a route to it under notify",
        )


def _check_channel(name: str, channel: Channel, settings: Settings) -> Iterator[Finding]:
    well = True
    if channel.secret and (secret := _value(channel.secret, settings)) and channel.kind in _TOKENS:
        pattern, expected = _TOKENS[channel.kind]
        if not re.fullmatch(pattern, secret):
            yield warn(
                f"{name}: its secret ({channel.secret}) does not look like one of a {channel.kind} channel",
                f"It should be {expected}",
            )
            well = False
    url = _value(channel.url, settings) if channel.url and channel.kind not in _NO_HOST else None
    if url and (problem := _connection_problem(url)):
        yield fail(f"{name}: {problem}", f"Correct {channel.url}, and see that this machine reaches it")
        well = False
    if well:
        yield ok(f"{name} ({channel.kind})" + (": it has no url to check" if not channel.url else ""))


def _connection_problem(url: str) -> str | None:
    """Say why no connection can be made, naming only the host: the rest of the URL may be a secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        host = None
    if not host:
        return "its url does not begin with http://, https://, smtp:// or smtps://"
    if parts.scheme in ("http", "https") and get_environ_proxies(url):
        return None  # the proxy resolves and connects
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except socket.gaierror:
        return f"{host} does not resolve here"
    except OSError as error:
        return f"no connection to {host} port {port} ({error.strerror or type(error).__name__})"
    return None


def _value(reference: str, settings: Settings) -> str | None:
    """Return a secret; None where it can't be read here, which the secrets' check reports."""
    try:
        return settings.secret(reference)
    except SettingsError:
        return None
