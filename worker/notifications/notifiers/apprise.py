"""kind: apprise. Post facts through Apprise, to services without a file here: Telegram, ntfy, Matrix, a hundred more.

url is an Apprise address, such as mailtos://user:password@example.com?to=team@example.com
https://github.com/caronc/apprise/wiki lists them. Text is sent as plain text: no name can format, link or mention.
"""

import logging

import apprise
import requests

from registrar.config.encryption import Encryptor
from registrar.events.facts import traits
from registrar.text import markdown
from worker.notifications.notifiers import Notification
from worker.registry.protocol import PermanentError, RetryableError

NEEDS = ("url",)
SECONDS = 10
MAX_TEXT = 2000  # characters; Apprise cuts to the service's own limit
_TYPES = {
    "info": apprise.NotifyType.INFO,
    "success": apprise.NotifyType.SUCCESS,
    "warning": apprise.NotifyType.WARNING,
    "failure": apprise.NotifyType.FAILURE,
}
# Its log would contain addresses with passwords.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)


def post(notification: Notification, http: requests.Session, encryptor: Encryptor) -> None:
    """Post one fact. Raises RetryableError on any failure, as Apprise names no reason; PermanentError for a bad url."""
    if not notification.url:
        raise PermanentError(
            "the channel has no url; add url: env:NAME to it in registrar.yml, an address of Apprise's"
        )
    # No files on disk, and no templates expanded in a text.
    asset = apprise.AppriseAsset(storage_mode=apprise.PersistentStoreMode.MEMORY, allow_templates=False)
    service = apprise.Apprise(asset=asset)
    if not service.add(notification.url):
        raise PermanentError(
            "the channel's url is no address that Apprise knows: https://github.com/caronc/apprise/wiki"
        )
    delivered = service.notify(
        title=notification.fact.type,
        body=markdown.without_mentions(notification.fact.text)[:MAX_TEXT],
        body_format=apprise.NotifyFormat.TEXT,
        notify_type=_TYPES[traits(notification.fact.type).severity],
        timeout=SECONDS,
    )
    if not delivered:
        raise RetryableError("Apprise could not deliver the message")
