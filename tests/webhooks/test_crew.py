"""Requests that wait together in one thread, as gunicorn's loop has them (lobby.py); here the loop is a queue."""

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import pytest

from webhooks.crew import MOST, Crew, aside, together


class Loop:
    """Answers requests that are functions, and keeps what became of each: its result, or the error that it met."""

    def __init__(self) -> None:
        self.became: dict[str, Any] = {}
        self.finished: list[tuple[str, bool]] = []
        self._calls: SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = SimpleQueue()
        self._answers: dict[str, Callable[[], Any]] = {}
        self.crew: Crew[str] = Crew(self._answer, lambda *done: self.finished.append(done), self._later)
        self.crew.start()

    def begin(self, **answers: Callable[[], Any]) -> None:
        self._answers |= answers
        for name in answers:
            self.crew.begin(name)
        self.crew.write()

    def until_finished(self) -> dict[str, Any]:
        while len(self.finished) < len(self._answers):
            self.go_on()
        return self.became

    def go_on(self) -> None:
        call, given = self._calls.get(timeout=30)
        call(*given)
        self.crew.write()

    def _later(self, call: Callable[..., None], *given: Any) -> None:
        self._calls.put((call, given))

    def _answer(self, name: str) -> bool:
        try:
            self.became[name] = self._answers[name]()
        except LookupError as error:
            self.became[name] = error
        return True


class Work:
    """Doubles numbers, and remembers which it was given together."""

    def __init__(self) -> None:
        self.given: list[Sequence[int]] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, numbers: Sequence[int]) -> Sequence[int | Exception]:
        assert self.go.wait(30)
        self.given.append(list(numbers))
        return [LookupError(number) if number < 0 else number * 2 for number in numbers]


def test_what_waits_at_the_same_time_is_done_together_and_each_gets_its_own_answer():
    loop, work = Loop(), Work()
    loop.begin(a=lambda: together(work, 1), b=lambda: "at once", c=lambda: together(work, 3))
    assert loop.finished == [("b", True)]
    assert loop.until_finished() == {"a": 2, "b": "at once", "c": 6}
    assert work.given == [[1, 3]]
    assert sorted(loop.finished) == [("a", True), ("b", True), ("c", True)]


def test_what_comes_while_something_is_written_waits_for_the_next_time():
    loop, work = Loop(), Work()
    work.go.clear()
    loop.begin(a=lambda: together(work, 1))
    loop.begin(b=lambda: together(work, 2))
    loop.begin(c=lambda: together(work, 3))
    assert loop.finished == []
    work.go.set()
    assert loop.until_finished() == {"a": 2, "b": 4, "c": 6}
    assert work.given == [[1], [2, 3]]


def test_so_many_are_done_together_at_most():
    loop, work = Loop(), Work()
    loop.begin(**{f"r{number}": lambda number=number: together(work, number) for number in range(MOST + 3)})
    assert loop.until_finished() == {f"r{number}": number * 2 for number in range(MOST + 3)}
    assert [len(numbers) for numbers in work.given] == [MOST, 3]


def test_a_request_may_wait_for_several_things_and_different_ones_wait_side_by_side():
    loop, work, other = Loop(), Work(), Work()
    loop.begin(a=lambda: together(work, together(other, 1)), b=lambda: together(work, 5), c=lambda: aside(lambda: "c"))
    assert loop.until_finished() == {"a": 4, "b": 10, "c": "c"}
    assert other.given == [[1]]


def test_an_error_is_raised_where_it_was_asked():
    loop, work = Loop(), Work()

    def fails(_: Sequence[int]) -> Sequence[int]:
        raise LookupError("all")

    loop.begin(a=lambda: together(work, -1), b=lambda: together(work, 2), c=lambda: together(fails, 3))
    loop.begin(d=lambda: aside(lambda: {}["d"]))
    became = loop.until_finished()
    assert (became["a"].args, became["b"], became["c"].args, became["d"].args) == ((-1,), 4, ("all",), ("d",))


def test_one_that_breaks_is_not_the_end_of_the_others(caplog: pytest.LogCaptureFixture):
    loop, work = Loop(), Work()

    def breaks() -> None:
        together(work, 1)
        raise RuntimeError("nobody foresaw it")

    loop.begin(a=breaks, b=lambda: together(work, 2))
    assert loop.until_finished() == {"b": 4}
    assert loop.finished == [("a", False), ("b", True)]
    assert "nobody foresaw it" in caplog.text


def test_outside_of_a_loop_it_is_done_at_once_and_alone():
    work = Work()
    assert together(work, 4) == 8
    assert aside(threading.current_thread) is threading.current_thread()
    with pytest.raises(LookupError):
        together(work, -4)
    assert work.given == [[4], [-4]]
