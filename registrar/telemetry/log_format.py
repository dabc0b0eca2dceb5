"""Log lines for people or as JSON, with ids: event, task, lane, model, promotion, trace.

Celery, granian, MLflow and SQLAlchemy use the standard library's logging: a formatter reaches the lines of all.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from textwrap import indent
from types import MappingProxyType
from typing import Any, TextIO

from registrar.telemetry.observability_settings import ObservabilitySettings
from registrar.text.sanitize import escaped, shown

_ABOUT: ContextVar[Mapping[str, str]] = ContextVar("about", default=MappingProxyType({}))
_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@contextmanager
def log_context(**ids: str | None) -> Iterator[None]:
    """Add ids to every line that is logged in the block; those that are None are left out."""
    token = _ABOUT.set({**_ABOUT.get(), **{name: id_ for name, id_ in ids.items() if id_ is not None}})
    try:
        yield
    finally:
        _ABOUT.reset(token)


def start(environ: Mapping[str, str], stream: TextIO) -> None:
    """Set up the process's log, from INFO up. Wrong settings are reported by Settings."""
    try:
        kind = ObservabilitySettings.read(environ).log
    except ValueError:
        kind = "console"
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(kind))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # No line names its thread and line of code: https://docs.python.org/3/howto/logging.html#optimization
    logging.logThreads = logging.logMultiprocessing = False
    logging._srcfile = None


def formatter(kind: str) -> logging.Formatter:
    """kind: console or json."""
    return Json() if kind == "json" else Console(_LINE)


class Console(logging.Formatter):
    """A line for people, followed by the ids that the line itself does not name.

    redact: removes secrets, before invisible characters are escaped: afterwards it would not find them.
    """

    redact: Callable[[str], str] = staticmethod(str)
    _second: tuple[int, str] = (0, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Format like the standard library, but compute the date and time once per second, not per line."""
        second, text = self._second
        if second != int(record.created):
            text = time.strftime(self.default_time_format, self.converter(record.created))
            self._second = (int(record.created), text)
        return f"{text},{int(record.msecs):03d}"

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        more = " ".join(f"{name}={value}" for name, value in _fields(record).items() if str(value) not in line)
        return shown(self.redact(f"{line} [{more}]" if more else line))

    def formatException(self, ei: Any) -> str:
        """Indent further lines, so that none passes for a log line of its own."""
        return indent(shown(self.redact(super().formatException(ei)), lines=True), "    ")


class Json(logging.Formatter):
    """An object in a line: time (ISO 8601, UTC), level, logger, message, ids; exception, where there is one.

    redact: removes secrets, before they are quoted: afterwards it would not find them.
    """

    redact: Callable[[str], str] = staticmethod(str)

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = record.stack_info
        clean = {name: self.redact(value) if isinstance(value, str) else value for name, value in fields.items()}
        return escaped(json.dumps(clean, ensure_ascii=False))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the ids of the context and of the line itself: log.info(..., extra={"about": {...}})."""
    return {**_ABOUT.get(), **getattr(record, "about", {})}
