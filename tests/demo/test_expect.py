"""What a step of the demo does when it does not see what it should."""

import pytest
import requests

from registrar.demo.expect import Unexpected, eventually, expect


def test_what_does_not_hold_says_what_was_expected_and_seen() -> None:
    with pytest.raises(Unexpected, match="expected a version; saw none") as caught:
        expect(False, "a version", seen="none", look_at="mlflow")
    assert caught.value.look_at == "mlflow"


def test_waiting_is_bounded_and_tells_the_last_that_was_seen() -> None:
    with pytest.raises(Unexpected, match=r"expected 3 within 0.5 s; saw 2"):
        eventually(lambda: 2, lambda seen: seen == 3, "3", seconds=0.5)


def test_a_server_that_does_not_answer_is_asked_again() -> None:
    answers = iter([requests.ConnectionError("down"), 3])

    def look() -> int:
        if isinstance(answer := next(answers), requests.ConnectionError):
            raise answer
        return answer

    assert eventually(look, lambda seen: seen == 3, "3", seconds=5) == 3
