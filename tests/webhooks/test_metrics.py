"""What Prometheus reads: which secret still signs, what was answered; and never a label that a sender chose."""

from prometheus_client.parser import text_string_to_metric_families

from registrar.ledger import LedgerUnavailable
from registrar.policy import Policy
from tests.metrics.reading import away, families
from tests.webhooks.conftest import OLD, finished
from webhooks.monitoring.metrics import Metrics

LOCAL = {"base_url": "http://127.0.0.1:8080"}


def samples(receiver, name: str, label: str) -> dict[tuple[str, str], float]:
    """By source and the label."""
    answer = receiver.client.get("/metrics", **LOCAL)
    assert answer.status_code == 200
    counted = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    return {(one.labels["source"], one.labels[label]): one.value for one in counted if one.name == name}


def test_which_of_two_secrets_signed_is_counted(receiver):
    receiver.send(finished(run_id="r1"))
    receiver.send(finished(run_id="r2"), secret=OLD)
    receiver.send(finished(run_id="r3"), secret=OLD)
    receiver.send(finished(run_id="r4"), secret="whsec_" + "bm9w" * 8)
    assert samples(receiver, "registrar_webhook_verified_total", "secret") == {("ci", "first"): 1, ("ci", "second"): 2}


def test_answers_are_counted_by_source_and_status(receiver):
    receiver.send(finished())
    receiver.send({"type": "training_run.finished"})
    receiver.send(finished(), secret="whsec_" + "bm9w" * 8)
    answers = samples(receiver, "registrar_webhook_answers_total", "status")
    assert answers == {("ci", "202"): 1, ("ci", "422"): 1, ("ci", "401"): 1}


def test_names_that_somebody_made_up_make_no_series(receiver):
    for number in range(20):
        receiver.post(b"{}", {}, to=f"guess{number}")
    assert samples(receiver, "registrar_webhook_answers_total", "status") == {("(unknown)", "404"): 20}


def test_refusals_are_counted_by_reason(receiver):
    receiver.send({"type": "training_run.finished"})
    receiver.send(finished(), secret="whsec_" + "bm9w" * 8)
    receiver.post(b"{}", {}, to="guess")
    assert samples(receiver, "registrar_webhook_refused_total", "code") == {
        ("ci", "invalid_event"): 1,
        ("ci", "bad_signature"): 1,
        ("(unknown)", "unknown_source"): 1,
    }


def test_what_was_accepted_is_counted_once_and_what_came_again_apart(receiver):
    for _ in range(3):
        receiver.send(finished(), id="msg_1")
    found = families(receiver.client.get("/metrics", **LOCAL).text)
    assert found["registrar_webhook_events_total"] == {("ci", "training_run.finished"): 1}
    assert found["registrar_webhook_duplicates_total"] == {("ci",): 2}


def test_how_long_accepting_takes_is_measured_of_what_is_accepted(receiver):
    receiver.send(finished())
    receiver.send({"type": "training_run.finished"})
    found = families(receiver.client.get("/metrics", **LOCAL).text)
    assert found["registrar_webhook_accept_seconds_count"] == {("ci",): 1, ("slack",): 0}
    assert 0 < found["registrar_webhook_accept_seconds_sum"]["ci",] < 60


def test_the_ledger_says_how_things_stand(receiver):
    receiver.send(finished())
    found = families(receiver.client.get("/metrics", **LOCAL).text)
    assert found["registrar_ledger_up"] == {(): 1}
    assert found["registrar_tasks"]["queued",] == 1
    assert found["registrar_unfinished_tasks"] == {("ci",): 1, ("slack",): 0}


def test_a_ledger_that_is_away_is_said_and_keeps_no_count_back(ledger):
    def waiting():
        raise LedgerUnavailable("gone")

    metrics = Metrics(["ci"], waiting, ledger, Policy(version=1))
    metrics.answered("ci", 503)
    with away(ledger):
        found = families(metrics.text().decode())
    assert found["registrar_ledger_up"] == {(): 0}
    assert found["registrar_webhook_answers_total"] == {("ci", "503"): 1}
    assert not {"registrar_tasks", "registrar_unfinished_tasks"} & set(found)


def test_they_are_shown_to_this_machine_only(receiver):
    assert receiver.client.get("/metrics", base_url="http://registrar.example.com").status_code == 401
