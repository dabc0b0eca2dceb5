"""Which registrar.yml is meant where none is named."""

from pathlib import Path

HERE = Path("registrar.yml")


def existing_config(data: Path) -> Path | None:
    """./registrar.yml, else the data folder's, else None."""
    return next((path for path in (HERE, data / "registrar.yml") if path.exists()), None)
