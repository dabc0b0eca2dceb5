"""A registrar.yml with all the senders that fixtures come from."""

import json
from typing import Any

import yaml

from tests.sources.captured import FIXTURES, FOLDERS

RATE = "999999/second"
MOST = 1_000_000  # tasks; nobody works on them


def household() -> tuple[str, dict[str, str]]:
    """The registrar.yml, and the senders' secrets as environment."""
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
