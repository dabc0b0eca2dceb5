"""`registrar overview`: open promotions and their approvers, unfinished work, and problems."""

import click

from registrar.cli import formatting, promotion_view
from registrar.cli.context import Context
from registrar.queries.filters import WELL
from registrar.queries.query_service import Row
from registrar.text.wording import plural

COLUMNS = ("model", "version", "target", "state", "since", "lacks", "may still approve", "id")
INCIDENTS = ("at", "what", "by", "event")


@click.command()
@formatting.as_json
@click.pass_obj
def overview(context: Context, *, as_json: bool) -> None:
    """Say what waits for whom, and what is not well.

    Open promotions, versions that are not live, tasks that are not done or failed for good, parts that are not well,
    and what was refused, quarantined, disputed or changed by hand in the last 24 hours.

    \b
    registrar overview
    """
    with context.reading() as reading:
        summary = reading.overview()
        waits = reading.promotions(state="open", limit=50).rows
    if as_json:
        formatting.print_json({**summary, "open": waits})
        return
    formatting.table(COLUMNS, [_row(each) for each in waits], empty="no promotion waits for anybody")
    for each in summary["not_live"]:
        click.echo(not_live(each))
    unfinished = sum(summary["unfinished"].values())
    of_each = ", ".join(f"{count:,} of {source}" for source, count in summary["unfinished"].items())
    oldest = f" ({of_each}); the oldest since {formatting.text(summary['oldest'])}" if unfinished else ""
    click.echo(f"{plural(unfinished, 'task is', 'tasks are')} not done yet{oldest}")
    more = ": registrar dead list" if summary["dead"] else ""
    click.echo(f"{plural(summary['dead'], 'task')} failed for good{more}")
    for each in summary.get("parts", ()):  # a receiver of before does not say
        if each["status"] != WELL:
            click.echo(
                f"{' '.join(filter(None, (each['name'], each['instance'])))} is {each['status']}: {each['detail']}"
            )
    if summary["incidents"]:
        click.echo("\nin the last 24 hours")
        formatting.table(INCIDENTS, [incident(each) for each in summary["incidents"]], empty="")


def not_live(each: Row) -> str:
    """Describe a version that holds a target, but whose deployment failed."""
    result = "failed" if each["state"] == "failed" else "was not confirmed in time"
    where = f" to {each['environment']}" if each["environment"] else ""
    about = f"{each['model']} version {each['version']} holds {each['target']} and IS NOT LIVE"
    return f"{about}: its deployment{where} {result}, {formatting.text(each['ended_at'])}"


def incident(each: Row) -> tuple[object, ...]:
    """Return a row of the table INCIDENTS."""
    return each["at"], each["text"], each["by"], each["event_id"]


def _row(each: Row) -> tuple[object, ...]:
    voting, may = each["voting"], None
    if voting and each["state"] != "waiting":
        names = [voter["name"] for rule in voting["rules"] if rule["missing"] for voter in rule["may"]]
        may = voting["impossible"] or ", ".join(dict.fromkeys(names))
    about = (each["model"], each["version"], each["target"], each["state"], each["created_at"])
    return *about, promotion_view.lacks(each), may, each["id"]
