"""`registrar experiments`, `runs`, `versions`, `models --mlflow`: what MLflow itself has."""

import click

from registrar.cli import command, formatting, params, questions, version_view
from registrar.cli.context import Context

NEWEST = 20  # versions of a list


@click.group(invoke_without_command=True)
@formatting.as_json
@click.pass_context
def experiments(ctx: click.Context, *, as_json: bool) -> None:
    """List the experiments of the MLflow server, or create one.

    \b
    registrar experiments
    registrar experiments create nightly
    """
    if ctx.invoked_subcommand is None:
        questions.print_table(questions.ask(ctx.obj, "experiments"), as_json=as_json)


@experiments.command("list")
@formatting.as_json
@click.pass_obj
def list_experiments(context: Context, *, as_json: bool) -> None:
    """List the experiments of the MLflow server.

    \b
    registrar experiments list
    """
    questions.print_table(questions.ask(context, "experiments"), as_json=as_json)


@experiments.command("create")
@click.argument("name")
@click.option("--tag", "tags", multiple=True, type=params.Tag(), help="May be given again.")
@command.options(wait=True)
@click.pass_context
def create_experiment(ctx: click.Context, *, name: str, tags: tuple[tuple[str, str], ...], how: command.How) -> None:
    """Create an experiment of that NAME, unless there is one.

    \b
    registrar experiments create nightly --tag team=pricing

    Asks for an experiment.create, as the token's bearer or this machine's local operator. Exit code 0: it is there; 1:
    it could not be done, or may not; 3: nobody answers.
    """
    data = {"name": name} | ({"tags": dict(tags)} if tags else {})
    command.submit_and_exit(ctx, how, "experiment.create", data)


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
@click.argument("model", type=params.MODEL)
@click.argument("version", type=params.VERSION, required=False)
@click.option("--max", "newest", type=click.IntRange(1, 1000), help="The newest so many; else 20.")
@formatting.as_json
@click.pass_obj
def versions(context: Context, *, model: str, version: int | None, newest: int | None, as_json: bool) -> None:
    """List the versions of MODEL: stage, aliases, metrics, age, and who registered them; or show one VERSION.

    \b
    registrar versions churn --max 5
    registrar versions churn 3     # its description and tags, what it holds, and what holds it back
    """
    if version is None:
        answer = questions.ask(context, "versions", model=model, max_results=newest or NEWEST)
        questions.print_table(answer, as_json=as_json)
        return
    if newest is not None:
        raise click.UsageError("--max is of a list: leave out VERSION, or --max")
    version_view.print_version(context, model, version, as_json=as_json)
