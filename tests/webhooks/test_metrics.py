"""What Prometheus reads: which secret still signs, what was answered; and never a label that a sender chose."""

from prometheus_client.parser import text_string_to_metric_families

from tests.webhooks.conftest import OLD, finished

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
    receiver.send({"type": "nonsense"})
    receiver.send(finished(), secret="whsec_" + "bm9w" * 8)
    answers = samples(receiver, "registrar_webhook_answers_total", "status")
    assert answers == {("ci", "202"): 1, ("ci", "422"): 1, ("ci", "401"): 1}


def test_names_that_somebody_made_up_make_no_series(receiver):
    for number in range(20):
        receiver.post(b"{}", {}, to=f"guess{number}")
    assert samples(receiver, "registrar_webhook_answers_total", "status") == {("(unknown)", "404"): 20}


def test_they_are_shown_to_this_machine_only(receiver):
    assert receiver.client.get("/metrics", base_url="http://registrar.example.com").status_code == 401
