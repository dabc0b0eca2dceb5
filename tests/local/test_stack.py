"""Starting, watching and stopping parts, in this process."""

import os
import signal
import sys
import time

import psutil
import pytest

from registrar.local import CannotStart, Stack, process_tree, supervisor
from registrar.local.services import Alive, Printed, Service
from tests.local.conftest import eventually, left_behind
from tests.local.standin import FAMILY, STUBBORN, plan, python, web


def parts(*planned):
    return lambda site: list(planned)


def test_entered_all_parts_are_ready_and_left_all_are_gone(tmp_path, said):
    with Stack(tmp_path, say=said.append, plan=plan) as stack:
        pid = stack.pid("family")
        assert [line.split()[0] for line in said[1:]] == ["web", "family"]
        assert stack.addresses.receiver_url in said[1]
    assert not psutil.pid_exists(pid)
    assert left_behind(tmp_path) == []


def test_the_lock_is_free_again_after_the_stop(tmp_path, said):
    for _ in range(2):
        with Stack(tmp_path, say=said.append, plan=plan):
            pass


def test_ports_are_those_of_the_last_run(tmp_path, said):
    addresses = []
    for _ in range(2):
        with Stack(tmp_path, say=said.append, plan=parts()) as stack:
            addresses.append(stack.addresses)
    assert addresses[0] == addresses[1]


def test_a_dead_part_is_restarted_and_said_so(tmp_path, said):
    with Stack(tmp_path, say=said.append, plan=plan) as stack:
        stack.watch_in_background()
        os.kill(stack.pid("web"), signal.SIGKILL)
        eventually(lambda: said[-1].startswith("web ended"), "the restart said")
        assert said[-1] == f"web ended with signal 9; restarted (pid {stack.pid('web')})"


def test_a_part_that_keeps_dying_is_said_with_its_last_lines_and_tried_again(tmp_path, said, monkeypatch):
    monkeypatch.setattr(supervisor, "TROUBLED", 2)
    dying = python("dying", "print('ready.', flush=True); import time; time.sleep(0.3); exit('no such table: tasks')")
    with Stack(tmp_path, say=said.append, plan=parts(dying)) as stack:
        stack.watch_in_background()
        eventually(lambda: any("keeps dying" in line for line in said), "the trouble said")
        eventually(lambda: said[-1].startswith("dying restarted (pid"), "one more try")
    trouble = next(line for line in said if "keeps dying" in line)
    assert "dying keeps dying (2 times in a row)" in trouble
    assert str(tmp_path / "logs" / "dying.log") in trouble
    assert "no such table: tasks" in trouble
    assert "dying ended with exit code 1; it is started again in 1 s" in said


def test_pauses_grow_and_a_steady_run_forgives():
    told = supervisor.Restarts()
    pauses = []
    for _ in range(9):
        told = told.after(1.0)
        pauses.append(told.pause)
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert told.troubled
    assert told.after(61.0).pause == 0


def test_a_part_that_cannot_start_is_named_with_its_last_lines_and_what_to_do(tmp_path, said):
    broken = python("broken", "exit('port 1 is taken')", advice="Try another port")
    with pytest.raises(CannotStart) as raised, Stack(tmp_path, say=said.append, plan=parts(*standing(), broken)):
        pass
    assert str(raised.value) == (
        f"broken can't start: it ended with exit code 1. The last lines of {tmp_path}/logs/broken.log:\n"
        "    port 1 is taken\nTry another port"
    )
    assert left_behind(tmp_path) == []


def test_only_the_lines_of_this_start_are_shown(tmp_path, said):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "broken.log").write_text("of yesterday\n")
    with pytest.raises(CannotStart, match="it wrote nothing"):
        Stack(tmp_path, say=said.append, plan=parts(python("broken", "exit(1)"))).__enter__()


def test_a_part_that_is_not_ready_in_time_is_named(tmp_path, said):
    mute = python("mute", "import time; time.sleep(60)", start_timeout=0.5)
    with pytest.raises(CannotStart, match="mute can't start: it was not ready within"):
        Stack(tmp_path, say=said.append, plan=parts(mute)).__enter__()
    assert left_behind(tmp_path) == []


def test_a_program_that_is_not_there_is_named(tmp_path, said):
    absent = Service("absent", ("/nonexistent/redis-server",), advice="Install it")
    with pytest.raises(CannotStart, match="absent can't start: /nonexistent/redis-server: No such file"):
        Stack(tmp_path, say=said.append, plan=parts(*standing(), absent)).__enter__()
    assert left_behind(tmp_path) == []


def test_a_part_waits_for_those_it_needs(tmp_path, said):
    first = python("first", "import time; time.sleep(0.5)", once=True)
    second = python("second", FAMILY, needs=("first",))
    with Stack(tmp_path, say=said.append, plan=parts(second, first)):
        assert [line.split()[0] for line in said[1:]] == ["first", "second"]


def test_a_part_that_runs_once_is_not_started_again(tmp_path, said):
    with Stack(tmp_path, say=said.append, plan=parts(python("once", "", once=True))) as stack:
        stack.watch()
        assert said[-1].startswith("once      ready")


def test_a_part_that_ignores_sigterm_is_killed_in_the_end(tmp_path, said):
    with Stack(tmp_path, say=said.append, plan=parts(python("stubborn", STUBBORN, stop_timeout=0.5))):
        pass
    assert left_behind(tmp_path) == []


def test_asked_twice_nobody_is_waited_for(tmp_path, said):
    with Stack(tmp_path, say=said.append, plan=parts(python("stubborn", STUBBORN, stop_timeout=60))) as stack:
        stack.ask_to_stop()
        stack.ask_to_stop()
        asked = time.monotonic()
    assert time.monotonic() - asked < 10
    assert left_behind(tmp_path) == []


def test_a_closed_port_given_by_hand_is_refused(tmp_path, said):
    with Stack(tmp_path / "one", say=said.append, plan=lambda site: [web(site)]) as stack:
        port = int(stack.addresses.receiver_url.rpartition(":")[2])
        with pytest.raises(Exception, match=f"port {port} for the receiver can't be used: Address already in use"):
            Stack(tmp_path / "two", port=port, say=said.append, plan=parts()).__enter__()


def test_a_long_log_is_set_aside(tmp_path, said):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "web.log").write_bytes(b"x" * 10_000_001)
    with Stack(tmp_path, say=said.append, plan=lambda site: [web(site)]):
        assert (tmp_path / "logs" / "web.log").stat().st_size < 10_000
    assert (tmp_path / "logs" / "web.log.1").stat().st_size == 10_000_001


def test_a_part_is_not_told_what_it_shall_forget(tmp_path, said):
    code = "import os; print(sorted(n for n in os.environ if n.startswith('MLFLOW_')), 'ready.', flush=True)"
    curious = python("curious", code, once=True, forgets=("MLFLOW_",), environment={"MLFLOW_OWN": "1"})
    with Stack(tmp_path, say=said.append, plan=parts(curious), outer={"MLFLOW_STATIC_PREFIX": "/x"}):
        assert "['MLFLOW_OWN'] ready." in (tmp_path / "logs" / "curious.log").read_text()


def standing() -> list[Service]:
    return [Service("standing", (sys.executable, "-c", "import time; time.sleep(60)"), ready=Alive(0.2))]


def test_a_process_with_a_recorded_pid_but_another_start_is_somebody_elses():
    assert process_tree.find(os.getpid(), psutil.Process().create_time()) is not None
    assert process_tree.find(os.getpid(), psutil.Process().create_time() - 60) is None


def test_the_marker_of_readiness_is_looked_for_in_this_starts_output_only(tmp_path, said):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "mute.log").write_text("ready.\n")
    mute = python("mute", "import time; time.sleep(60)", ready=Printed("ready."), start_timeout=0.5)
    with pytest.raises(CannotStart):
        Stack(tmp_path, say=said.append, plan=parts(mute)).__enter__()
