"""MLflow's webhook to us, and the poll: what the doctor says of servers that have none, or show none.

A real server's are in tests/slow/e2e/test_mlflow_connect.py, the poll's line in tests/worker/test_registry_poll.py.
"""

import pytest

from registrar.http.mlflow_webhook import EVENTS
from tests.doctor.conftest import NOWHERE, POLICY, Pages, SiteOf, looked

WEBHOOKS = "/api/2.0/mlflow/webhooks"
SOURCE = 'mlflow: {kind: mlflow, secrets: [env:HOOK], may: [{events: ["registry.*"], models: ["*"]}]}'
WITH_SOURCE = POLICY.replace("sources:\n", f"sources:\n  {SOURCE}\n")
POLLED = WITH_SOURCE + 'models: {"*": {poll_every: 1m}}\n'
HOOK = {"HOOK": "h" * 32}
OURS = {
    "webhook_id": "w1",
    "name": "registrar-mlflow",
    "url": f"{NOWHERE}/webhooks/mlflow",
    "status": "ACTIVE",
    "events": [dict(zip(("entity", "action"), name.upper().split("."), strict=True)) for name in sorted(EVENTS)],
}


def test_without_a_source_and_a_poll_there_is_nothing_to_say(site: SiteOf):
    assert looked("webhook", site()) == []


@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (404, "<h1>Not Found</h1>", ("warn", "has no webhooks: they came with MLflow 3.3", "set poll_every: 1m")),
        (403, "denied", ("warn", "shows its webhooks only to its admins (403)", "an admin's MLFLOW_TRACKING_USERNAME")),
        (401, "denied", ("FAIL", "refuses the login (401)", "MLFLOW_TRACKING_USERNAME")),
        (500, "", ("FAIL", "answers 500 about its webhooks", "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY")),
        (200, {}, ("FAIL", f"MLflow has no webhook to {OURS['url']}", "`registrar mlflow connect` makes it")),
        (200, {"webhooks": [{**OURS, "status": "DISABLED"}]}, ("FAIL", "registrar-mlflow is disabled", "mends it")),
        (200, {"webhooks": [{**OURS, "events": []}]}, ("FAIL", "leaves out model_version.created, mo", "mends it")),
        (200, {"webhooks": [{**OURS, "url": "http://else"}]}, ("FAIL", "MLflow has no webhook to http", "makes it")),
    ],
)
def test_each_answer_has_its_line(site: SiteOf, pages: Pages, status: int, body: object, line: tuple[str, str, str]):
    pages.say(WEBHOOKS, body, status=status)
    [found] = looked("webhook", site(WITH_SOURCE, MLFLOW_TRACKING_URI=pages.root, **HOOK))
    assert (found.level, line[1] in found.seen, line[2] in found.do) == (line[0], True, True), found


@pytest.mark.parametrize("status", [404, 403])
def test_a_server_without_webhooks_that_is_polled_is_well(site: SiteOf, pages: Pages, status: int):
    pages.say(WEBHOOKS, "", status=status)
    webhook, poll = looked("webhook", site(POLLED, MLFLOW_TRACKING_URI=pages.root, **HOOK))
    assert (webhook.level, "a worker asks it what changed every 60 s" in webhook.seen) == ("ok", True)
    assert (poll.level, "yet" in poll.seen) == ("ok", True)


def test_a_server_that_does_not_answer_and_a_secret_that_is_not_here_are_said(site: SiteOf):
    [found] = looked("webhook", site(WITH_SOURCE, **HOOK))
    assert (found.level, "was not checked" in found.seen) == ("warn", True)
    [found] = looked("webhook", site(WITH_SOURCE))
    assert (found.level, "env:HOOK is empty or not set" in found.seen) == ("FAIL", True)


def test_of_several_sources_the_command_names_which(site: SiteOf, pages: Pages):
    pages.say(WEBHOOKS, {})
    policy = WITH_SOURCE.replace("sources:\n", f"sources:\n  {SOURCE.replace('mlflow:', 'other:', 1)}\n")
    found = looked("webhook", site(policy, MLFLOW_TRACKING_URI=pages.root, **HOOK))
    assert [one.do for one in found] == [
        f"`registrar mlflow connect --source {n}` makes it" for n in ("other", "mlflow")
    ]
