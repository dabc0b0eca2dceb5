"""`registrar archive`: one version, or a model's old ones, to the stage Archived."""

import shlex

import click

from registrar.cli import command, params, plan


@click.command()
@click.argument("model", type=params.MODEL, required=False)
@click.argument("version", type=params.VERSION, required=False)
@click.option("--older-than", type=params.Length(), metavar="LENGTH", help="All that were registered longer ago: 90d.")
@click.option("--keep", type=click.IntRange(1, 1000), metavar="N", help="Of these, not the newest N of MODEL; else 1.")
@click.option("--plan", "only_plan", is_flag=True, help="Say which would go, which stay and why, and move none.")
@click.option("--reason", metavar="TEXT", help="Why; it is kept in the record.")
@command.options(wait=True)
@click.pass_context
def archive(
    ctx: click.Context,
    *,
    model: str | None,
    version: int | None,
    older_than: str | None,
    keep: int | None,
    only_plan: bool,
    reason: str | None,
    how: command.How,
) -> None:
    """Move MODEL VERSION, or the old versions of MODEL, to the stage Archived.

    \b
    registrar archive churn 3
    registrar archive churn --older-than 90d --keep 10 --plan
    registrar archive churn --older-than 90d --keep 10

    Of old versions, none goes that holds a stage, an alias or a target, that a promotion is open for, or that a
    rollback would go back to; each is looked at again right before it is moved. Nothing is deleted: that is `registrar
    prune`. Asks for a model_version.archive, or a model.archive, as the token's bearer or this machine's local
    operator. Exit code 0: done, if there was anything to do; 1: it could not be done, or may not; 3: nobody answers.
    With --plan those of `registrar plan`.
    """
    if model is None:
        raise click.UsageError(
            "name a model: its versions are archived; old events go into files by `registrar compact`"
        )
    if (version is None) == (older_than is None):
        raise click.UsageError("say which: MODEL VERSION, or MODEL --older-than 90d --keep 10")
    why = {"reason": reason} if reason else {}
    if older_than is None:
        if keep or only_plan:
            what = f"what version {version} holds: registrar versions {shlex.quote(model)} {version}"
            raise click.UsageError(f"--keep and --plan are about old versions: they go with --older-than; {what}")
        command.submit_and_exit(ctx, how, "model_version.archive", {"model": model, "version": version, **why})
    if only_plan:
        plan.print_archive_plan(ctx, model, older_than=older_than, keep=keep or 1, as_json=how.as_json)
    data = {"model": model, "older_than": older_than, "keep": keep or 1, **why}
    command.submit_and_exit(ctx, how, "model.archive", data)
