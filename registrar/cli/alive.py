"""`registrar alive`."""

import click

from registrar.cli import formatting
from registrar.cli.context import Context
from registrar.ledger.heartbeats import PARTS
from registrar.telemetry.liveness import Liveness, processes, why_silent

DEAD = 1


@click.command()
@click.option("--part", type=click.Choice(PARTS), required=True, help="Which: each process of it on this machine.")
@click.option("--pid", type=click.IntRange(1), help="This process of the part alone.")
@formatting.as_json
@click.pass_context
def alive(ctx: click.Context, *, part: str, pid: int | None, as_json: bool) -> None:
    """Say whether a part on this machine is alive, by its own heartbeat and the last turn of its loop.

    \b
    registrar alive --part worker
    registrar alive --part beat || systemctl restart registrar-beat

    For health checks: broker, ledger and MLflow are not asked, so a part that waits for one of them is alive. One that
    is frozen, dead, or whose loop stands still is not. Exit code 0: each such process here is alive; 1: one is not,
    none runs here, or it can't be told because TMPDIR is full. Run it where the part runs, as the same user, with the
    same settings and TMPDIR.
    """
    context: Context = ctx.obj
    ledger_url = context.settings().ledger_url
    found = [one for one in processes(ledger_url, part) if pid in (None, one.pid)]
    trouble = [said for one in found if (said := one.trouble)]
    if not found:
        trouble = [_none(ledger_url, part, pid)]
    if as_json:
        formatting.json_text({"alive": not trouble, "processes": [vars(one) for one in found], "trouble": trouble})
    else:
        click.echo("; ".join(trouble) or ", ".join(map(_well, found)), err=bool(trouble))
    if trouble:
        ctx.exit(DEAD)


def _none(ledger_url: str, part: str, pid: int | None) -> str:
    wanted = f"{part}{f' {pid}' if pid else ''} of this installation runs here"
    if why := why_silent(ledger_url):
        return f"whether a {wanted} can't be told: {why}; mend that, or give the parts and this command another TMPDIR"
    return f"no {wanted}"


def _well(one: Liveness) -> str:
    return f"{one.part} {one.pid} is alive: heard of {one.silent:.0f} s ago, its loop went round {one.stuck:.0f} s ago"


commands = [alive]
