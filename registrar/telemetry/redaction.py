"""Redact secrets in every log line of this process, tracebacks included.

The second line of defence, for messages of libraries. Our own messages contain no secrets in the first place.
"""

import logging
import sys
import traceback
from collections.abc import Iterable, Iterator
from types import TracebackType
from urllib.parse import quote, urlsplit

from registrar.config.credentials import logins
from registrar.config.key_generation import LINK_CODE, TOKEN
from registrar.config.settings import Settings, SettingsError
from registrar.policy import Policy
from registrar.telemetry.log_format import Console, Json

SHOWN = "***"
_SHORTEST = 6  # characters; shorter ones occur in too many words
_MLFLOW = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


class Redactor:
    """Replace secrets in texts: as they are, URL-quoted, and the path and the password of a URL by themselves.

    API tokens and codes of sign-in links are recognized by their form, as no process stores them.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _SHORTEST}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, SHOWN)
        return LINK_CODE.sub(SHOWN, TOKEN.sub(SHOWN, text))


def known(settings: Settings, policy: Policy | None) -> Iterator[str]:
    """Yield every secret that this process can read; a receiver can't read those of the worker."""
    yield from settings.secret_key.split(",")
    yield from (settings.environ[name] for name in _MLFLOW if name in settings.environ)
    for url in (settings.ledger_url, settings.broker_url, settings.mlflow_uri):
        yield from (one.password for one in logins(url))
    for reference in policy.references() if policy else ():
        try:
            yield settings.secret(reference)
        except SettingsError:
            continue


def install(settings: Settings, policy: Policy) -> None:
    """Redact all further logs of Registrar, granian and Celery, and the traceback that ends the process."""
    redact = Redactor(known(settings, policy))
    for handler in logging.getLogger().handlers:
        formatter = handler.formatter or logging.Formatter()
        inner = formatter.inner if isinstance(formatter, _Formatter) else formatter
        handler.setFormatter(_Formatter(inner, redact))

    def last_words(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
        sys.stderr.write(redact("".join(traceback.format_exception(kind, error, at))))

    sys.excepthook = last_words


class _Formatter(logging.Formatter):
    def __init__(self, inner: logging.Formatter, redact: Redactor) -> None:
        super().__init__()
        self.inner, self._redact = inner, redact
        if isinstance(inner, Json | Console):
            inner.redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(self.inner.format(record))


def _forms(secret: str) -> Iterator[str]:
    bare = secret.removeprefix("whsec_")
    yield from (secret, bare, quote(secret, safe=""), quote(bare, safe=""))
    if "://" in secret:
        yield from (one.password for one in logins(secret))
        parts = urlsplit(secret)
        # urllib3 names the path alone.
        yield from (f"{parts.path}?{parts.query}" if parts.query else parts.path, parts.path)
