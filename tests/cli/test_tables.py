"""Tables fit their terminal by shortening text; ids stay whole, and what goes into a pipe is as it is."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.cells import cell_len

from registrar.cli import events, formatting, tables
from tests.cli.setting import living

ID = "prm_" + "0123456789abcdef" * 2
EVENT = "evt_" + "fedcba9876543210" * 2
LONG = "looked at the residuals of the night shift, and they are as wide as those of the champion before it"
TIME = "2026-11-22 14:30:12 UTC"
# The columns of each command with a row as wide as they come.
COMMANDS = {
    "promotions list": (
        ("created_at", "state", "model", "version", "target", "by", "lacks", "id"),
        (
            TIME,
            "awaiting_approval",
            "nyc-taxi-regressor",
            "12",
            "Production",
            "Ada Lovelace",
            f"2 of leads: {LONG}",
            ID,
        ),
    ),
    "history": (
        ("holds", "version", "since", "until", "by", "approved by", "event type", "event", "why", "why it ended"),
        ("@challenger", "3", TIME, TIME, "Ada", "Ada, Bob", "training_run.finished", EVENT, "-", LONG),
    ),
    "dead list": (
        ("finished_at", "state", "task", "model", "by", "error", "id"),
        (TIME, "failed", "create_experiment", "nyc-taxi-regressor", "ci", LONG, "tsk_" + ID[4:]),
    ),
    "votes": (("at", "actor_name", "verdict", "counted", "why"), (TIME, "Ada", "approve", "yes", LONG * 20)),
    "events list": (
        ("accepted_at", "state", "type", "model", "source", "actor_name", "id"),
        (TIME, "unfinished", "model_version.transition", "nyc-taxi-regressor", "ci-of-the-team", "Ada", EVENT),
    ),
    "tasks": (
        ("name", "state", "attempts", "started_at", "finished_at", "id"),
        ("worker.create_experiment", "succeeded", "1", TIME, TIME, "tsk_" + ID[4:]),
    ),
    "one that is all names": (("model", "lane"), ("m" * 250, "model:" + "m" * 250)),
    "wide characters": (("model", "why"), ("出租车" * 30, "費用が間違っている " * 30)),
}


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def drawn(columns, *rows, width: int | None) -> list[str]:
    return [plain(line) for line in tables.lines(tables.table(columns, rows), width, heading=True)]


@pytest.mark.parametrize("width", [60, 80, 100, 132, 200])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_is_wider_than_the_terminal_and_no_id_is_broken(command, width):
    columns, row = COMMANDS[command]
    short = tuple("-" if len(cell) > 20 else cell for cell in row)
    found = drawn(columns, row, short, width=width)
    assert max(map(cell_len, found)) <= width
    for id_ in re.findall(r"[a-z]{3}_[0-9a-f]{32}", " ".join(row)):
        assert any(id_ in line for line in found)
    for column, cell in zip(columns, row, strict=True):
        if column == "state":
            assert cell in "\n".join(found)


@pytest.mark.parametrize("command", COMMANDS)
def test_where_no_terminal_is_nothing_is_cut(command):
    columns, row = COMMANDS[command]
    heading, line = drawn(columns, row, width=None)
    assert line.split() == " ".join(row).split()
    assert heading.split() == " ".join(columns).split()


def test_a_line_of_any_length_goes_whole_into_a_pipe(capsys):
    formatting.table(("why", "id"), [("x" * 30_000, ID)], empty="")
    assert capsys.readouterr().out.splitlines()[1] == f"{'x' * 30_000}  {ID}"


def test_what_fits_is_left_as_it_is():
    row = (TIME, "failed", ID)
    assert drawn(("at", "state", "id"), row, width=80)[1] == "  ".join(row)


def test_what_finds_no_room_in_its_row_stands_behind_the_id():
    columns, row = COMMANDS["history"]
    heading, line, under = drawn(columns, row, width=80)
    assert heading.split() == ["holds", "version", "since", "UTC", "until", "UTC", "by", "approved", "by"]
    assert line == "@challenger  3        2026-11-22 14:30  2026-11-22 14:30  Ada  Ada, Bob"
    assert under == f"    {EVENT}  training_run.finished  looked at the…"


def test_a_remark_that_no_row_has_takes_nothing_from_the_others_and_goes_whole_into_a_pipe():
    columns, row = COMMANDS["history"]
    without = (*row[:5], "Ada Lovelace, Bob", "promotion.approve", EVENT, "-", "-")
    heading, line, under = drawn(columns, without, width=80)
    assert (heading.split()[-2:], line.split()[-3:]) == (["approved", "by"], ["Ada", "Lovelace,", "Bob"])
    assert under == f"    {EVENT}  promotion.approve"
    assert "why" not in " ".join(drawn(columns, without, width=160))
    assert "why it ended" in drawn(columns, without, (*row[:-1], "deleted"), width=160)[0]
    assert drawn(columns, without, width=None)[0].endswith("why it ended")


def test_text_gives_way_before_names_and_times_lose_their_seconds_first():
    columns, row = COMMANDS["votes"]
    heading, line = drawn(columns, row, width=80)
    assert heading.startswith("at UTC")
    assert line.startswith("2026-11-22 14:30  Ada         approve  yes      looked at the residuals")
    assert line.endswith("…")


@pytest.mark.parametrize("width", range(2, 60))
def test_an_id_in_a_text_is_shown_whole_or_not_at_all(width):
    shown = tables.cut(f"task {ID} was refused", width)
    assert ID in shown or "prm" not in shown
    assert cell_len(shown) <= width


def test_pages_of_one_table_stand_under_each_other(capsys):
    formatting.paged_table(("a", "b"), [[("long enough", "1")], [("x", "2")]], empty="")
    assert capsys.readouterr().out.splitlines() == ["a            b", "long enough  1", "x            2"]


@pytest.mark.parametrize("width", [80, 120, None])
def test_an_event_that_comes_in_fits_too(monkeypatch, width):
    monkeypatch.setattr(tables, "terminal_width", lambda: width)
    row = {"accepted_at": TIME, "type": "model_version.transition", "model": "nyc-taxi-regressor-of-the-city"}
    line = events._line({**row, "actor_name": "Ada Lovelace", "id": EVENT})
    assert (EVENT in line, "model_version.transition" in line) == (True, True)
    assert max(map(len, map(plain, line.splitlines()))) <= (width or 1000)
    assert ("\n" in line) is (width is not None)


@pytest.fixture
def terminal(monkeypatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_a_state_has_the_colour_of_what_it_means(terminal):
    found = {name: tables.state(name) for name in ("succeeded", "awaiting_approval", "dead", "refused", "rolled back")}
    codes = {name: re.findall(r"\x1b\[([0-9;]+)m", text)[:-1] for name, text in found.items()}
    assert codes == {
        "succeeded": ["32"],
        "awaiting_approval": ["33"],
        "dead": ["31", "1"],
        "refused": ["2"],
        "rolled back": ["31", "1"],
    }


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_nobody_who_wants_no_colour_has_any(terminal, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert tables.state("dead") == "dead"


def run(*arguments: str, columns: int | None, **environ: str) -> str:
    """What a real command writes: to a terminal of so many columns, or into a pipe."""
    command = [sys.executable, "-m", "registrar", *arguments]
    environment = {**os.environ, "TERM": "xterm", **environ}
    environment.pop("COLUMNS", None)
    if columns is None:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=30, check=False)
        return done.stdout
    mine, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(command, env=environment, stdout=its)
    os.close(its)
    written = b""
    try:
        while part := os.read(mine, 65536):
            written += part
    except OSError:  # Linux's word for the end
        pass
    process.wait(30)
    os.close(mine)
    return written.decode()


def test_a_real_terminal_is_coloured_and_fits_and_a_pipe_is_neither(tmp_path: Path, ledger, ledger_url):
    with living(tmp_path, ledger, ledger_url) as house:
        event = house.harness.post("training_run.finished", model="a-model-of-a-long-name", run_id="r404")
        command = ("--data", str(house.data), "events", "list")
        shown = run(*command, columns=60, NO_COLOR="")
        piped = run(*command, columns=None, FORCE_COLOR="1")
    assert max(len(plain(line)) for line in shown.splitlines()) <= 60
    assert (event in shown, "\x1b[31m\x1b[1mfailed\x1b[0m" in shown) == (True, True)
    assert "\x1b" not in piped
    assert "a-model-of-a-long-name" in piped
    assert max(map(len, piped.splitlines())) > 100
