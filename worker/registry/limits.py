"""What MLflow keeps of a text about a version. On SQLite it takes more; on PostgreSQL and MySQL it refuses it."""

# Characters. mlflow/store/model_registry/dbmodels/models.py (descriptions; tags until MLflow's migration bda7b8c39065).
DESCRIPTION = 5000
TAG = 5000


def join_description(said: str, line: str) -> str:
    """What was said and a line of ours, as a description: of the former the beginning, where there is no more room."""
    line = cut(line, DESCRIPTION)
    room = DESCRIPTION - len(line) - 1
    return "\n".join(filter(None, [cut(said, room) if room > 0 else "", line]))


def cut(text: str, most: int = TAG) -> str:
    """The text, or its beginning with a mark that more followed."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
