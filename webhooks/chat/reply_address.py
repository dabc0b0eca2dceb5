"""Checks and encrypts the reply address of a chat message: only the chat system's own hosts are allowed.

Without the check, a signed request could make the worker post anywhere (server-side request forgery).
"""

from collections.abc import Collection

from registrar.config.encryption import REPLY
from registrar.http.safe_url import allowed
from webhooks.ingress.errors import InvalidEvent
from webhooks.ingress.source_types import Context


def encrypt(url: str, *, kind: str, hosts: Collection[str], context: Context, **more: str) -> str:
    """Return the encrypted address, with `more` fields.

    hosts: the kind's own; the source's reply_to in registrar.yml overrides them. Raises InvalidEvent for any other
    host. http is allowed only for listed loopback addresses.
    """
    if not allowed(url, context.config.reply_to or hosts):
        raise InvalidEvent(
            "the reply address is not one of this chat system's; "
            f"to allow its host, list it in sources.{context.name}.reply_to of registrar.yml"
        )
    return context.encryptor.encrypt({"kind": kind, "url": url, **more}, audience=REPLY)
