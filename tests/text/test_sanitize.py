"""What people and other systems wrote is kept, and is nothing but text wherever it is shown."""

import io
import json
import logging

import pytest
from pydantic import ValidationError

from registrar.cli import formatting
from registrar.events.types import parse
from registrar.ledger.journal.append import canonical
from registrar.ledger.journal.export import csv_
from registrar.telemetry import log_format
from registrar.text import markdown
from registrar.text.sanitize import CUT, MOST, absent, escaped, kept, shown, unseen
from webhooks.ingress import validation
from webhooks.ingress.errors import InvalidEvent
from worker.notifications.notifiers import email, slack

FORGED = "x\n2026-11-29 15:00:00,000 INFO worker.celery_tasks: the promotion was approved by Ada"
HOSTILE = ["\x1b[31mred", "\u009b31mred", "\u202eder", "a\u200bb", "a\u2028b", "a\u2066b", "a\ufeffb", "a\U000e0041b"]
RUN = {"model": "taxi", "run_id": "r1"}
VOTE = {"model": "taxi", "version": 1}


@pytest.mark.parametrize("breaks", ["\r\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c"])
def test_line_breaks_are_one_kind_in_what_is_kept(breaks):
    assert kept(f"looked{breaks}fine") == "looked\nfine"


def test_controls_are_replaced_and_what_is_too_long_is_cut_with_a_mark():
    assert kept("a\x00b\x1bc\u009bd\ud83d") == "a\ufffdb\ufffdc\ufffdd\ufffd"
    cut = kept("y" * 5000)
    assert len(cut) == MOST
    assert cut.endswith(CUT)
    assert kept("y" * MOST) == "y" * MOST


@pytest.mark.parametrize("reason", ["looked\r\nfine", "x" * 2500, "\x07", "\ud83d", "half\u2028half"])
@pytest.mark.parametrize("type_", ["promotion.approve", "promotion.reject", "promotion.cancel"])
def test_a_vote_never_dies_of_its_comment(type_, reason):
    assert parse(type_, {**VOTE, "reason": reason}).reason == kept(reason)


@pytest.mark.parametrize("nothing", ["", "  ", "\n", None])
def test_what_is_empty_is_absent(nothing):
    assert absent(nothing)
    data = parse("training_run.finished", {**RUN, "commit": nothing, "description": nothing, "artifact_path": nothing})
    assert (data.commit, data.description, data.artifact_path) == (None, None, None)
    searched = parse("training_run.finished", {"model": "taxi", "run_id": nothing, "search": {"experiment": "e"}})
    assert searched.run_id is None


def test_a_needed_text_that_is_empty_is_missed_and_a_default_that_decides_is_not_guessed():
    for wrong in ("", "  "):
        with pytest.raises(ValidationError, match="at least 1"):
            parse("model.rollback", {"model": "taxi", "reason": wrong})
    with pytest.raises(ValidationError):
        parse("promotion.approve", {**VOTE, "target": ""})


@pytest.mark.parametrize("nothing", ["", None, " "])
def test_a_switch_that_says_nothing_is_off(nothing):
    assert parse("promotion.approve", {"model": "taxi", "version": 3, "break_glass": nothing}).break_glass is False


@pytest.mark.parametrize("nothing", ["", " \n"])
def test_a_reason_that_is_needed_and_empty_is_said_to_be_so(nothing):
    with pytest.raises(InvalidEvent, match=r"data\.reason is empty"):
        validation.data("model.rollback", {"model": "taxi", "reason": nothing})


def test_tags_are_texts():
    tags = {"epochs": 10, "lr": 0.5, "tuned": True, "note": "a\r\nb", "none": None, "empty": ""}
    told = parse("training_run.finished", {**RUN, "tags": tags}).tags
    assert told == {"epochs": "10", "lr": "0.5", "tuned": "true", "note": "a\nb", "empty": ""}
    assert parse("training_run.finished", {**RUN, "tags": None}).tags == {}
    with pytest.raises(ValidationError):
        parse("training_run.finished", {**RUN, "tags": {"a": ["b"]}})


def test_a_commit_ends_in_no_line_break():
    assert parse("training_run.finished", {**RUN, "commit": "c0ffee\n"}).commit == "c0ffee"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("inj\u009b31m\u202ex", "has a character that can't be seen (U+009B)"),
        ("a\u200bb", "has a character that can't be seen (U+200B)"),
        ("a\u2028b", "has a character that can't be seen (U+2028)"),
        ("a\nb", "has a line break"),
        ("a\ufffd", "has a character that was broken on its way (U+FFFD)"),
        ("", "is empty"),
        ("a\\", "no \\\\ at the end"),
        ("a/b", "no / or :"),
        ("x" * 251, "1 to 250 characters"),
    ],
)
def test_a_models_name_is_one_that_can_be_seen_and_asked_for(name, why):
    with pytest.raises(ValidationError) as refused:
        parse("training_run.finished", {**RUN, "model": name})
    assert why.replace("\\\\", "\\") in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize("name", ["taxi", "nyc taxi", "Gebühren", "計程車", "a.b_c-d", "a\\b", "[a]*"])
def test_other_names_are_taken(name):
    assert parse("training_run.finished", {**RUN, "model": name}).model == name


@pytest.mark.parametrize("key", ["a//b", "/a", "a/", "..", "a/../b", "a=b", "a\u202eb", "é" * 251, "a#b"])
def test_tag_keys_that_mlflow_refuses_are_refused_at_the_door(key):
    with pytest.raises(ValidationError):
        parse("training_run.finished", {**RUN, "tags": {key: "x"}})


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_moves_or_hides_text_is_shown_raw(text):
    assert unseen(text)
    assert shown(text).isprintable()
    assert shown(text, lines=True).isprintable()
    assert json.loads(escaped(json.dumps(text, ensure_ascii=False))) == text
    assert escaped(json.dumps(text, ensure_ascii=False)).isprintable()
    assert markdown.escape(text, most=99).replace("\u200b", "").isprintable()
    assert slack.escape(text).isprintable()
    assert email._line(text).isprintable()
    assert formatting.text(text).isprintable()


def test_what_people_write_stays_as_it_is():
    for text in ("Gebühren für Ada", "計程車", "👩\u200d💻 ok"):
        assert shown(text) == text
    assert shown("10\u00a0km") == "10 km"


def logged(formatter: logging.Formatter, message: str, error: Exception | None = None) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    log = logging.Logger("worker.celery_tasks")
    log.addHandler(handler)
    log.error("said: %s", message, exc_info=error)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["console", "json"])
@pytest.mark.parametrize("text", [FORGED, *HOSTILE])
def test_no_text_forges_a_line_of_the_log(kind, text):
    said = logged(log_format.formatter(kind), text)
    assert said.count("\n") == 1
    assert said.rstrip("\n").isprintable()


def test_nor_does_an_errors_message():
    lines = logged(log_format.formatter("console"), "x", ValueError(FORGED)).splitlines()
    assert len(lines) > 2
    assert all(line.startswith("    ") for line in lines[1:])


def test_nor_a_row_of_a_table(capsys):
    formatting.table(["REASON"], [[FORGED], ["\x1b[2J"]], empty="none")
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert formatting.sentence(FORGED).splitlines()[1].startswith("  2026")


def test_slack_shows_marks_as_they_were_written():
    assert slack.escape("*bold* ~no~ `code` _it_ a_b") == "∗bold∗ ∼no∼ ˋcodeˋ ＿it＿ a_b"
    assert slack.escape("> said") == "\u200b&gt; said"
    table = "runs\n```\na*b `c`\n```\nmore*"
    assert slack.escape(table) == "runs\n```\na*b ˋcˋ\n```\nmore∗"


def test_a_spreadsheet_sees_no_hidden_text():
    entry = dict.fromkeys(("seq", "at", "kind", "model", "version", "event_id", "event_type", "source"), "x")
    entry |= dict.fromkeys(("actor", "actor_name", "body_sha256", "previous", "hash"), "\u202ex")
    entry["body"] = canonical({"said": {}})
    assert all(line.rstrip("\r\n").isprintable() for line in csv_([entry]))
