"""Limits of MLflow's texts. SQLite takes longer ones; PostgreSQL and MySQL refuse them."""

# Characters. mlflow/store/model_registry/dbmodels/models.py (descriptions; tags until MLflow's migration bda7b8c39065).
DESCRIPTION = 5000
TAG = 5000


def join_description(text: str, line: str) -> str:
    """Return a text and a line of ours as a description; the text is cut where there is no room."""
    line = cut(line, DESCRIPTION)
    room = DESCRIPTION - len(line) - 1
    return "\n".join(filter(None, [cut(text, room) if room > 0 else "", line]))


def cut(text: str, most: int = TAG) -> str:
    """Return the text, or its beginning with a mark that more followed."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
