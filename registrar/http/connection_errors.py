"""Say why a receiver gave no answer, and what to do."""

import socket
import ssl
from collections.abc import Iterator

import requests
from urllib3.exceptions import ReadTimeoutError

_OWN_AUTHORITY = "Where its authority is one of your own, REQUESTS_CA_BUNDLE names the file with that one's certificate"
_UNKNOWN = ("issuer", "self signed")  # OpenSSL's words for a certificate that is not trusted


def connection_error_message(url: str, error: OSError) -> str:
    """url: without secrets. error: a RequestException, or the OSError of a REQUESTS_CA_BUNDLE that is no file."""
    if not isinstance(error, requests.RequestException):
        return f"{url} was not asked: {error}"
    if not isinstance(error, requests.exceptions.SSLError):
        return f"{url} {_silence(error)}; is it up, and the address right?"
    invalid_certificate = next(
        (each for each in _causes(error) if isinstance(each, ssl.SSLCertVerificationError)), None
    )
    if invalid_certificate is None:
        return f"{url} speaks no TLS; is it http://, or another port?"
    why = invalid_certificate.verify_message.rstrip(".")
    advice = f". {_OWN_AUTHORITY}" if any(word in why.replace("-", " ") for word in _UNKNOWN) else ""
    return f"the certificate of {url} does not verify: {why}{advice}"


def is_late(error: OSError) -> bool:
    """Return whether the receiver was reached, and may have done what it was asked."""
    if isinstance(error, requests.ConnectTimeout):
        return False
    # after retries, requests raises no Timeout
    return isinstance(error, requests.Timeout) or any(isinstance(each, ReadTimeoutError) for each in _causes(error))


def _silence(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout) or is_late(error):
        return "does not answer in time"
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "has a name that does not resolve here"
        if isinstance(cause, ConnectionRefusedError):
            return "refuses connections: nothing listens there"
    return f"does not answer ({type(error).__name__})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it wraps: requests and urllib3 wrap in arguments, `reason` and causes."""
    while error is not None:
        yield error
        inner = [getattr(error, "reason", None), *error.args, error.__cause__, error.__context__]
        error = next((each for each in inner if isinstance(each, BaseException)), None)
