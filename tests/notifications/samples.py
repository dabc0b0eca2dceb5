"""Facts as the worker makes them, and the notices about them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from registrar.config.encryption import Encryptor
from registrar.events.outcome import Fact
from tests.worker.harness import KEY
from worker.notifications.notifiers import Notification

FIXTURES = Path(__file__).parent.parent / "fixtures" / "notifiers"
ENCRYPTOR = Encryptor(KEY)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOKEN = "s3cret-token"
COMMIT = "4f5e6d7c8b9a0123456789abcdef0123456789ab"
PROMOTION, DEPLOYMENT = "prm_" + "0" * 32, "dep_" + "0" * 32
TRAINED = {"commit": COMMIT, "run_id": "c87298f7"}

ASKED = Fact(
    "promotion.awaiting_approval",
    "taxi version 2 waits for approval to go to Production: 1 of Ada (leads)",
    "taxi",
    2,
    {
        "promotion": PROMOTION,
        "target": "Production",
        "requested_by": "ci",
        "replaces": [1],
        "metrics": {"rmse": "5"},
        "gates": [{"gate": "rmse < 7", "passed": True, "reason": "rmse 5 is < 7", "value": 5.0}],
        **TRAINED,
    },
)
MOVED = Fact(
    "model_version.transitioned",
    "taxi version 2 is in Production (@champion), by Ada",
    "taxi",
    2,
    {"from": "Staging", "stage": "Production", "alias": "champion", "promotion": PROMOTION, "by": "Ada", **TRAINED},
)
HELD = Fact(
    "model_version.held_back",
    "taxi version 3 was held back from Staging: rmse 9 is not < 7",
    "taxi",
    3,
    {"target": "Staging", "reasons": ["rmse 9 is not < 7"], **TRAINED},
)
REQUESTED = Fact(
    "deployment.requested",
    "taxi version 2 is to be deployed to production-eu; to be confirmed by 2026-11-22 12:15 UTC",
    "taxi",
    2,
    {
        "deployment": DEPLOYMENT,
        "promotion": PROMOTION,
        "from": "Staging",
        "stage": "Production",
        "target": "Production",
        "alias": "champion",
        "environment": "production-eu",
        "previous_version": 1,
        "due_at": "2026-11-22T12:15:00+00:00",
        **TRAINED,
    },
)
LIVE = Fact(
    "deployment.succeeded",
    "taxi version 2 was deployed to production-eu: Production is live",
    "taxi",
    2,
    {"environment": "production-eu", "url": "https://deploy.example.com/42", **TRAINED},
)
DESCRIBED = Fact("model_version.described", "taxi version 2 was described by Ada", "taxi", 2, TRAINED)


def notice(fact: Fact, *, url: str | None = None, secret: str | None = TOKEN, **options: Any) -> Notification:
    """options: the channel's."""
    return Notification(
        "tsk_1",
        fact,
        "evt_1",
        NOON,
        url,
        secret,
        options=options,
        source="https://registrar.example.com",
        actor="ada",
    )


def expected(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
