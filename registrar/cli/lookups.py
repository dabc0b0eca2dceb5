"""`registrar experiments`, `runs`, `versions`, `models --mlflow`: look-ups in MLflow itself."""

from collections.abc import Callable
from functools import partial

import click

from registrar.cli import formatting
from registrar.cli.context import Context
from registrar.http.event_client import Unreachable
from registrar.ledger.engine import now
from worker import lookups
from worker.registry.mlflow import MlflowRegistry, configure_client
from worker.registry.protocol import RetryableError


def _registry(context: Context) -> MlflowRegistry:
    configure_client()
    return MlflowRegistry(context.settings().mlflow_uri)


def _print(context: Context, ask: Callable[[MlflowRegistry], lookups.Table], *, as_json: bool) -> None:
    with formatting.show_progress("asking MLflow"):
        try:
            table = ask(_registry(context))
        except RetryableError as error:
            raise Unreachable(f"{error}; is it up? `registrar doctor` says how all parts are") from error
    if as_json:
        formatting.print_json([dict(zip(table.columns, row, strict=True)) for row in table.rows])
    else:
        formatting.table(table.columns, table.rows, empty=f"{table.title}: none")


@click.command()
@formatting.as_json
@click.pass_obj
def experiments(context: Context, *, as_json: bool) -> None:
    """List the experiments of the MLflow server.

    \b
    registrar experiments
    """
    _print(context, lambda registry: lookups.experiments(registry, now()), as_json=as_json)


@click.command()
@click.option("--experiment", "-e", required=True, help="Its name.")
@click.option("--filter", "filter_string", default="", help='MLflow\'s filter, such as "metrics.rmse < 7".')
@click.option("--order-by", multiple=True, help='Such as "metrics.rmse ASC"; may be given again.')
@click.option(
    "--max", "max_results", type=click.IntRange(1, 1000), default=10, show_default=True, help="At most so many."
)
@click.option(
    "--view",
    type=click.Choice(["ACTIVE_ONLY", "DELETED_ONLY", "ALL"]),
    default="ACTIVE_ONLY",
    show_default=True,
    help="Which runs: MLflow's run_view_type.",
)
@formatting.as_json
@click.pass_obj
def runs(
    context: Context,
    *,
    experiment: str,
    filter_string: str,
    order_by: tuple[str, ...],
    max_results: int,
    view: str,
    as_json: bool,
) -> None:
    """Search the runs of an experiment, as MlflowClient.search_runs does.

    \b
    registrar runs -e nyc-taxi-experiment --filter "metrics.rmse < 7" --order-by "metrics.rmse ASC" --max 5
    """
    ask = partial(
        lookups.runs,
        now=now(),
        experiment=experiment,
        filter_string=filter_string,
        order_by=order_by,
        max_results=max_results,
        run_view_type=view,
    )
    _print(context, ask, as_json=as_json)


def print_models(context: Context, *, as_json: bool) -> None:
    """Print the registered models that MLflow has, for `registrar models --mlflow`."""
    _print(context, lambda registry: lookups.models(registry, now()), as_json=as_json)


@click.command()
@click.argument("model")
@click.option(
    "--max", "newest", type=click.IntRange(1, 1000), default=20, show_default=True, help="The newest so many."
)
@formatting.as_json
@click.pass_obj
def versions(context: Context, *, model: str, newest: int, as_json: bool) -> None:
    """List the versions of MODEL: stage, aliases, metrics, age, and who registered them.

    \b
    registrar versions churn --max 5
    """
    _print(context, lambda registry: lookups.versions(registry, now(), model=model, newest=newest), as_json=as_json)
