"""`registrar models`, `registrar history`: which version of a model holds what, and held it before."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from registrar.cli import formatting, params
from registrar.cli.context import Context
from registrar.cli.lazy_group import load
from registrar.cli.overview import INCIDENTS, incident
from registrar.queries.filters import HistoryFilter
from registrar.queries.query_service import QueryService, Row, Unknown, pages, up_to
from registrar.text.wording import approved_by, ended_text

COLUMNS = ("model", "holds", "metric", "open promotions", "who acts next", "last event")


@click.command()
@click.option("--mlflow", is_flag=True, help="All that MLflow has, with their aliases, in place of the record's.")
@formatting.limit
@formatting.as_json
@click.pass_obj
def models(context: Context, *, mlflow: bool, limit: int, as_json: bool) -> None:
    """List the registered models: who holds which stage and alias, the deciding metric, and who acts next.

    With --json also the path of targets, with who holds each and whether it is live, and the metric of the newest
    versions.

    \b
    registrar models
    registrar models --mlflow     # those too that no event was ever about

    Which version held what before: registrar history MODEL; its versions with their metrics: registrar versions MODEL.
    """
    if mlflow:
        load("registrar.cli.lookups:print_models")(context, as_json=as_json)  # it imports mlflow
        return
    with context.reading() as reading:
        results = up_to(limit, lambda most, cursor: reading.models(limit=most, cursor=cursor))
    if as_json:
        formatting.print_json(results)
    else:
        formatting.table(COLUMNS, [_row(each) for each in results], empty="no event was about a model yet")


def _row(each: Row) -> tuple[object, ...]:
    holds = [f"{'@' if held['kind'] == 'alias' else ''}{held['key']} {held['version']}" for held in each["holders"]]
    metric, next_ = _metric(each.get("metric")), _next(each.get("next"))  # a receiver of before has neither
    return each["model"], ", ".join(holds) or None, metric, each["open_promotions"], next_, each["last_event_at"]


def _metric(metric: Row | None) -> str | None:
    """Describe the champion's metric, else the newest version's."""
    if metric is None or not (metric["champion"] or metric["trend"]):
        return None
    reading = metric["champion"] or metric["trend"][-1]
    return f"{metric['name']} {reading['value']:.6g} (version {reading['version']})"


def _next(act: Row | None) -> str | None:
    if act is None or act["who"] == "nobody":
        return None
    names = ", ".join(person["name"] for person in act["people"])
    return f"{names or act['who']}: {act['why']}"


HISTORY_COLUMNS = (
    *("holds", "version", "since", "until", "by", "approved by"),
    *("event type", "event", "why", "why it ended"),
)


@click.command()
@click.argument("model", type=params.MODEL)
@click.option("--target", metavar="STAGE|@ALIAS", help="Of this one alone: production, or @champion.")
@click.option("--at", type=params.Time(), help="What was held then: 2026-11-22T14:30, in UTC unless it says otherwise.")
@click.option("--since", type=params.Time(), help="What was still held after that.")
@click.option("--until", type=params.Time(), help="What was held before that.")
@click.option("--limit", type=click.IntRange(1), help="The newest so many; all, if not given.")
@click.option("--incidents", is_flag=True, help="What else happened alone, of the newest 50.")
@formatting.as_json
@click.pass_obj
def history(
    context: Context,
    *,
    model: str,
    target: str | None,
    at: datetime | None,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    incidents: bool,
    as_json: bool,
) -> None:
    """Show which version of MODEL held which stage and alias, when, by whose event, why, and who approved it.

    The newest first.

    Below it what else happened: changes by hand in MLflow and which of them were reverted, models created again there,
    disputes and how they were settled, quarantines, deployments, votes that did not count, and promotions that were
    rejected, expired, cancelled or failed.

    \b
    registrar history churn
    registrar history churn --at 2026-11-22T14:30    # what was held then
    registrar history churn --target production --since 2026-11-22 --until 2026-11-23    # on that day
    registrar history churn --incidents

    With --json also the approvals one by one, the gates' verdicts and the policy's digest that they were shown.
    """
    past = HistoryFilter(target, at, since, until)
    with context.reading() as reading:
        if incidents:
            _tell_incidents(_incidents(reading, model, past)[:limit], as_json=as_json)
            return
        results = pages(limit, lambda most, cursor: reading.history(model, past, limit=most, cursor=cursor))
        if as_json:
            formatting.print_json_list(row for page in results for row in page)
            return
        rows = ([_history_row(each) for each in page] for page in results)
        formatting.paged_table(
            HISTORY_COLUMNS, rows, empty=f"no version of {model} held {_sought(past)}, as far as the ledger knows"
        )
        if at is None and target is None and (others := _incidents(reading, model, past)[:limit]):
            click.echo("\nwhat else happened")
            _tell_incidents(others, as_json=False)


def _incidents(reading: QueryService, model: str, past: HistoryFilter) -> list[Row]:
    """Return rows, newest first; none for a model without events."""
    try:
        results: list[Row] = reading.model(model)["incidents"]
    except Unknown:
        return []
    return [one for one in results if _within(one["at"], past)]


def _within(at: datetime, past: HistoryFilter) -> bool:
    return (past.since is None or at >= past.since) and (past.until is None or at < past.until)


def _tell_incidents(results: list[Row], *, as_json: bool) -> None:
    if as_json:
        formatting.print_json(results)
    else:
        formatting.table(
            INCIDENTS, [incident(each) for each in results], empty="nothing else happened, as far as the ledger knows"
        )


def _sought(past: HistoryFilter) -> str:
    """For people."""
    where = past.target or "a stage or an alias"
    words = {"at": past.at, "after": past.since, "before": past.until}
    return " ".join([where, *(f"{word} {formatting.text(time)}" for word, time in words.items() if time)])


def _history_row(holding: Mapping[str, Any]) -> tuple[object, ...]:
    holds = f"@{holding['key']}" if holding["kind"] == "alias" else holding["key"]
    who = (holding["actor_name"], approved_by((each["name"] for each in holding["approvals"]), holding["broke_glass"]))
    end = ("until_because", "until_event_type", "until_by", "until_reason")
    ended = ended_text(*(holding.get(name) for name in end))
    event = (holding["event_type"], holding["event_id"], holding.get("reason"), ended)
    return holds, holding["version"], holding["since"], holding["until"] or "now", *who, *event
