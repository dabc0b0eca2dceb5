"""`registrar compact`, `registrar compact show EVENT`."""

from datetime import timedelta
from typing import Any

import click

from registrar.cli import formatting
from registrar.cli.context import Context
from registrar.cli.events import print_event
from registrar.compaction import archive_file, run
from registrar.compaction.places import lasting_place
from registrar.compaction.writer import Written
from registrar.ledger import Ledger
from registrar.ledger.engine import now
from registrar.ledger.queries import event_status
from registrar.ledger.queries.find import archive_location
from registrar.queries.query_service import Unknown
from registrar.text.duration import PATTERN, length
from registrar.text.wording import plural

COLUMNS = ("file", "rows", "tasks")
PLANNED = ("kind", "month", "rows", "tasks")


class Age(click.ParamType[timedelta]):
    """90d, as registrar.yml writes lengths of time."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if not PATTERN.match(value):
            self.fail(f"{value!r} is no age such as 90d", param, ctx)
        if (age := length(value)) < run.YOUNGEST:
            self.fail(f"{value} is too short: what is younger than 7d may still be asked for by its sender", param, ctx)
        return age


@click.group(invoke_without_command=True)
@click.option("--older-than", type=Age(), help="90d; at least 7d.")
@click.option(
    "--to",
    metavar="PLACE",
    help="A folder for the files, or an object store by fsspec: s3://bucket/prefix. By default, archive in the "
    "folder of `registrar up`.",
)
@click.option("--plan", is_flag=True, help="Say what would go and what stays, and why; change nothing.")
@formatting.as_json
@click.pass_context
def compact(ctx: click.Context, *, older_than: timedelta | None, to: str | None, plan: bool, as_json: bool) -> None:
    """Move old events, finished tasks, journal entries and refusals into compressed files.

    \b
    registrar compact --older-than 90d --plan
    registrar compact --older-than 90d --to /var/lib/registrar/archive
    registrar compact show evt_91ab...

    Events that the history, promotions, votes or deployments tell of stay, and their tasks go. What is not done stays
    whole, what `registrar dead list` lists, and what decisions rest on. `registrar audit verify` reads the ledger and
    the files. Deliveries that come again are known all the same. It may be run while all else runs, again after it
    broke off, and every night.
    """
    if ctx.invoked_subcommand:
        return
    if older_than is None:
        raise click.UsageError("say from which age on: --older-than 90d")
    context: Context = ctx.obj
    cutoff = now() - older_than
    with context.ledger() as ledger:
        if plan:
            _plan(run.plan(ledger, cutoff=cutoff), as_json=as_json)
        else:
            where = lasting_place(to or _default(context))
            with formatting.show_progress("moving what is old") as say:
                found = []
                for written in run.archive(ledger, cutoff=cutoff, where=where):
                    found.append(written)
                    say(f"moving what is old: {sum(each.rows for each in found):,} rows so far")
            _written(found, as_json=as_json)


def _default(context: Context) -> str:
    if not context.data.is_dir():
        raise click.UsageError("say where the files are to be kept: --to FOLDER")
    return str(context.data / "archive")


def _plan(found: run.Plan, *, as_json: bool) -> None:
    rows = [(*where, count, found.tasks[where]) for where, count in found.rows.items()]
    if as_json:
        formatting.print_json({"archive": [dict(zip(PLANNED, row, strict=True)) for row in rows], "stays": found.kept})
        return
    formatting.table(PLANNED, rows, empty="nothing is old enough and may go")
    for why, count in found.kept.items():
        click.echo(f"{plural(count, 'event')} of that age {'stays' if count == 1 else 'stay'} whole: {why}", err=True)


def _written(found: list[Written], *, as_json: bool) -> None:
    if as_json:
        formatting.print_json([vars(each) for each in found])
        return
    formatting.table(
        COLUMNS, [(each.path, each.rows, each.tasks) for each in found], empty="nothing was old enough and could go"
    )
    for each in found:
        if each.resumed:
            click.echo(f"{each.path} is of a run that broke off: it was gone on with", err=True)
        if each.left:
            stay = plural(each.left, "row stays", "rows stay")
            click.echo(f"{stay} in the ledger, changed since {each.path} was begun", err=True)


@compact.command("show")
@click.argument("event_id", metavar="EVENT")
@click.option("--from", "folder", metavar="PLACE", help="Where the files are now, if they were moved.")
@formatting.as_json
@click.pass_obj
def show_archived(context: Context, *, event_id: str, folder: str | None, as_json: bool) -> None:
    """Show an archived event with its tasks and what came of them, or one that stays and whose tasks were archived.

    They are read from the file, which must be as it was written.

    \b
    registrar compact show evt_91ab... --from /mnt/backup/archive
    """
    with context.ledger() as ledger:
        found = _find_event(ledger, event_id, folder)
    if as_json:
        formatting.print_json(found)
    else:
        print_event(found)


def _find_event(ledger: Ledger, event_id: str, folder: str | None) -> dict[str, Any]:
    with ledger.read() as connection:
        if at := archive_location(connection, event_id):
            return {**archive_file.read_event(connection, event_id, at, folder=folder), "archive": at.name}
        if event_status.event(connection, event_id):
            raise Unknown(f"{event_id} is not archived: registrar events show {event_id}")
    raise Unknown(f"the ledger has no event {event_id}, and never archived one")
