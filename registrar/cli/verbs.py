"""`registrar register`, `promote`, `transition`, `demote`, `describe`, `tag`: one event about one version each.

Where VERSION is left out, so is the event's field: the receiver finds the version that is meant.
"""

from typing import Any

import click

from registrar.cli import command, params, plan

_model = click.argument("model", type=params.MODEL)
_version = click.argument("version", type=params.VERSION, required=False)
_reason = click.option("--reason", metavar="TEXT", help="Why; it is kept in the record.")
_tags = click.option("--tag", "tags", multiple=True, type=params.Tag(), help="May be given again.")


@click.command()
@_model
@click.option("--run", "run_id", metavar="ID", help="The run whose model it is.")
@click.option(
    "--best", "--filter", "filter_string", metavar="FILTER", help='MLflow\'s filter, such as "metrics.rmse < 7".'
)
@click.option("--experiment", "-e", metavar="NAME", help="Where to look for the best run.")
@click.option("--order-by", multiple=True, help='What is best, such as "metrics.rmse ASC"; may be given again.')
@click.option("--artifact-path", metavar="NAME", help="The name that the model was logged under.")
@click.option("--commit", metavar="SHA", help="The commit that was trained; else the run's own tag says it.")
@click.option("--description", metavar="TEXT", help="Kept with the version in MLflow.")
@_tags
@command.options(wait=True)
@click.pass_context
def register(
    ctx: click.Context,
    *,
    model: str,
    run_id: str | None,
    filter_string: str | None,
    experiment: str | None,
    order_by: tuple[str, ...],
    artifact_path: str | None,
    commit: str | None,
    description: str | None,
    tags: tuple[tuple[str, str], ...],
    how: command.How,
) -> None:
    """Register a run's model as a version of MODEL: a named run's, or that of the best run of an experiment.

    \b
    registrar register churn --run 4c8ef2a1b5d04b7e8a1d2f3c4b5a6978
    registrar register churn -e nightly --best "metrics.rmse < 7" --order-by "metrics.rmse ASC"

    The version is tried against the first target's gates at once. Asks for a model_version.register, as the token's
    bearer or this machine's local operator. Exit code 0: it is registered; 1: it could not be done, or may not; 3:
    nobody answers.
    """
    if (run_id is None) == (experiment is None):
        raise click.UsageError("say which run: --run ID, or --experiment NAME, with --order-by and --best FILTER")
    if experiment and not order_by:
        raise click.UsageError('say what is best: --order-by "metrics.rmse ASC"; without it that is the newest run')
    if run_id and (filter_string is not None or order_by):
        raise click.UsageError("--best and --order-by look for a run of an --experiment; --run names one")
    search = {"experiment": experiment, "filter_string": filter_string or "", "order_by": list(order_by)}
    more = {"artifact_path": artifact_path, "commit": commit, "description": description, "tags": dict(tags)}
    origin = {"run_id": run_id} if run_id else {"search": search}
    command.submit_and_exit(ctx, how, "model_version.register", {"model": model, **origin, **_drop_empty(more)})


@click.command()
@_model
@_version
@click.option("--to", "target", type=params.TARGET, required=True, help="The target that it should reach.")
@_reason
@click.option("--plan", "only_plan", is_flag=True, help="Say what would happen, gate by gate, and do nothing.")
@command.options(wait=True)
@click.pass_context
def promote(
    ctx: click.Context,
    *,
    model: str,
    version: int | None,
    target: str,
    reason: str | None,
    only_plan: bool,
    how: command.How,
) -> None:
    """Ask for the promotion of MODEL VERSION: its gates are evaluated and, where needed, people are asked.

    \b
    registrar promote churn 3 --to production --plan
    registrar promote churn 3 --to production --reason "the residuals look well"

    Asks for a promotion.request, as the token's bearer or this machine's local operator. Exit code 0: it is promoted,
    or waits for approval; 1: a gate held it back, or it may not be asked for; 3: nobody answers. With --plan those of
    `registrar plan`.
    """
    if only_plan:
        plan.print_promotion_plan(ctx, model, version, target, as_json=how.as_json)
    command.submit_and_exit(
        ctx, how, "promotion.request", _about(model, version) | {"target": target} | _drop_empty({"reason": reason})
    )


@click.command()
@_model
@_version
@click.option("--to", "stage", type=params.STAGE, required=True, help="One of MLflow's stages.")
@_reason
@command.options(wait=True)
@click.pass_context
def transition(
    ctx: click.Context, *, model: str, version: int | None, stage: str, reason: str | None, how: command.How
) -> None:
    """Move MODEL VERSION to a stage; one that registrar.yml guards becomes a request for promotion.

    \b
    registrar transition churn 3 --to staging

    Asks for a model_version.transition, as the token's bearer or this machine's local operator. Exit code 0: it is
    done, or waits for approval; 1: a gate held it back, or it may not; 3: nobody answers.
    """
    data = _about(model, version) | {"stage": stage} | _drop_empty({"reason": reason})
    command.submit_and_exit(ctx, how, "model_version.transition", data)


@click.command()
@_model
@_version
@_reason
@command.options(wait=True)
@click.pass_context
def demote(ctx: click.Context, *, model: str, version: int | None, reason: str | None, how: command.How) -> None:
    """Take MODEL VERSION out of the target that it holds, one step back.

    \b
    registrar demote churn --reason "wrong fares at night"

    One step back is the target before, where registrar.yml lets a version come `from` the one it holds; else the stage
    None. VERSION may be left out where one version alone holds a target. Nothing takes its place (`registrar rollback`
    puts the version before back), and it may be promoted again.

    Asks for a model_version.transition, as the token's bearer or this machine's local operator: those who approve for
    the target may. Exit code 0: it is done; 1: it holds no target, which one is meant is in doubt, or it may not;
    3: nobody answers.
    """
    data = _about(model, version) | {"stage": None} | _drop_empty({"reason": reason})
    command.submit_and_exit(ctx, how, "model_version.transition", data)


@click.command()
@_model
@_version
@click.option("--text", "description", metavar="TEXT", required=True, help="Replaces the description as a whole.")
@command.options(wait=True)
@click.pass_context
def describe(ctx: click.Context, *, model: str, version: int | None, description: str, how: command.How) -> None:
    """Set the description of MODEL VERSION in MLflow.

    \b
    registrar describe churn 3 --text "trained on the rides of 2025"
    """
    command.submit_and_exit(ctx, how, "model_version.describe", _about(model, version) | {"description": description})


@click.command()
@_model
@click.argument("words", nargs=-1, required=True, metavar="[VERSION] KEY=VALUE...")
@command.options(wait=True)
@click.pass_context
def tag(ctx: click.Context, *, model: str, words: tuple[str, ...], how: command.How) -> None:
    """Set tags of MODEL VERSION in MLflow; the others stay.

    \b
    registrar tag churn 3 team=pricing reviewed=yes
    """
    version = None if "=" in words[0] else params.VERSION(words[0], ctx=ctx)
    tags = dict(params.Tag()(word, ctx=ctx) for word in words[0 if version is None else 1 :])
    if not tags:
        raise click.UsageError("name a tag: KEY=VALUE, such as team=pricing")
    command.submit_and_exit(ctx, how, "model_version.describe", _about(model, version) | {"tags": tags})


def _about(model: str, version: int | None) -> dict[str, Any]:
    return {"model": model} | ({"version": version} if version else {})


def _drop_empty(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value}
