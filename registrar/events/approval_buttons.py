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
    """Where alone a button counts: pressed in this channel of registrar.yml, by way of this source. kind: of both."""

    kind: str
    source: str
    channel: str

    def at(self, place: str | None) -> str:
        """The audience of its seal. place: the chat system's id of the channel, where the notifier knows it."""
        return json.dumps(["button", self.kind, self.source, self.channel, place or ""])


def content(verdict: str, *, nonce: str, until: datetime, pinned: dict[str, Any]) -> dict[str, Any]:
    """What is sealed or marked. verdict: approve | reject. pinned: PINNED, what was shown.

    nonce: the same for a message that is posted again, so that one person's presses of both are one.
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
    """10 characters for a notice's id, where there is room for no more; unique among a promotion's few messages."""
    return hashlib.sha256(notice_id.encode()).hexdigest()[:10]


def short_nonce(verdict: str, *, promotion: str, shortened: str) -> str:
    return f"{promotion}.{shortened}.{verdict}"
