"""Looks for secrets in whatever a run left behind, in every form that a program may have given them."""

import base64
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

SHORTEST = 8  # bytes of a form: shorter ones stand in innocent texts too


def forms(secret: str) -> set[bytes]:
    """As it is, escaped for JSON, HTML and addresses, in hexadecimal, and in base64 wherever it begins."""
    raws = {secret.encode(), secret.removeprefix("whsec_").encode()}
    if secret.startswith("whsec_"):
        raws.add(base64.b64decode(secret.removeprefix("whsec_")))
    texts = {secret, json.dumps(secret)[1:-1], html.escape(secret), quote(secret, safe=""), quote(secret)}
    found = {text.encode() for text in texts | {quote_plus(secret), repr(secret)[1:-1]}} | raws
    for raw in raws:
        found |= {raw.hex().encode(), raw.hex().upper().encode(), *_in_base64(raw)}
    return {form for form in found if len(form) >= SHORTEST}


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """The characters that come from these bytes alone, whatever stands before and behind them."""
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * before + raw).rstrip(b"=")
            first = (8 * before + 5) // 6
            last = 8 * (before + len(raw)) // 6
            yield encoded[first:last]


def found(secrets: Mapping[str, str], places: Mapping[str, bytes]) -> list[str]:
    """Which secret stands where; none should. secrets: by what they are for. places: by their names."""
    looked_for = {form: name for name, secret in secrets.items() for form in forms(secret)}
    return [
        f"{name} in {where}: ...{_around(content, at)}..."
        for where, content in places.items()
        for form, name in looked_for.items()
        if (at := content.find(form)) >= 0
    ]


def files(*folders: Path, but: Iterable[Path] = ()) -> dict[str, bytes]:
    """Every file below these folders, as it lies on the disk."""
    left_out = set(but)
    every = (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): path.read_bytes() for path in every if path not in left_out}


def _around(content: bytes, at: int) -> str:
    return content[max(0, at - 80) : at + 20].decode("utf-8", "replace")
