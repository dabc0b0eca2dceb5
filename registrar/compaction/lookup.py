"""An archived event, read back from its file."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from registrar.compaction.archive_file import ArchiveDamaged, digest, read
from registrar.compaction.serialization import from_json
from registrar.ledger import tables
from registrar.ledger.queries import event_status
from registrar.ledger.queries.archived_events import ArchiveLocation


def event(
    connection: Connection, event_id: str, place: ArchiveLocation, *, folder: Path | None = None
) -> dict[str, Any]:
    """As status.event would tell it; what was done about it later is in the ledger. folder: where the file is now.

    Raises ArchiveMissing; ArchiveDamaged where the file is not as it was written.
    """
    path = (folder or Path(place.folder)) / place.name
    if digest(path) != place.sha256:
        raise ArchiveDamaged(f"{path} is not as it was written: its SHA-256 is not {place.sha256}")
    for text in read(path)[1]:
        if event_id in text:  # most lines need not be parsed
            line = json.loads(text)
            if line["event"]["id"] == event_id:
                of_it = [from_json(tables.tasks, task) for task in line["tasks"]]
                return event_status.described(connection, from_json(tables.events, line["event"]), of_it)
    raise ArchiveDamaged(f"{path} does not have {event_id}, though the ledger says so")
