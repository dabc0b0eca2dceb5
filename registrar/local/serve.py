"""A stack from its start to Ctrl-C."""

import signal
from collections.abc import Callable

from registrar.local.stack import Stack
from registrar.local.supervisor import Interrupted


def _stopping() -> tuple[signal.Signals, ...]:
    """A closed terminal stops the parts too, but not under nohup."""
    hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGINT, signal.SIGTERM, *hangup)


def serve(stack: Stack, *, when_ready: Callable[[Stack], None]) -> None:
    """Run a stack until Ctrl-C or SIGTERM. A second one stops it without patience."""
    previous = {number: signal.signal(number, lambda *_: stack.ask_to_stop()) for number in _stopping()}
    try:
        with stack:
            when_ready(stack)
            stack.wait()
    except Interrupted:
        pass
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
