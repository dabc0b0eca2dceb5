"""The receiver, as senders reach it: at its public address."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from registrar.doctor import DoctorContext, Finding, fail, ok, warn
from registrar.http.probe import Silence, ask


def look(site: DoctorContext) -> Iterator[Finding]:
    url = site.settings.public_url
    if not url:
        advice = "Set it to the address that senders use, such as https://registrar.example.com; links need it too"
        yield warn("REGISTRAR_PUBLIC_URL is not set, so the receiver was not looked at", advice)
        return
    if urlsplit(url).scheme == "http" and not _inside(urlsplit(url).hostname or ""):
        yield warn(f"{url} is not https: tokens that senders send along can be read on the way", "A proxy with TLS")
    try:
        said = ask(f"{url.rstrip('/')}/readyz")
    except Silence as silence:
        yield fail(str(silence), "Is the receiver up, the proxy before it too, and REGISTRAR_PUBLIC_URL right?")
        return
    checks = said.json.get("checks") if isinstance(said.json, dict) else None
    if said.status == 200 and checks:
        yield ok(f"{url} is ready: it can accept")
    elif said.status == 503 and checks:
        wrong = "; ".join(f"{name}: {one.get('detail')}" for name, one in checks.items() if one.get("status") == "fail")
        yield fail(f"{url} is not ready: {wrong}", "See the lines of those parts here")
    else:
        advice = "Does REGISTRAR_PUBLIC_URL lead to the receiver? A proxy must pass /webhooks/, /readyz and /healthz on"
        yield fail(f"{url}/readyz answers {said.status}, and not as a receiver does", advice)


def _inside(host: str) -> bool:
    """This machine, or a name without a dot, as in a container network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host
