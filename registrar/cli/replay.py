"""`registrar replay`: sends an accepted event again, or says what that would do."""

from typing import Any

import click

from registrar.cli import command, formatting
from registrar.cli.context import Context
from registrar.cli.lazy_group import load
from registrar.events import resend_rules
from registrar.events.types import EventReplay
from registrar.policy.document import WEB

CODES = {"ready": 0, "blocked": 2, "nothing to do": 3}


@click.command()
@click.argument("event_id", metavar="EVENT")
@click.option("--plan", is_flag=True, help="Say what it would do now, without doing it.")
@click.option("--reason", help="Why; it is kept in the record.")
@command.options()
@click.pass_context
def replay(
    ctx: click.Context,
    *,
    event_id: str,
    plan: bool,
    reason: str | None,
    how: command.How,
) -> None:
    """Send an accepted EVENT again, as a new one of your own.

    \b
    registrar replay evt_91ab... --plan                          # what it would do now
    registrar replay evt_91ab... --reason "to be sure" --wait

    It is sent as the token's bearer, or as this machine's local operator, who must be an operator. A vote that is
    replayed is yours, and what was done already is not done twice.

    Exit codes are those of `registrar send`; with --wait, 0 means that the new event succeeded. Of --plan: 0: it
    would do something; 2: blocked; 3: nothing to do; 4: the registry does not answer.
    """
    with ctx.obj.reading() as reading:
        first = reading.event(event_id)
    if plan:
        ctx.obj.here()  # it asks MLflow
        ctx.exit(_plan(ctx.obj, first, as_json=how.as_json))
    data = {"event_id": event_id, **({"model": first["model"]} if first["model"] else {})}
    given = {**data, "reason": reason} if reason else data
    command.submit_and_exit(ctx, how, EventReplay.type, given, then=_new_event_id)


def _new_event_id(event: dict[str, Any]) -> str:
    """Return the id of the event that a replay sent."""
    return str(event["tasks"][0]["outcome"]["facts"][0]["details"]["became"])


def _plan(context: Context, first: dict[str, Any], *, as_json: bool) -> int:
    """Print what a replay would do, and return the exit code. Raises UserError."""
    what = f"{first['type']} {first['id']}"
    lines = [f"it came from {first['actor_name']} on {formatting.text(first['accepted_at'])}, and is {first['state']}"]
    try:
        again = resend_rules.data_to_resend(context.policy(), WEB, first["type"], first["data"])
        plan = load("registrar.cli.local_answers:plan_resend")(context, again)  # it imports mlflow
        state = plan.state
        lines += plan.lines
    except resend_rules.ResendRefused as error:
        state = "blocked"
        lines.append(f"✗ {error}")
    if as_json:
        formatting.print_json({"event_id": first["id"], "type": first["type"], "state": state, "lines": lines})
    else:
        click.echo("\n".join([f"{what}, replayed: {state}", *lines]))
    return CODES[state]
