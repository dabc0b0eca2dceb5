"""`registrar replay`: sends an accepted event again, or says what that would do."""

from datetime import UTC, datetime
from importlib.metadata import entry_points
from typing import Any

import click

from registrar.cli import sender, show
from registrar.cli.context import Context
from registrar.policy import Policy
from registrar.replaying import NoReplay, again
from registrar.vocabulary import Data, EventReplay

CODES = {"ready": 0, "blocked": 2, "nothing to do": 3}


@click.command()
@click.argument("event_id", metavar="EVENT")
@click.option("--plan", is_flag=True, help="Say what it would do now, without doing it.")
@click.option("--reason", help="Why; it is kept in the record.")
@sender.options(source="operator")
@click.pass_context
def replay(
    ctx: click.Context,
    *,
    event_id: str,
    plan: bool,
    reason: str | None,
    how: sender.How,
) -> None:
    """Send an accepted EVENT again, as a new one of your own.

    \b
    registrar replay evt_91ab... --plan                          # what it would do now
    registrar replay evt_91ab... --reason "to be sure" --wait

    It is judged as if --source sent it now: it needs the grants for event.replay and for the event's own type. A
    vote that is replayed is yours, and what was done already is not done twice.

    Exit codes are those of `registrar send`; with --wait, 0 means that the new event succeeded. Of --plan: 0: it
    would do something; 2: blocked; 3: nothing to do; 4: the registry does not answer.
    """
    with ctx.obj.reading() as reading:
        first = reading.event(event_id)
    if plan:
        ctx.obj.here()  # it asks MLflow
        ctx.exit(_plan(ctx.obj, how.target.source, first, as_json=how.as_json))
    data = {"event_id": event_id, **({"model": first["model"]} if first["model"] else {})}
    given = {**data, "reason": reason} if reason else data
    answer = sender.sent(how.target, EventReplay.type, given, at=datetime.now(UTC), id=sender.new_id())
    ctx.exit(sender.tell(answer, how, then=_became))


def _became(event: dict[str, Any]) -> str:
    """The event that a replay sent."""
    return str(event["tasks"][0]["outcome"]["facts"][0]["details"]["became"])


def _plan(context: Context, source: str, first: dict[str, Any], *, as_json: bool) -> int:
    """The exit code. Raises Problem."""
    what = f"{first['type']} {first['id']}"
    lines = [f"it came from {first['actor_name']} on {show.text(first['accepted_at'])}, and is {first['state']}"]
    try:
        data = _permitted(context.policy(), source, first)
        state, more = _would(context, data)
        lines += [f"source {source} may replay it, and send a {data.type} itself", *more]
    except NoReplay as error:
        state = "blocked"
        lines.append(f"✗ {error}")
    if as_json:
        show.json_text({"event_id": first["id"], "type": first["type"], "state": state, "lines": lines})
    else:
        click.echo("\n".join([f"{what}, replayed: {state}", *lines]))
    return CODES[state]


def _permitted(policy: Policy, source: str, first: dict[str, Any]) -> Data:
    """Raises NoReplay."""
    data = again(policy, source, first["type"], first["data"])
    if not policy.sources[source].grants(EventReplay.type, first["model"]):
        raise NoReplay(policy.sources[source].refusal(source, EventReplay.type, first["model"]))
    return data


def _would(context: Context, data: Data) -> tuple[str, list[str]]:
    """worker/plan_replay.py, which this package may not import: it offers itself by name."""
    [entry] = entry_points(group="registrar.planning")
    found = entry.load()(context, data)
    return found.state, found.lines


commands = [replay]
