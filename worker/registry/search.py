"""What all searches of MLflow share: pages, and values in its filters."""

from collections.abc import Callable, Iterator
from typing import Any

from worker.registry.protocol import Refused


def pages(page: Callable[[str | None], Any]) -> Iterator[Any]:
    """All that MLflow finds, page by page. page: one of them, by its token."""
    token: str | None = None
    while True:
        found = page(token)
        yield from found
        if not (token := found.token):
            return


def quoted(text: str) -> str:
    """A value in MLflow's filter language, which knows no escape. Raises Refused for what can't be said in it."""
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    raise Refused(f"MLflow can't search for {text!r}: it holds both kinds of quotes")
