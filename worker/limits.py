"""What MLflow keeps of a text about a version. On SQLite it takes more; on PostgreSQL and MySQL it refuses it."""

import posixpath
import re

# Characters. mlflow/store/model_registry/dbmodels/models.py (descriptions; tags until MLflow's migration bda7b8c39065).
DESCRIPTION = 5000
TAG = 5000
# mlflow.utils.validation._validate_tag_name.
_KEY = re.compile(r"[/\w.\- :]+")


def cut(text: str, most: int = TAG) -> str:
    """The text, or its beginning with a mark that more followed."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def refused_key(key: str) -> bool:
    """Whether MLflow takes no tag of that name."""
    path = posixpath.normpath(key)
    return not _KEY.fullmatch(key) or path != key or path == "." or path.startswith(("..", "/"))
