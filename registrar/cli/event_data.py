"""Checks the data of an event before it is sent. Apart from command.py, as it loads pydantic and all event types."""

from typing import Any

import click
from pydantic import ValidationError

from registrar.events.left_out import parse_command
from registrar.events.types import Data, UnknownType, parse
from registrar.events.types.errors import wording


def check(type_: str, data: dict[str, Any], *, command: bool = False) -> Data:
    """Return the data as the receiver would read it. Raises click.UsageError where it would refuse it.

    command: of a person, who may leave out what the record says.
    """
    try:
        return parse_command(type_, data) if command else parse(type_, data)
    except UnknownType as error:
        raise click.UsageError(str(error)) from None
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, detail['loc'])) or 'data'} {wording(detail, type_)}"
            for detail in error.errors(include_url=False)
        ]
        raise click.UsageError("\n  ".join([f"this is no {type_}:", *problems])) from None
