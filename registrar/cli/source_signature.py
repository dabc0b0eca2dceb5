"""`registrar doctor --source NAME`: prints why a source's signature fails."""

from collections import Counter
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO

import click
import requests

from registrar.cli.context import Context
from registrar.errors import UserError
from registrar.ledger.rejections import latest
from webhooks.ingress.source_registry import OpenSource
from webhooks.ingress.source_types import Request
from webhooks.signatures import source_signing
from webhooks.signatures.diagnosis.diagnose import diagnose, usual_causes

LOOKED_AT = 500  # refusals
SHOWN = 5
SKEW = 5.0  # seconds between two clocks that change nothing
HOW_TO = """\
To find out more, capture a request as it arrives (GitHub, GitLab, Slack and MLflow show headers and body of their
deliveries; else let the sender post to a listener of yours), put headers, a blank line and the exact body into a file:
  registrar doctor --source {name} --request FILE.http"""


def explain(context: Context, source: str, file: IO[bytes] | None, at: datetime | None) -> None:
    """Print what is wrong. file: a captured request; at: when it arrived, else when the file was written."""
    sender = source_signing.opened(source, context.policy(), context.settings())
    lines = (
        _diagnose_request(sender, file, at)
        if file
        else [*_compare_clock(context), *_describe_rejections(context, source)]
    )
    kind, count = sender.context.config.kind, len(sender.context.secrets)
    click.echo(f"{source}: kind {kind}; {'its secret is' if count == 1 else 'its secrets are'} in the right form")
    for line in lines:
        click.echo(f"- {line}")
    if file is None:
        click.echo(HOW_TO.format(name=source))


def _diagnose_request(sender: OpenSource, file: IO[bytes], at: datetime | None) -> list[str]:
    outgoing = source_signing.captured(file.read(), whole=True, headers={})
    content_type = outgoing.headers.get("content-type", "").partition(";")[0].strip().lower()
    return diagnose(sender, Request(outgoing.headers, outgoing.body, content_type, at or _file_time(file)))


def _file_time(file: IO[bytes]) -> datetime:
    path = Path(str(getattr(file, "name", "")))
    return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.is_file() else datetime.now(UTC)


def _compare_clock(context: Context) -> list[str]:
    """Compare this machine's clock with the receiver's, as for a sender on this machine."""
    url = context.settings().public_url
    if not url:
        return ["REGISTRAR_PUBLIC_URL is not set, so the receiver's clock was not looked at"]
    try:
        said = requests.get(f"{url.rstrip('/')}/healthz", timeout=5, allow_redirects=False).headers.get("Date", "")
        off = (datetime.now(UTC) - parsedate_to_datetime(said)).total_seconds()
    except (requests.RequestException, ValueError, TypeError):
        return [f"{url} does not answer: is the receiver up, and the address right?"]
    if abs(off) <= SKEW:
        return ["the receiver answers, and its clock agrees with this machine's"]
    return [f"the receiver's clock is {abs(off):.0f} s {'behind' if off > 0 else 'ahead of'} this machine's"]


def _describe_rejections(context: Context, source: str) -> list[str]:
    try:
        with context.ledger() as ledger, ledger.read() as connection:
            rows = [row for row in latest(connection, limit=LOOKED_AT) if row["source"] == source]
    except UserError as problem:
        return [f"what was refused can't be read: {problem}"]
    if not rows:
        return [f"none of the last {LOOKED_AT} refusals was {source}'s"]
    newest = [f"{row['at']:%Y-%m-%d %H:%M:%S} {row['code']}: {row['detail']}" for row in rows[:SHOWN]]
    return [*usual_causes(Counter(row["code"] for row in rows)), *newest]
