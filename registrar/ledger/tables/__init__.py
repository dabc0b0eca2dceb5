"""The ledger's tables; docs/explanation/architecture.md draws them. A change needs a migration."""

from registrar.ledger.tables.columns import UtcDateTime, metadata
from registrar.ledger.tables.intake import archived, archives, events, rejections, tasks
from registrar.ledger.tables.metrics import metrics_checkpoint, metrics_series, metrics_subjects
from registrar.ledger.tables.operations import (
    heartbeats,
    registry_polls,
    schema_versions,
    sign_in_links,
    spent,
    tokens,
)
from registrar.ledger.tables.record import (
    cards,
    deployments,
    holders,
    incarnations,
    journal,
    looks,
    promotions,
    version_states,
    votes,
    watermarks,
)

__all__ = [
    "UtcDateTime",
    "archived",
    "archives",
    "cards",
    "deployments",
    "events",
    "heartbeats",
    "holders",
    "incarnations",
    "journal",
    "looks",
    "metadata",
    "metrics_checkpoint",
    "metrics_series",
    "metrics_subjects",
    "promotions",
    "registry_polls",
    "rejections",
    "schema_versions",
    "sign_in_links",
    "spent",
    "tasks",
    "tokens",
    "version_states",
    "votes",
    "watermarks",
]
