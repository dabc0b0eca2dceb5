"""The screen of `registrar up`: permanent lines, and on a terminal a status line under them."""

import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

_REASSURANCE = 10.0  # seconds between two lines of progress where there is no terminal


# Raised by Rich when the terminal goes away (closed window, broken pipe), while parts must still be stopped in order.
_GONE = (OSError, SystemExit)


class Screen:
    """console: where to print; stdout by default."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._status = Status("", console=self._console) if self._console.is_terminal else None
        self._next = time.monotonic() + _REASSURANCE

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._status:
            with suppress(*_GONE):
                self._status.stop()

    def say(self, line: str) -> None:
        """Print a permanent line."""
        with suppress(*_GONE):
            self._console.print(line, markup=False, soft_wrap=True)
            self._console.file.flush()

    def progress(self, text: str) -> None:
        """Change the status line; without a terminal print it from time to time."""
        if self._status:
            self._status.update(text)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + _REASSURANCE
            self.say(text)
