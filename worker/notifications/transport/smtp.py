"""Send mail by SMTP: bounded in time; errors retryable or permanent, none with the password.

https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1: 4xx may succeed later, 5xx will not.
"""

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

from registrar.http.safe_url import is_loopback
from worker.notifications.transport.safe_session import hang_up_after
from worker.registry.protocol import PermanentError, RetryableError

TIMEOUT = 10.0  # seconds between bytes
SECONDS = 60.0  # for the whole session
_PORTS = {"smtp": 587, "smtps": 465}
_BAD_URL = "the channel's url is not smtp://USER:PASSWORD@HOST:PORT or smtps://..., with what is special in them as %XX"


@dataclass(frozen=True)
class _Server:
    tls: bool
    host: str
    port: int
    user: str
    password: str = field(repr=False)


def send(url: str | None, mail: EmailMessage, *, starttls: bool) -> None:
    """Send one mail. Raises RetryableError, PermanentError: also where the server refuses some of the recipients and
    takes the mail for the others.
    """
    server = _server(url)
    try:
        with _connected(server, starttls=starttls) as smtp:
            refused = smtp.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        raise _all_refused(server, error.recipients) from None
    except smtplib.SMTPResponseException as error:
        raise _answered(server, error) from None
    except smtplib.SMTPNotSupportedError as error:
        raise PermanentError(f"{server.host} can't do what the mail needs: {error}") from None
    except (smtplib.SMTPException, OSError) as error:
        raise RetryableError(f"{server.host} does not take the mail ({type(error).__name__})") from None
    if refused:
        codes = ", ".join(sorted({str(code) for code, _ in refused.values()}))
        raise PermanentError(
            f"{server.host} refused {len(refused)} of the recipients with {codes}; the others have the mail"
        )


def _server(url: str | None) -> _Server:
    if not url:
        raise PermanentError(
            "the channel has no url; add url: env:NAME to it in registrar.yml, smtp://USER:PASSWORD@HOST:PORT"
        )
    try:
        parts = urlsplit(url.strip())
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise PermanentError(_BAD_URL) from None
    if not parts.hostname:
        raise PermanentError(_BAD_URL)
    return _Server(
        parts.scheme == "smtps", parts.hostname, port, unquote(parts.username or ""), unquote(parts.password or "")
    )


@contextlib.contextmanager
def _connected(server: _Server, *, starttls: bool) -> Iterator[smtplib.SMTP]:
    smtp = _opened(server)
    try:
        if starttls and not server.tls:
            smtp.ehlo_or_helo_if_needed()
            if not smtp.has_extn("starttls"):
                raise PermanentError(
                    f"{server.host} offers no STARTTLS: smtps:// in the channel's url, or options.starttls: false"
                )
            smtp.starttls(context=ssl.create_default_context())
        _login(smtp, server)
        yield smtp
        with contextlib.suppress(smtplib.SMTPException, OSError):  # the mail is accepted already
            smtp.quit()
    finally:
        smtp.close()


def _opened(server: _Server) -> smtplib.SMTP:
    if server.tls:
        return _TlsServer(server.host, server.port, timeout=TIMEOUT, context=ssl.create_default_context())
    return _PlainServer(server.host, server.port, timeout=TIMEOUT)


def _login(smtp: smtplib.SMTP, server: _Server) -> None:
    if not server.user:
        return
    if not isinstance(smtp.sock, ssl.SSLSocket) and not is_loopback(server.host):
        raise PermanentError("options.starttls is false: a password does not go to another machine in the open")
    try:
        smtp.login(server.user, server.password)
    except (smtplib.SMTPResponseException, smtplib.SMTPServerDisconnected):
        raise
    except (smtplib.SMTPException, UnicodeError):
        raise PermanentError(
            f"{server.host} offers no way to log in with the user and password of the channel's url"
        ) from None


def _answered(server: _Server, error: smtplib.SMTPResponseException) -> PermanentError | RetryableError:
    if 400 <= error.smtp_code < 500 or error.smtp_code < 0:
        return RetryableError(f"{server.host} answered {error.smtp_code}")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return PermanentError(f"{server.host} refused the login with {error.smtp_code}: look at the channel's url")
    return PermanentError(f"{server.host} refused the mail with {error.smtp_code}")


def _all_refused(server: _Server, recipients: dict[str, tuple[int, bytes]]) -> PermanentError | RetryableError:
    codes = sorted({code for code, _ in recipients.values()})
    text = f"{server.host} refused the recipients with {', '.join(map(str, codes))}"
    return RetryableError(text) if codes[0] < 500 else PermanentError(f"{text}: look at options.to")


class _PlainServer(smtplib.SMTP):
    """smtplib's client, with a limit for the whole session."""

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        connected: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        self._end = hang_up_after(SECONDS, connected)
        return connected

    def close(self) -> None:
        if end := getattr(self, "_end", None):
            end.cancel()
        super().close()


class _TlsServer(smtplib.SMTP_SSL, _PlainServer):
    """The same by TLS. SMTP_SSL comes first, so that it wraps the limited socket."""
