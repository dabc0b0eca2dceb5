"""`registrar history`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from registrar.cli import show
from registrar.cli.context import Context
from registrar.ledger.holding import approved_by

COLUMNS = ("holds", "version", "since", "until", "by", "approved by", "event type", "event")


class Time(click.ParamType[datetime]):
    """An aware datetime from ISO 8601; without an offset it is UTC, as all times that are printed."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            given = value if isinstance(value, datetime) else datetime.fromisoformat(value.removesuffix(" UTC"))
        except ValueError:
            self.fail(f"{value!r} is no time such as 2026-11-22, 2026-11-22T14:30 or 2026-11-22T14:30:00+01:00")
        return given if given.tzinfo else given.replace(tzinfo=UTC)


@click.command()
@click.argument("model")
@click.option("--at", type=Time(), help="Who held what then: 2026-11-22T14:30, in UTC unless it says otherwise.")
@show.as_json
@click.pass_obj
def history(context: Context, model: str, at: datetime | None, as_json: bool) -> None:
    """Show which version of MODEL held which stage and alias, when, by whose event, and who approved.

    \b
    registrar history churn
    registrar history churn --at 2026-11-22T14:30    # who held what then

    With --json also the approvals one by one, the gates' verdicts and the policy's digest that they were shown.
    """
    with context.reading() as reading:
        found = reading.history(model, at=at)
    if as_json:
        show.json_text(found)
    else:
        then = f" at {show.text(at)}" if at else ""
        empty = f"no version of {model} held a stage or an alias{then}, as far as the ledger knows"
        show.table(COLUMNS, [_row(holding) for holding in found], empty=empty)


def _row(holding: Mapping[str, Any]) -> tuple[object, ...]:
    holds = f"@{holding['key']}" if holding["kind"] == "alias" else holding["key"]
    who = (holding["actor_name"], approved_by((each["name"] for each in holding["approvals"]), holding["broke_glass"]))
    event = (holding["event_type"], holding["event_id"])
    return holds, holding["version"], holding["since"], holding["until"] or "now", *who, *event


commands = [history]
