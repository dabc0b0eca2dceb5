"""`registrar overview`: what waits for whom."""

import click

from registrar.cli import show
from registrar.cli.context import Context
from registrar.plural import plural

COLUMNS = ("model", "version", "target", "state", "since", "lacks", "may still approve", "id")


@click.command()
@show.as_json
@click.pass_obj
def overview(context: Context, *, as_json: bool) -> None:
    """Say what waits for whom: open promotions, work that is not done, what failed for good.

    \b
    registrar overview
    """
    with context.reading() as reading:
        found = reading.overview()
        waits = reading.promotions(state="open", limit=50).rows
    if as_json:
        show.json_text({**found, "open": waits})
        return
    show.table(COLUMNS, [_row(each) for each in waits], empty="no promotion waits for anybody")
    unfinished = sum(found["unfinished"].values())
    of_each = ", ".join(f"{count:,} of {source}" for source, count in found["unfinished"].items())
    oldest = f" ({of_each}); the oldest since {show.text(found['oldest'])}" if unfinished else ""
    click.echo(f"{plural(unfinished, 'task is', 'tasks are')} not done yet{oldest}")
    more = ": registrar dead list" if found["dead"] else ""
    click.echo(f"{plural(found['dead'], 'task')} failed for good{more}")


def _row(each: dict[str, object]) -> tuple[object, ...]:
    voting: object = each["voting"]
    lacks, may = None, None
    if isinstance(voting, dict):
        lacks = voting["lacks"]
        names = [voter["name"] for rule in voting["rules"] if rule["missing"] for voter in rule["may"]]
        may = voting["impossible"] or ", ".join(dict.fromkeys(names))
    about = (each["model"], each["version"], each["target"], each["state"], each["created_at"])
    return *about, lacks, may, each["id"]


commands = [overview]
