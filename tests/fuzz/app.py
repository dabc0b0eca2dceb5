"""The receiver with every kind of source in it, and a way around the signatures, so that fuzz gets to what is behind.

`tests/webhooks/serving.py` starts it; `household` gives its REGISTRAR_CONFIG and the secrets.
"""

import json
from typing import Any

import yaml

from tests.sources.captured import FIXTURES, FOLDERS
from webhooks import asgi, senders
from webhooks.ingress import error_handlers
from webhooks.postbox import Postbox
from webhooks.source import Request, Verified

VOUCHED = "x-fuzz-vouched"  # a request with it counts as signed
RATE = "999999/second"
MOST = 1_000_000  # tasks; nobody works on them


def from_environment() -> asgi.Asgi:
    error_handlers.REFUSALS = RATE
    verify = senders.Sender.verify

    def or_vouched(self: senders.Sender, request: Request) -> Verified:
        return Verified(None, 0) if VOUCHED in request.headers else verify(self, request)

    senders.Sender.verify = or_vouched  # type: ignore[method-assign]
    Postbox.post = lambda self, letter: True  # type: ignore[method-assign]  # the fixtures' addresses are real hosts
    return asgi.from_environment()


def household() -> tuple[str, dict[str, str]]:
    """A registrar.yml with all the senders that fixtures come from, and their secrets as environment."""
    policy: dict[str, Any] = {"version": 1, "sources": {}, "people": {}, "max_unfinished": MOST}
    secrets: dict[str, str] = {}
    for content in (json.loads((FIXTURES / folder / "_sender.json").read_text()) for folder in FOLDERS):
        name, source = content["name"], dict(content["policy"]["sources"][content["name"]])
        references = [f"env:{name.upper().replace('-', '_')}_{number}" for number, _ in enumerate(content["secrets"])]
        secrets |= {ref.removeprefix("env:"): value for ref, value in zip(references, content["secrets"], strict=True)}
        everything = [{"events": ["*"], "models": ["*"]}]
        limits = {"rate_limit": RATE, "max_unfinished": MOST}
        policy["sources"][name] = {**source, "secrets": references, "may": everything, **limits}
        policy["people"] |= {
            who: person for who, person in content["policy"].get("people", {}).items() if who not in policy["people"]
        }
    return yaml.safe_dump(policy), secrets
