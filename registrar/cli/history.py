"""`registrar history`."""

from dataclasses import asdict
from datetime import UTC, datetime

import click

from registrar.cli import show
from registrar.cli.context import Context
from registrar.ledger.history import history as holdings
from registrar.ledger.holding import Holding

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

    With --json also the approvals one by one, the gates' verdicts and the policy's digest that they were shown.
    """
    with context.ledger() as ledger, ledger.read() as connection:
        found = holdings(connection, model, at=at)
    if as_json:
        show.json_text([asdict(holding) for holding in found])
    else:
        then = f" at {show.text(at)}" if at else ""
        empty = f"no version of {model} held a stage or an alias{then}, as far as the ledger knows"
        show.table(COLUMNS, [_row(holding) for holding in found], empty=empty)


def _row(holding: Holding) -> tuple[object, ...]:
    holds = f"@{holding.key}" if holding.kind == "alias" else holding.key
    until = holding.until or "now"
    who = (holding.actor_name, holding.approved_by)
    return holds, holding.version, holding.since, until, *who, holding.event_type, holding.event_id


commands = [history]
