"""Plug-in folders: a file is a plug-in, its name is the kind, and no list has to be edited.

webhooks/sources/, worker/actions/ and worker/notifications/notifiers/ are such folders; the contract of each is in its
__init__. Kinds are found by file name, so that the command line can check registrar.yml without importing.
"""

import importlib
import pkgutil
from importlib.util import find_spec
from types import ModuleType


class UnknownKind(ValueError):
    """The plug-in folder has no file of that name; the message lists the files it has."""


def kinds(folder: str) -> list[str]:
    """Return the names of the plug-ins in a package such as "webhooks.sources", without importing them."""
    try:
        spec = find_spec(folder)
    except ModuleNotFoundError:
        spec = None
    paths = list(spec.submodule_search_locations or ()) if spec else []
    return sorted(module.name for module in pkgutil.iter_modules(paths) if not module.name.startswith("_"))


def load(folder: str, kind: str) -> ModuleType:
    """Import and return the module of a plug-in. Raises UnknownKind."""
    if kind not in (known := kinds(folder)):
        raise UnknownKind(f"unknown kind {kind!r}; known are {', '.join(known)}")
    return importlib.import_module(f"{folder}.{kind}")
