"""The content of Approve and Reject buttons, shared by notifiers and sources."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from registrar.events.types import PromotionApprove, PromotionReject

# Older buttons are refused.
LIFE = timedelta(days=30)
PRESSES = (PromotionApprove.type, PromotionReject.type)
PINNED = ("promotion", "model", "version", "target")


@dataclass(frozen=True)
class Audience:
    """The only place where a button counts: a channel of registrar.yml and a source, both of one kind."""

    kind: str
    source: str
    channel: str

    def at(self, place: str | None) -> str:
        """Return the audience for Encryptor. place: the chat system's id of the channel, if the notifier knows it."""
        return json.dumps(["button", self.kind, self.source, self.channel, place or ""])


def content(verdict: str, *, nonce: str, until: datetime, pinned: dict[str, Any]) -> dict[str, Any]:
    """Return the content to encrypt or to authenticate. verdict: approve | reject. pinned: the shown values of PINNED.

    nonce: the same for a message that is posted again, so that presses of both by one person count once.
    """
    return {
        "press": f"promotion.{verdict}",
        "nonce": nonce,
        "until": int(until.timestamp()),
        **{name: pinned[name] for name in PINNED},
    }


def nonce(verdict: str, notice_id: str) -> str:
    return f"{notice_id}.{verdict}"


def short(notice_id: str) -> str:
    """Return 10 characters for a notice's id, for systems with little room; unique among a promotion's messages."""
    return hashlib.sha256(notice_id.encode()).hexdigest()[:10]


def short_nonce(verdict: str, *, promotion: str, shortened: str) -> str:
    return f"{promotion}.{shortened}.{verdict}"
