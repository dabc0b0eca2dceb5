"""`registrar promotions list | show | cancel`, `registrar [promotions] approve | reject`: what waits for approval."""

import shlex
from functools import partial
from typing import Any, NoReturn

import click

from registrar.cli import command, formatting, params, promotion_view
from registrar.cli.context import Context
from registrar.errors import UserError
from registrar.queries.filters import DECIDED, OPEN, PROMOTION_STATES
from registrar.queries.query_service import Page, QueryService, Row, Unknown, pages, pick, up_to

COLUMNS = ("created_at", "state", "model", "version", "target", "by", "votes", "lacks", "id")


class NotOpen(UserError):
    """The version has no open promotion."""


@click.group()
def promotions() -> None:
    """List what waits for approval, show its evidence and who may still vote, approve or reject it.

    \b
    registrar promotions list                     # what is open
    registrar promotions show churn 3             # or: show prm_5d0c...
    registrar promotions approve churn 3
    registrar promotions reject churn 3 --reason "wrong fares at night"
    """


@promotions.command("list")
@click.option(
    "--state",
    type=click.Choice([DECIDED, *(str(state) for state in PROMOTION_STATES)]),
    help="Those in this state; else those that are open.",
)
@click.option("--all", "every", is_flag=True, help="Those that ended, too.")
@click.option("--model", type=params.MODEL, metavar="MODEL", help="Those of this registered model.")
@formatting.limit
@formatting.as_json
@click.pass_obj
def list_promotions(
    context: Context, *, state: str | None, every: bool, model: str | None, limit: int, as_json: bool
) -> None:
    """List the open promotions, newest first, with what each still lacks.

    \b
    registrar promotions list
    registrar promotions list --all --model churn
    registrar promotions list --state rejected --json
    """
    if every and state:
        raise click.UsageError("--all is of any state; leave out one of the two")
    wanted = state or (None if every else OPEN)
    with context.reading() as reading:
        rows = up_to(
            limit, lambda most, cursor: reading.promotions(state=wanted, model=model, limit=most, cursor=cursor)
        )
    if as_json:
        formatting.print_json(rows)
    else:
        empty = "nothing waits for approval" if wanted == OPEN else "there are no such promotions"
        formatting.table(COLUMNS, [_row(each) for each in rows], empty=empty)


def _row(each: Row) -> tuple[object, ...]:
    about = (each["model"], each["version"], each["target"], each["requested_by_name"])
    votes, lacks = promotion_view.votes(each), promotion_view.lacks(each)
    return each["created_at"], promotion_view.state(each), *about, votes, lacks, each["id"]


_which = click.argument("promotion", type=params.OPEN, metavar="PROMOTION|MODEL")
_version = click.argument("version", type=params.VERSION, required=False)
_target = click.option("--target", type=params.TARGET, help="Of MODEL, where it is asked for more than one.")
_reason = click.option("--reason", metavar="TEXT", help="Why; it is kept in the record.")


@promotions.command("show")
@_which
@_version
@_target
@formatting.as_json
@click.pass_obj
def show_promotion(context: Context, *, promotion: str, version: int | None, target: str | None, as_json: bool) -> None:
    """Show a promotion: its gates, its votes, and who may still vote. Of a MODEL, or a VERSION of it, the newest.

    \b
    registrar promotions show prm_5d0c...
    registrar promotions show churn 3
    """
    with context.reading() as reading:
        row = reading.promotion(_newest(reading, promotion, version, target))
    if as_json:
        formatting.print_json(row)
        return
    promotion_view.print_promotion(row)


def _newest(reading: QueryService, promotion: str, version: int | None, target: str | None) -> str:
    """Return the id of the promotion that is meant, preferring open ones over ended ones. Raises Unknown."""
    if promotion.startswith("prm_"):
        return promotion
    for state in (OPEN, None):
        for page in pages(None, partial(_of_model, reading, promotion, state)):
            for each in page:
                if version in (None, each["version"]) and target in (None, each["target"]):
                    return str(each["id"])
    about = f"{promotion}{f' version {version}' if version else ''}{f' to {target}' if target else ''}"
    raise Unknown(f"the ledger has no promotion of {about}; `registrar promotions list --all` lists them")


def _of_model(reading: QueryService, model: str, state: str | None, limit: int, cursor: str | None) -> Page:
    return reading.promotions(state=state, model=model, limit=limit, cursor=cursor)


@promotions.command()
@_which
@_version
@_target
@_reason
@click.option(
    "--break-glass", is_flag=True, help="Alone and at once, past the rules; flagged for good. Needs --reason."
)
@command.options(wait=True)
@click.pass_context
def approve(
    ctx: click.Context,
    *,
    promotion: str,
    version: int | None,
    target: str | None,
    reason: str | None,
    break_glass: bool,
    how: command.How,
) -> None:
    """Approve a promotion, and wait for what comes of it.

    \b
    registrar approve churn 3 --reason "looked at the residuals"
    registrar approve churn                       # the one version that waits
    registrar promotions approve prm_5d0c...      # the same command by its long name

    Votes as the token's bearer, or as this machine's local operator. Exit code 0: it counted and what followed is
    done; 1: it did not count, or could not be done; 3: nobody answers.
    """
    if break_glass and not (reason or "").strip():
        raise click.UsageError("breaking the glass needs a reason: --reason TEXT")
    about = _find_subject(ctx.obj, promotion, version, target)
    _submit_about(ctx, how, "promotion.approve", about, reason=reason, break_glass=break_glass)


@promotions.command()
@_which
@_version
@_target
@_reason
@command.options(wait=True)
@click.pass_context
def reject(
    ctx: click.Context,
    *,
    promotion: str,
    version: int | None,
    target: str | None,
    reason: str | None,
    how: command.How,
) -> None:
    """Reject a promotion.

    \b
    registrar reject churn 3 --reason "wrong fares at night"
    registrar promotions reject prm_5d0c... --reason "wrong fares at night"
    """
    about = _find_subject(ctx.obj, promotion, version, target)
    if about.get("voting") and about["voting"]["reject_needs_reason"] and not (reason or "").strip():
        what = f"{about['model']} version {about['version']} to {about['target']}"
        raise click.UsageError(f"a rejection of {what} needs a reason: --reason TEXT")
    _submit_about(ctx, how, "promotion.reject", about, reason=reason)


@promotions.command()
@_which
@_version
@_target
@_reason
@command.options(wait=True)
@click.pass_context
def cancel(
    ctx: click.Context,
    *,
    promotion: str,
    version: int | None,
    target: str | None,
    reason: str | None,
    how: command.How,
) -> None:
    """Take an open request back. The requester may, and everybody who may approve it.

    \b
    registrar promotions cancel churn 3 --reason "superseded by the next run"
    """
    _submit_about(ctx, how, "promotion.cancel", _find_subject(ctx.obj, promotion, version, target), reason=reason)


def _find_subject(context: Context, promotion: str, version: int | None, target: str | None) -> Row:
    """Return the open promotion that is meant. Of a model alone, only what was given: the receiver finds the version.

    Raises Unknown, NotOpen, click.UsageError.
    """
    if version is None and not promotion.startswith("prm_"):
        return {"model": promotion} | ({"target": target} if target else {})
    with context.reading() as reading:
        if version is None:
            return reading.promotion(promotion)
        meant = [
            each
            for each in reading.promotions(state=OPEN, model=promotion, limit=500).rows
            if each["version"] == version and target in (None, each["target"])
        ]
        if not meant:
            raise NotOpen(_not_open(reading, promotion, version, target))
    if len(meant) == 1:
        return meant[0]
    raise click.UsageError("it is asked for more than one target: say which with --target")


def _not_open(reading: QueryService, model: str, version: int, target: str | None) -> str:
    """Raises Unknown where the record has no such model or version: to ask for its promotion would lead nowhere."""
    asked = [each for each in reading.promotions(model=model, limit=500).rows if each["version"] == version]
    ended = next((each for each in asked if target in (None, each["target"])), None)
    nothing = f"nothing is open for {model} version {version}"
    if ended:
        when = ended["decided_at"] or ended["created_at"]
        where = f"its promotion to {ended['target']} ({ended['id']})"
        nothing += f": {where} ended as {promotion_view.state(ended)}, {formatting.text(when)}"
        if promotion_view.state(ended) == "promoted":
            return nothing
    else:
        reading.version(model, version)
    to_ask = f"registrar promote {shlex.quote(model)} {version} --to {target or 'Production'}"
    return f"{nothing}; `registrar promotions list` lists what is; to ask: {to_ask}"


def _submit_about(ctx: click.Context, how: command.How, type_: str, about: Row, **more: Any) -> NoReturn:
    found = {**pick(about, "model", "version", "target"), "promotion": about["id"]} if "id" in about else about
    given = found | {name: value for name, value in more.items() if value}
    command.submit_and_exit(ctx, how, type_, given)
