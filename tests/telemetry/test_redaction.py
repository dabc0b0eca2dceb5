"""The second line of defence: what a library says of a secret is taken out of the log and the last words."""

import io
import logging
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from registrar.config.settings import Settings
from registrar.policy.load import parse
from registrar.telemetry import redaction
from registrar.telemetry.redaction import Redactor, known

POLICY = """
version: 1
sources: {ci: {kind: standard, secrets: ["env:CI"]}, gone: {kind: standard, secrets: ["env:GONE"]}}
channels: {team: {kind: slack, url: "env:HOOK", secret: "env:BOT"}}
"""
ENVIRON = {
    "REGISTRAR_CONFIG": "registrar.yml",
    "MLFLOW_TRACKING_URI": "http://me:the-mlflow-password@mlflow",
    "MLFLOW_TRACKING_TOKEN": "the-mlflow-token",
    "REGISTRAR_LEDGER_URL": "postgresql+psycopg://u:the%2Fledger-password@db/x",
    "REGISTRAR_BROKER_URL": "redis://:the-broker-password@redis/0",
    "REGISTRAR_SECRET_KEY": "the-key",
    "CI": "whsec_dGhlLWtleS1vZi1jaQ==",
    "HOOK": "https://hooks.slack.com/services/T0/B0/the-hook",
    "BOT": "xoxb-the-bot",
}
SETTINGS = Settings.read(ENVIRON)


def every() -> list[str]:
    return list(known(SETTINGS, parse(POLICY)))


def test_every_secret_that_can_be_read_here_is_known():
    wanted = {"the-mlflow-password", "the-mlflow-token", "the/ledger-password", "the-broker-password", "the-key"}
    assert set(every()) == wanted | {ENVIRON["CI"], ENVIRON["HOOK"], ENVIRON["BOT"]}


@pytest.mark.parametrize(
    "said",
    [
        "API request to http://me:the-mlflow-password@mlflow/api failed",
        "Max retries exceeded with url: /services/T0/B0/the-hook (Caused by ...)",
        "Authorization: Bearer xoxb-the-bot",
        "key dGhlLWtleS1vZi1jaQ== is bad",
        f"postgresql://u:{quote('the/ledger-password', safe='')}@db",
    ],
)
def test_a_secret_in_a_sentence_is_not_shown(said: str):
    shown = Redactor(every())(said)
    assert redaction.SHOWN in shown
    assert not any(part in shown for part in ("-password", "the-hook", "xoxb", "dGhl"))


def test_a_short_secret_does_not_blacken_every_line():
    assert Redactor(["a", ""])("a plain line") == "a plain line"


def test_a_traceback_in_the_log_and_the_last_words_are_scrubbed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    out, last = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "stderr", last)
    redaction.install(SETTINGS, parse(POLICY))
    try:
        raise ValueError("http://me:the-mlflow-password@mlflow")
    except ValueError as error:
        logging.getLogger("any").exception("it broke with %s", "xoxb-the-bot")
        sys.excepthook(type(error), error, error.__traceback__)
    for said in (out.getvalue(), last.getvalue()):
        assert "Traceback" in said
        assert "http://me:***@mlflow" in said
    assert out.getvalue().startswith("ERROR it broke with ***\n")
