"""`up` as a process: what is left when it ends, however it ends."""

import os
import signal
import time

import psutil

from registrar.local import process_tree
from tests.local.conftest import PATIENCE, eventually, left_behind


def gone(processes: list[psutil.Process]) -> bool:
    return not any(map(process_tree.alive, processes))


def test_sigterm_leaves_nothing_behind(up):
    running = up().ready()
    family = running.family()
    assert len(family) == 4  # the guard, web, and the other with its child
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(PATIENCE) == 0
    assert gone(family)


def test_ctrl_c_leaves_nothing_behind(up):
    running = up().ready()
    family = running.family()
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(PATIENCE) == 0
    assert gone(family)


def test_a_closed_terminal_leaves_nothing_behind(up):
    running = up().ready()
    family = running.family()
    running.process.send_signal(signal.SIGHUP)
    assert running.process.wait(PATIENCE) == 0
    assert gone(family)


def test_under_nohup_a_closed_terminal_ends_nothing(up):
    running = up(hangup=signal.SIG_IGN).ready()
    running.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert running.process.poll() is None
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(PATIENCE) == 0


def test_sigterm_while_starting_leaves_nothing_behind(up):
    running = up()
    eventually(lambda: left_behind(running.data), "a first part")
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(PATIENCE) == 0
    assert left_behind(running.data) == []


def test_kill_9_of_up_leaves_nothing_behind(up):
    running = up().ready()
    family = running.family()
    running.process.kill()
    eventually(lambda: gone(family), "the guard stopping all")


def test_what_outlives_up_and_its_guard_is_ended_by_the_next_up_and_said(up):
    first = up().ready()
    family = first.family()
    first.guard().kill()
    first.process.kill()
    first.process.wait()
    assert left_behind(first.data)
    second = up().ready()
    assert gone(family)
    assert any(line.startswith("web (pid ") and "is left from the last run" in line for line in second.lines)


def test_an_orphan_whose_parent_died_too_is_ended_by_the_next_up(up):
    first = up().ready()
    [parent, child] = [p for p in first.family() if "sleep(600)" in str(p.cmdline())]
    for process in (first.guard(), parent, first.process):
        process.kill()
    first.process.wait()
    assert process_tree.alive(child)
    up().ready()
    assert not process_tree.alive(child)


def test_the_next_up_waits_for_the_guard_of_a_killed_one(up):
    first = up().ready()
    guard = first.guard()
    guard.suspend()
    first.process.kill()
    first.process.wait()
    second = up()
    assert second.process.stdout is not None
    assert second.process.stdout.readline() == "the last run was killed; waiting for its parts to end\n"
    guard.resume()
    second.ready()


def test_a_guard_that_dies_is_replaced(up):
    running = up().ready()
    first = running.guard()
    first.kill()
    eventually(lambda: len(running.family()) == 4 and running.new_guard(first), "a new guard")


def test_a_second_up_on_the_same_folder_is_refused(up):
    first = up().ready()
    output, _ = up().process.communicate(timeout=PATIENCE)
    assert f"is running on {first.data} already (pid {first.process.pid})" in output
    assert first.process.poll() is None


def test_a_dead_leaders_child_is_ended_before_the_restart(up):
    running = up().ready()
    [parent, child] = [p for p in running.family() if "sleep(600)" in str(p.cmdline())]
    os.kill(parent.pid, signal.SIGKILL)
    eventually(lambda: not process_tree.alive(child), "the orphan's end")
    eventually(lambda: len(running.family()) == 4, "a new family")
