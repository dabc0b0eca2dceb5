"""Lines for people and for machines: what they are about, and no secret in them."""

import io
import json
import logging
import threading

import pytest

from registrar.config.settings import Settings, SettingsError
from registrar.policy.load import parse
from registrar.telemetry import log_format, redaction
from tests.telemetry.test_redaction import ENVIRON, POLICY

SECRET = 'quo"ted\\and\nbroken'


@pytest.fixture
def begin(monkeypatch):
    """Starts the log as the environment has it, on a root logger without handlers; what it is written to."""

    def begun(environ) -> io.StringIO:
        root, said = logging.getLogger(), io.StringIO()
        monkeypatch.setattr(root, "handlers", [])
        monkeypatch.setattr(root, "level", root.level)
        log_format.start(environ, said)
        return said

    return begun


def lines(said: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in said.getvalue().splitlines()]


def test_json_lines_say_what_they_are_about(begin):
    said = begin({"REGISTRAR_LOG": "json"})
    with log_format.log_context(event="evt_1", model=None), log_format.log_context(task="tsk_1"):
        logging.getLogger("worker.celery_tasks").info("%s: done", "register")
    logging.getLogger("worker.celery_tasks").warning("alone", extra={"about": {"event": "evt_2"}})
    first, second = lines(said)
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "info",
        "logger": "worker.celery_tasks",
        "message": "register: done",
        "event": "evt_1",
        "task": "tsk_1",
    }
    assert (second["level"], second["event"], "task" in second) == ("warning", "evt_2", False)


def test_console_lines_end_with_what_they_do_not_say_themselves(begin):
    said = begin({})
    with log_format.log_context(event="evt_1", task="tsk_1", lane="model:taxi", model="taxi"):
        logging.getLogger("worker.celery_tasks").info("register tsk_1: done")
    assert said.getvalue().endswith(
        "INFO worker.celery_tasks: register tsk_1: done [event=evt_1 lane=model:taxi model=taxi]\n"
    )


def test_what_one_thread_is_about_is_not_what_another_is(begin):
    said = begin({"REGISTRAR_LOG": "json"})

    def other() -> None:
        logging.getLogger("other").info("apart")

    with log_format.log_context(task="tsk_1"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert "task" not in lines(said)[0]


@pytest.mark.parametrize("kind", ["console", "json"])
def test_no_line_holds_a_secret_however_it_is_quoted(begin, kind, monkeypatch):
    monkeypatch.setattr("sys.excepthook", None)
    settings = Settings.read({**ENVIRON, "CI": SECRET, "REGISTRAR_LOG": kind})
    said = begin(settings.environ)
    redaction.install(settings, parse(POLICY))
    try:
        raise ValueError(f"refused: {SECRET}")
    except ValueError:
        logging.getLogger("x").exception("with %s", SECRET, extra={"about": {"source": SECRET}})
    text = said.getvalue()
    for piece in (SECRET, json.dumps(SECRET)[1:-1], json.dumps(SECRET, ensure_ascii=False)[1:-1]):
        assert piece not in text
    assert redaction.SHOWN in text
    assert "ValueError" in text


def test_a_format_that_is_none_is_refused_at_the_start():
    with pytest.raises(SettingsError, match="REGISTRAR_LOG: console or json, not 'yaml'"):
        Settings.read({**ENVIRON, "REGISTRAR_LOG": "yaml"})


def test_a_traceback_is_one_line_of_json(begin):
    said = begin({"REGISTRAR_LOG": "json"})
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("x").exception("broken")
    [line] = lines(said)
    assert line["exception"].endswith("ValueError: two\nlines")
