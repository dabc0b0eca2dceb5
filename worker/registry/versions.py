"""Looking for versions, by calls that cost the same however many versions a model has, where MLflow has such."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from worker import convert
from worker.door import Recent, Version
from worker.registry.errors import sorted_errors
from worker.registry.searching import pages, quoted

_PAGE = 1000
GLANCES = (20, 200, _PAGE)  # how many of the versions that changed last are asked for, until that is far enough back
_NEWEST, _CHANGED_LAST = ["version_number DESC"], ["last_updated_timestamp DESC"]


class Versions:
    """The part of door.Registry that reads versions. glances: as GLANCES."""

    _client: MlflowClient
    _glances: Sequence[int]

    def version(self, model: str, version: int) -> Version:
        with sorted_errors(f"reading {model} version {version}"):
            return convert.version(self._client.get_model_version(model, str(version)))

    def versions(self, model: str, *, run_id: str | None = None, newest: int | None = None) -> list[Version]:
        wanted = f"name = {quoted(model)}" + (f" and run_id = {quoted(run_id)}" if run_id else "")
        with sorted_errors(f"listing the versions of {model}"):
            if newest:
                return _converted(self._found(wanted, min(newest, _PAGE), _NEWEST))
            return list(self._all(wanted))

    def recent(self, model: str, *, since: int | None = None) -> Recent:
        """One search is one moment of the registry; a stage that is changed has its version come first in it."""
        wanted, at = f"name = {quoted(model)}", 0
        with sorted_errors(f"looking for what changed of {model}"):
            for glance in self._glances if since is not None else self._glances[:1]:
                found = self._found(wanted, glance, _CHANGED_LAST)
                versions = _converted(found)
                at = max((version.changed for version in versions), default=0)
                if not found.token:
                    return Recent(versions, at, whole=True)
                if since is not None and 0 < versions[-1].changed < since:
                    return Recent([one for one in versions if one.changed >= since], at, whole=False)
            return Recent(list(self._all(wanted)), at, whole=True)

    def _all(self, wanted: str) -> Iterator[Version]:
        """From number to number: MLflow's tokens are offsets, by which one is passed over while another is deleted."""
        below = ""
        while versions := _converted(self._found(wanted + below, _PAGE, _NEWEST)):
            yield from versions
            if len(versions) < _PAGE:
                return
            below = f" and version_number < {versions[-1].version}"

    def _found(self, wanted: str, most: int, order: list[str]) -> Any:
        return self._client.search_model_versions(wanted, max_results=most, order_by=order)

    def by_alias(self, model: str, alias: str) -> Version | None:
        """MLflow reads a whole model, versions and all, for the list of its aliases; not for one of them."""
        with sorted_errors(f"reading @{alias} of {model}"):
            try:
                return convert.version(self._client.get_model_version_by_alias(model, alias))
            except MlflowException as error:
                unknown = error.error_code == "INVALID_PARAMETER_VALUE" and "not found" in str(error)
                if unknown or error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise

    def copies(self, model: str) -> list[Version]:
        """MLflow writes such sources as models:/NAME/N, whatever was given: an alias is resolved when it is made."""
        # In the pattern _ is any character: for those that MLflow's filter or a database would take otherwise.
        pattern = re.sub(r"['\"\\\\%]", "_", model)

        def page(token: str | None) -> Any:
            wanted = f"source_path LIKE 'models:/{pattern}/%'"
            return self._client.search_model_versions(wanted, max_results=_PAGE, page_token=token)

        with sorted_errors(f"looking for copies of {model}"):
            found = [convert.version(version) for version in pages(page)]
        return [version for version in found if version.source.startswith(f"models:/{model}/")]


def _converted(found: Any) -> list[Version]:
    return [convert.version(version) for version in found]
