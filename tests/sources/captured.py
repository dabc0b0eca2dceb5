"""Reads tests/fixtures/<kind>/: captured requests, and the secrets and the time that they are signed with.

A kind may have several senders, each with a folder <kind>.<name>/.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from registrar import plugins
from registrar.config.encryption import Encryptor
from registrar.policy import Policy
from registrar.policy.plugin_options import NoOptions
from webhooks.ingress.source_registry import OpenSource
from webhooks.ingress.source_types import Context, Request

FIXTURES = Path(__file__).parent.parent / "fixtures"
KINDS = plugins.kinds("webhooks.sources")
FOLDERS = sorted(path.parent.name for path in FIXTURES.glob("*/_sender.json"))


@dataclass(frozen=True)
class Capture:
    sender: OpenSource
    request: Request
    expected: Path


def sender(folder: str) -> tuple[OpenSource, datetime]:
    """The sender that a folder's fixtures come from, and when they arrived."""
    content = json.loads((FIXTURES / folder / "_sender.json").read_text())
    policy, name = Policy.model_validate(content["policy"]), content["name"]
    config = policy.sources[name]
    module = plugins.load("webhooks.sources", config.kind)
    options = getattr(module, "Options", NoOptions).model_validate(config.options)
    context = Context(name, config, policy, Encryptor(content["seal_key"]), tuple(content["secrets"]), options)
    return OpenSource(context, module), datetime.fromisoformat(content["now"])


def read(path: Path) -> Capture:
    who, now = sender(path.parent.name)
    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")]
    headers = {name.lower(): value for name, _, value in lines}
    media_type = headers["content-type"].partition(";")[0]
    return Capture(who, Request(headers, body, media_type, now), path.with_suffix(".json"))


def captures(*, signs: str | None = None) -> list[Path]:
    """All captured requests; with `signs`, those whose sender's signature covers the body, or the timestamp."""
    found = sorted(FIXTURES.glob("*/*.http"))
    return [path for path in found if signs is None or signs in covered(path.parent.name)]


def covered(folder: str) -> list[str]:
    return list(json.loads((FIXTURES / folder / "_sender.json").read_text()).get("signs", ["body", "timestamp"]))
