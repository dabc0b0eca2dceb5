"""Which registrar.yml is meant where none is named."""

from pathlib import Path


def existing_config(data: Path) -> Path | None:
    """./registrar.yml, else the data folder's, else None."""
    return next((path for path in (Path("registrar.yml"), data / "registrar.yml") if path.exists()), None)
