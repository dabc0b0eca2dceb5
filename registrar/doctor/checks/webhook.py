"""Checks how changes in MLflow reach this installation: MLflow's webhook, with a test of it; and the poll."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from registrar.doctor import DoctorContext, Finding, fail, ok, warn
from registrar.doctor.ledger_access import LedgerNotReadable, open_ledger
from registrar.http import mlflow_webhook
from registrar.http.mlflow_server import MlflowServer
from registrar.http.mlflow_webhook import NoSource, NoWebhooks, Wanted, WebhookError
from registrar.http.probe import Silence
from registrar.ledger.engine import now
from registrar.ledger.registry_polls import last_poll
from registrar.policy import Policy

_LATE = 3  # periods without a poll


def check(context: DoctorContext) -> Iterator[Finding]:
    if context.policy is None or urlsplit(context.settings.mlflow_uri).scheme not in ("http", "https"):
        return  # said by config, or by mlflow
    names = mlflow_webhook.sources(context.policy)
    for source in names:
        command = f"`registrar mlflow connect{f' --source {source}' if len(names) > 1 else ''}`"
        try:
            want = mlflow_webhook.wanted(context.settings, context.policy, source)
            yield _check_webhook(MlflowServer(context.settings.mlflow_uri, context.settings.environ), want, command)
        except NoSource as error:
            yield fail(str(error), "Set it where this command runs, and for the receiver")
        except NoWebhooks as error:
            yield _without_webhooks(error, context.policy)
        except WebhookError as error:
            yield fail(str(error), error.advice)
        except Silence as silence:
            yield warn(f"MLflow's webhook was not checked: {silence}", "See the line about mlflow")
    if every := context.policy.poll_every:
        yield from _check_poll(context.settings.ledger_url, every)


def _check_webhook(server: MlflowServer, want: Wanted, command: str) -> Finding:
    found = mlflow_webhook.ours(server, want)
    if not found:
        return fail(f"MLflow has no webhook to {want.url}: it tells of no change", f"{command} makes it")
    name = found[0].name
    if wrong := want.differences(found[0]):
        return fail(f"MLflow's webhook {name} {'; it '.join(wrong)}", f"{command} mends it")
    if trouble := mlflow_webhook.deliver_test(server, found[0]):
        advice = f"Where the secret or the address has changed, {command} mends it"
        return fail(f"a test of MLflow's webhook {name} did not arrive: {trouble}", advice)
    return ok(f"MLflow's webhook {name} posts to {want.url}, and a test of it arrived")


def _check_poll(ledger_url: str, every: timedelta) -> Iterator[Finding]:
    try:
        with open_ledger(ledger_url) as ledger, ledger.read() as connection:
            last = last_poll(connection)
    except LedgerNotReadable:
        return  # said by ledger
    if last.trouble:
        yield warn(f"MLflow could not be asked what changed: {last.trouble}", "See the line about mlflow")
    elif last.polled_at is None:
        yield ok("no worker has asked MLflow what changed yet; what is there by the first time is no change")
    elif now() - last.polled_at > _LATE * max(every, timedelta(minutes=1)):
        seen = f"no worker has asked MLflow what changed since {last.polled_at:%Y-%m-%d %H:%M} UTC"
        yield warn(seen, "Are a worker and beat running? See work")
    else:
        often = f"as every {every.total_seconds():.0f} s"
        yield ok(f"MLflow was asked what changed at {last.polled_at:%H:%M:%S} UTC, {often}")


def _without_webhooks(error: NoWebhooks, policy: Policy) -> Finding:
    if every := policy.poll_every:
        return ok(f"{error}; a worker asks it what changed every {every.total_seconds():.0f} s")
    return warn(str(error), error.advice)
