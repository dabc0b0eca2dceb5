"""`registrar address`, `alive`, `migrate`, `completion`: small services to scripts and operators."""

import click

from registrar.cli import formatting
from registrar.cli.context import Context
from registrar.config.settings import Settings, SettingsError
from registrar.ledger.heartbeats import PARTS
from registrar.ledger.migrate import migrate as bring_up_to_date
from registrar.telemetry.liveness import Liveness, processes, why_silent


@click.command()
@click.argument("part", type=click.Choice(["receiver", "mlflow"]))
@formatting.as_json
@click.pass_obj
def address(context: Context, *, part: str, as_json: bool) -> None:
    """Print where the receiver or MLflow is, for scripts.

    \b
    export MLFLOW_TRACKING_URI=$(registrar address mlflow)
    """
    url = _address(context.settings(), part)
    if as_json:
        formatting.print_json({part: url})
    else:
        click.echo(url)


def _address(settings: Settings, part: str) -> str:
    if part == "mlflow":
        return settings.mlflow_uri
    if settings.public_url is None:
        raise SettingsError("REGISTRAR_PUBLIC_URL is not set; it is where senders reach the receiver")
    return settings.public_url


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
    none runs here, or a full TMPDIR hides it. Run it where the part runs, as the same user, with the
    same settings and TMPDIR.
    """
    context: Context = ctx.obj
    ledger_url = context.settings().ledger_url
    running = [process for process in processes(ledger_url, part) if pid in (None, process.pid)]
    problems = [process.trouble for process in running if process.trouble]
    if not running:
        problems = [_describe_absence(ledger_url, part, pid)]
    if as_json:
        processes_json = [vars(process) for process in running]
        formatting.print_json({"alive": not problems, "processes": processes_json, "trouble": problems})
    else:
        click.echo("; ".join(problems) or ", ".join(map(_describe_liveness, running)), err=bool(problems))
    if problems:
        ctx.exit(DEAD)


def _describe_absence(ledger_url: str, part: str, pid: int | None) -> str:
    wanted = f"{part}{f' {pid}' if pid else ''} of this installation runs here"
    if why := why_silent(ledger_url):
        return f"whether a {wanted} can't be told: {why}; mend that, or give the parts and this command another TMPDIR"
    return f"no {wanted}"


def _describe_liveness(one: Liveness) -> str:
    return f"{one.part} {one.pid} is alive: heard of {one.silent:.0f} s ago, its loop went round {one.stuck:.0f} s ago"


@click.command()
@formatting.as_json
@click.pass_obj
def migrate(context: Context, *, as_json: bool) -> None:
    """Bring the ledger's schema up to date.

    \b
    registrar migrate
    """
    with formatting.show_progress("migrating"), context.ledger(checked=False) as ledger:
        revision = bring_up_to_date(ledger)
    if as_json:
        formatting.print_json({"revision": revision})
        return
    click.echo(f"the ledger is at revision {revision}")
