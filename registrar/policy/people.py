"""Who is who: people, the chat accounts that are theirs, and the groups they form."""

from datetime import date
from typing import Annotated

from pydantic import Field

from registrar.policy.base_model import Strict


class Delegate(Strict):
    """Somebody who may approve and reject in a person's place, to the end of a day (UTC)."""

    to: Annotated[str, Field(description="one of people")]
    until: Annotated[date, Field(description="the last day: 2026-12-24")]


class Person(Strict):
    """A person. Accounts are the sender's stable ids (slack: TEAM/USER), never display names."""

    name: str
    accounts: Annotated[
        dict[str, str],
        Field(description="account by kind of source: {slack: T0123/U0456}", examples=[{"slack": "T1/U2"}]),
    ] = {}
    delegate: Delegate | None = None


Members = Annotated[list[str], Field(description="people of this file, or source:NAME for a machine")]
