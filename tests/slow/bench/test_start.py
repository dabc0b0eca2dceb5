"""The bench of starts measures the parts that it names."""

import pytest

from registrar.local import services as usual
from registrar.local.services import Printed, Service
from tests.bench import start
from tests.bench.options import Options
from webhooks import serve


def test_a_part_is_measured_once_it_is_ready():
    with start.house() as (home, site):
        figures, each = start.ready(usual.receiver(site), home)
        with pytest.raises(RuntimeError, match="nap does not start"):
            start.ready(Service("nap", ("sleep", "60"), Printed("never"), start_timeout=0.2), home)
    assert len(each) == 1 + serve.WORKERS, "granian's first process, and those that work"
    assert figures["memory MB"] == sum(each) > 20
    assert figures["ready after s"] > figures["CPU s"] * 0.1 > 0


def test_a_command_is_measured_until_it_ends():
    with start.house() as (home, _):
        helped, nothing = start.ended("registrar --help", home), start.ended("python -c pass", home)
    assert helped["CPU s"] > nothing["CPU s"] > 0


def test_each_part_has_a_row(monkeypatch: pytest.MonkeyPatch):
    figures = {"ready after s": 2.0, "CPU s": 1.0}
    monkeypatch.setattr(start, "ended", lambda command, home: figures)
    monkeypatch.setattr(start, "ready", lambda part, home: (figures | {"memory MB": 50.0}, [20.0, 30.0]))
    monkeypatch.setattr(start, "install", lambda name: (80.0, 40.0))
    rows = start.measure(Options(rounds=2, installs=True)).table.rows
    assert rows == [
        ["receiver", 2.0, 1.0, 50.0, "20 + 30", 80.0, 40.0],
        ["worker", 2.0, 1.0, 50.0, "20 + 30", 80.0, 40.0],
        ["beat", 2.0, 1.0, 50.0, "20 + 30", None, None],
        ["registrar --help", 2.0, 1.0, None, None, None, None],
        ["python -c pass", 2.0, 1.0, None, None, None, None],
    ]
