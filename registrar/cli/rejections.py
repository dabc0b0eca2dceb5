"""`registrar rejections`."""

import click

from registrar.cli import formatting
from registrar.cli.context import Context
from registrar.queries.query_service import up_to

COLUMNS = ("at", "source", "status", "code", "size", "detail")


@click.command()
@click.option("--source", metavar="NAME", help="By this source alone.")
@formatting.limit
@formatting.as_json
@click.pass_obj
def rejections(context: Context, *, source: str | None, limit: int, as_json: bool) -> None:
    """List what was refused at the door and why, newest first.

    \b
    registrar rejections --source ci
    """
    with context.reading() as reading:
        found = up_to(limit, lambda most, cursor: reading.rejections(source=source, limit=most, cursor=cursor))
    if as_json:
        formatting.json_text(found)
    else:
        formatting.table(COLUMNS, formatting.pick(found, COLUMNS), empty="nothing was refused")


commands = [rejections]
