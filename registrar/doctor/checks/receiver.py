"""Checks the receiver at its public address, as senders reach it."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from registrar.doctor import DoctorContext, Finding, fail, ok, warn
from registrar.http.probe import Silence, ask


def check(context: DoctorContext) -> Iterator[Finding]:
    url = context.settings.public_url
    if not url:
        advice = "Set it to the address that senders use, such as https://registrar.example.com; links need it too"
        yield warn("REGISTRAR_PUBLIC_URL is not set, so the receiver was not checked", advice)
        return
    if urlsplit(url).scheme == "http" and not _inside(urlsplit(url).hostname or ""):
        yield warn(
            f"{url} is not https: senders' tokens can be read on the way", "Put a proxy with TLS before the receiver"
        )
    try:
        answer = ask(f"{url.rstrip('/')}/readyz")
    except Silence as silence:
        yield fail(str(silence), "Are the receiver and its proxy up, and is REGISTRAR_PUBLIC_URL right?")
        return
    checks = answer.json.get("checks") if isinstance(answer.json, dict) else None
    if answer.status == 200 and checks:
        yield ok(f"{url} is ready to accept events")
    elif answer.status == 503 and checks:
        problems = "; ".join(
            f"{name}: {result.get('detail')}" for name, result in checks.items() if result.get("status") == "fail"
        )
        yield fail(f"{url} is not ready: {problems}", "See the lines of those parts")
    else:
        advice = "Does REGISTRAR_PUBLIC_URL lead to the receiver? A proxy must pass on /webhooks/, /readyz and /healthz"
        yield fail(f"{url}/readyz answers {answer.status}, but not as a receiver does", advice)


def _inside(host: str) -> bool:
    """Return whether a host is private: by its address, or by a name without a dot, as in a container network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host
