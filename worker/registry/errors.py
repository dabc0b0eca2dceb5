"""Translate MLflow's exceptions into retryable and permanent errors. Measured on MLflow 3.17 and 3.18."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from mlflow.exceptions import MlflowException, RestException

from worker.registry.origin import NOT_THE_REGISTRY, NotMlflow
from worker.registry.protocol import AmbiguousError, NotFound, PermanentError, Refused, RetryableError

_INVALID = "INVALID_PARAMETER_VALUE"  # a bad filter, name or tag
_NOT_FOUND = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}
_RETRYABLE_STATUS = {408, 429, 502, 503, 504}
# SQLAlchemy's IntegrityError, which MLflow answers with 400 where two callers set the same new alias at once.
_RACE = re.compile(r"sqlalche\.me/e/\d+/gkpj")

# Seconds after which a write without an answer counts as ended.
SETTLE_SECONDS = 5.0


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Translate MLflow's exceptions within the block into those of protocol.py. what: begins the message."""
    try:
        yield
    except (MlflowException, requests.RequestException, ModuleNotFoundError) as error:
        raise translate(what, error) from error


def translate(what: str, error: Exception) -> Exception:
    """Return the error of protocol.py for an exception of MLflow's client; any other exception unchanged."""
    match error:
        case MlflowException():
            return _translate_mlflow(what, error)
        case requests.HTTPError(response=requests.Response() as answer):  # from the artifact client
            return _translate_mlflow(what, RestException(answer.json()))
        case NotMlflow():
            return RetryableError(f"{what}: {error}", after=error.after)
        case requests.RequestException():
            return RetryableError(f"{what}: the registry does not answer ({type(error).__name__})")
        case ModuleNotFoundError():
            return PermanentError(f"{what}: the worker lacks the package {error.name!r} that this artifact store needs")
    return error


@contextmanager
def translate_write_errors(what: str) -> Iterator[None]:
    """Translate the exceptions of a write. MLflow's writes are not idempotent, so a retry waits SETTLE_SECONDS for a
    write without an answer to end.
    """
    try:
        with translate_errors(what):
            yield
    except RetryableError as error:
        error.after = max(error.after or 0.0, SETTLE_SECONDS)
        raise


def _translate_mlflow(what: str, error: MlflowException) -> RetryableError | PermanentError:
    if isinstance(error.__context__, requests.RequestException):
        return _unanswered(what, error.__context__)
    if NOT_THE_REGISTRY in str(error):  # a download reports several files in one text
        return RetryableError(f"{what}: {str(error)[str(error).index(NOT_THE_REGISTRY) :].splitlines()[0][:500]}")
    text, status = f"{what}: {_first_line(error)}", error.get_http_status_code()
    if error.error_code in _NOT_FOUND:
        return NotFound(text)
    race = error.error_code == "BAD_REQUEST" and _RACE.search(str(error))
    if status in _RETRYABLE_STATUS or error.error_code == "ABORTED" or race:
        return RetryableError(text)
    # An unknown logged model is an INTERNAL_ERROR, too, and a permanent one.
    if status == 500 and "Unable to find a logged_model" not in str(error):
        return AmbiguousError(text)
    return Refused(text) if error.error_code == _INVALID else PermanentError(text)


def _unanswered(what: str, error: requests.RequestException) -> RetryableError:
    if isinstance(error, NotMlflow):
        return RetryableError(f"{what}: {error}", after=error.after)
    return RetryableError(f"{what}: the registry does not answer ({type(error).__name__})")


def _first_line(error: MlflowException) -> str:
    """Return the error's first line, without MLflow's code."""
    lines = str(error.message).strip().splitlines()[:1] or [str(error.error_code)]
    return lines[0].removeprefix(f"{error.error_code}: ")[:500]
