"""A request for approval, from the work that ends in it to the card that is posted, and its buttons' address."""

import json
from dataclasses import replace

from registrar.config.encryption import Encryptor
from registrar.events.approval_buttons import Audience
from tests.worker.harness import KEY, POLICY, WorkerHarness
from worker.context import WorkerContext

AUDIENCE = Audience("mattermost", "chat", "mm").at(None)
CHANNEL = "log: {kind: log}\n  mm: {kind: mattermost, url: env:MM, buttons: chat}"
SOURCE = 'sources:\n  chat: {kind: mattermost, secrets: ["env:TOKEN"]}'
TOLD = POLICY.replace("log: {kind: log}", CHANNEL).replace("sources:", SOURCE).replace("to: [log]", "to: [mm]")


def cards(harness: WorkerHarness, listener, public_url: str | None) -> list[dict]:
    settings = replace(harness.context.settings, public_url=public_url, environ={"MM": listener.url})
    harness.context = WorkerContext(**{**harness.context.__dict__, "settings": settings})
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    told = [json.loads(body) for _, body in listener.got]
    return [attachment for message in told for attachment in message.get("attachments", [])]


def test_a_card_names_the_source_that_its_presses_come_in_by(ledger, tmp_path, listener):
    [card] = cards(WorkerHarness(ledger, tmp_path, policy=TOLD), listener, "https://registrar.example.com/")
    approve, reject = [action["integration"] for action in card["actions"]]
    assert approve["url"] == reject["url"] == "https://registrar.example.com/webhooks/chat"
    said = [Encryptor(KEY).decrypt(each["context"]["sealed"], audience=AUDIENCE) for each in (approve, reject)]
    assert [each["press"] for each in said] == ["promotion.approve", "promotion.reject"]
    assert len({each["nonce"] for each in said}) == 2


def test_a_card_of_a_receiver_without_an_address_names_the_command(ledger, tmp_path, listener):
    [card] = cards(WorkerHarness(ledger, tmp_path, policy=TOLD), listener, None)
    assert "actions" not in card
    assert card["text"].endswith("to decide: /registry approve taxi 1 Production")
