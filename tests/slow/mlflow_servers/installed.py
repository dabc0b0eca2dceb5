"""MLflow servers of other versions, each in an environment of its own beside ours; installed once, and then kept."""

import subprocess
import sys
from pathlib import Path

BESIDE = Path(sys.prefix) / "mlflow-servers"
SECONDS = 240
# What these versions were released with, and would not ask for: MLflow before 3.5 knows no SQLAlchemy 2.1.
_OF_THEIR_TIME = ("sqlalchemy<2.1", "setuptools<80")


def server_python(version: str) -> str:
    """The Python of an environment with that version of MLflow."""
    folder = BESIDE / version
    if not (folder / ".ready").exists():
        _uv("venv", "--allow-existing", "--python", sys.executable, str(folder))
        packages = (f"mlflow=={version}", *_OF_THEIR_TIME)
        _uv("pip", "install", "--compile-bytecode", "--python", str(folder / "bin" / "python"), *packages)
        (folder / ".ready").touch()
    return str(folder / "bin" / "python")


def basic_auth_packages() -> str:
    """A folder for PYTHONPATH with what MLflow's basic-auth needs, and our environment lacks."""
    folder = BESIDE / "basic-auth"
    if not (folder / ".ready").exists():
        _uv("pip", "install", "--no-deps", "--target", str(folder), "flask-wtf", "wtforms")
        (folder / ".ready").touch()
    return str(folder)


def _uv(*words: str) -> None:
    subprocess.run([str(Path(sys.prefix) / "bin" / "uv"), *words, "--quiet"], check=True, timeout=SECONDS)
