"""`registrar plan`: what a promotion, a prune or an archival would do, without doing it."""

from typing import Any, NoReturn

import click

from registrar.cli import formatting, params, questions

CODES = {"ready": 0, "blocked": 2, "nothing to do": 3}


class Plan(click.Group):
    """`plan MODEL VERSION` is short for `plan promotion MODEL VERSION`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, ["promotion", *args] if args and args[0] not in known else args)


@click.group(cls=Plan)
def plan() -> None:
    """Say what a promotion or a prune would do, without doing it.

    \b
    registrar plan MODEL [VERSION] --to production
    registrar plan prune MODEL

    Exit code 0: there is something to do; 2: blocked; 3: nothing to do; 4: the registry does not answer.
    A model that is called prune: registrar plan promotion prune VERSION --to production.
    """


@plan.command()
@click.argument("model", type=params.MODEL)
@click.argument("version", type=params.VERSION, required=False)
@click.option("--to", "stage", type=params.TARGET, required=True)
@formatting.as_json
@click.pass_context
def promotion(ctx: click.Context, *, model: str, version: int | None, stage: str, as_json: bool) -> None:
    """Say what a promotion of MODEL VERSION would do, gate by gate; without VERSION, of the one that could go there.

    \b
    registrar plan promotion churn 3 --to production    # "promotion" may be left out
    """
    print_promotion_plan(ctx, model, version, stage, as_json=as_json)


def print_promotion_plan(
    ctx: click.Context, model: str, version: int | None, target: str, *, as_json: bool
) -> NoReturn:
    """Print what a promotion would do, and exit as `registrar plan` does."""
    planned = questions.ask(ctx.obj, "plan", model=model, version=version, target=target)["plan"]
    if as_json:
        formatting.print_json({"model": model, **planned})
    else:
        heading = f"{model} version {planned['version']} to {target}: {planned['state']}"
        click.echo("\n".join([heading, *planned["lines"]]))
    ctx.exit(CODES[planned["state"]])


@plan.command()
@click.argument("model", type=params.MODEL)
@formatting.as_json
@click.pass_context
def prune(ctx: click.Context, *, model: str, as_json: bool) -> None:
    """Say which versions of MODEL would be marked or deleted, which stay, and why.

    \b
    registrar plan prune churn
    """
    _print_versions(ctx, model, questions.ask(ctx.obj, "plan_prune", model=model), as_json=as_json)


def print_archive_plan(ctx: click.Context, model: str, *, older_than: str, keep: int, as_json: bool) -> NoReturn:
    """Print which versions of a model would be archived, and exit as `registrar plan` does."""
    answer = questions.ask(ctx.obj, "plan_archive", model=model, older_than=older_than, keep=keep)
    _print_versions(ctx, model, answer, as_json=as_json)


def _print_versions(ctx: click.Context, model: str, answer: dict[str, Any], *, as_json: bool) -> NoReturn:
    if as_json:
        formatting.print_json({"model": model, **answer["plan"]})
    else:
        click.echo(f"{answer['title']}.\n")
        questions.print_table({**answer, "title": f"versions of {model}"}, as_json=False)
    ctx.exit(CODES[answer["plan"]["state"]])
