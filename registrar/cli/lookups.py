"""`registrar experiments`, `runs`, `versions`, `models --mlflow`: look-ups in MLflow itself."""

import click

from registrar.cli import formatting, questions
from registrar.cli.context import Context


@click.command()
@formatting.as_json
@click.pass_obj
def experiments(context: Context, *, as_json: bool) -> None:
    """List the experiments of the MLflow server.

    \b
    registrar experiments
    """
    questions.print_table(questions.ask(context, "experiments"), as_json=as_json)


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
    answer = questions.ask(
        context,
        "runs",
        experiment=experiment,
        filter_string=filter_string,
        order_by=list(order_by),
        max_results=max_results,
        run_view_type=view,
    )
    questions.print_table(answer, as_json=as_json)


def print_models(context: Context, *, as_json: bool) -> None:
    """Print the registered models that MLflow has, for `registrar models --mlflow`."""
    questions.print_table(questions.ask(context, "models"), as_json=as_json)


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
    questions.print_table(questions.ask(context, "versions", model=model, max_results=newest), as_json=as_json)
