"""`registrar models`: the registered models, and which version of each holds what."""

from importlib.metadata import entry_points

import click

from registrar.cli import formatting
from registrar.cli.context import Context
from registrar.queries.query_service import Row, up_to

COLUMNS = ("model", "holds", "open promotions", "last event")


@click.command()
@click.option("--mlflow", is_flag=True, help="All that MLflow has, with their aliases, in place of the record's.")
@formatting.limit
@formatting.as_json
@click.pass_obj
def models(context: Context, *, mlflow: bool, limit: int, as_json: bool) -> None:
    """List the registered models: which version holds which stage and alias, and what is under way.

    \b
    registrar models
    registrar models --mlflow     # those too that no event was ever about

    Which version held what before: registrar history MODEL; its versions with their metrics: registrar versions MODEL.
    """
    if mlflow:
        [entry] = entry_points(group="registrar.registry")
        entry.load()(context, as_json=as_json)
        return
    with context.reading() as reading:
        found = up_to(limit, lambda most, cursor: reading.models(limit=most, cursor=cursor))
    if as_json:
        formatting.json_text(found)
    else:
        formatting.table(COLUMNS, [_row(each) for each in found], empty="no event was about a model yet")


def _row(each: Row) -> tuple[object, ...]:
    holds = [f"{'@' if held['kind'] == 'alias' else ''}{held['key']} {held['version']}" for held in each["holders"]]
    return each["model"], ", ".join(holds) or None, each["open_promotions"], each["last_event_at"]


commands = [models]
