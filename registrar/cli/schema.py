"""`registrar schema`."""

from typing import Any

import click

from registrar.cli.formatting import json_text
from registrar.policy import Policy

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def policy_schema() -> dict[str, Any]:
    """The JSON Schema of registrar.yml, in its own spelling (`from`, not from_)."""
    schema = Policy.model_json_schema(by_alias=True)
    return {"$schema": _DIALECT, **schema, "title": "registrar.yml"}


@click.command()
def schema() -> None:
    """Print the JSON Schema of registrar.yml, for editors to complete and check it.

    \b
    registrar schema > registrar.schema.json
    """
    json_text(policy_schema())


commands = [schema]
