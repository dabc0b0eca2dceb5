"""Find versions, where possible by calls whose cost does not grow with the model.

If one version of a model has the tag of a prompt, which anybody with MLflow's login can set, MLflow's searches leave
out all of the model's versions (SqlAlchemyStore._update_query_to_exclude_prompts), and its client refuses to read that
one. So where a search finds nothing, versions are read one by one.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.model_registry.rest_store import RestStore

from worker.registry import conversion
from worker.registry.entities import Recent, Version
from worker.registry.errors import translate_errors
from worker.registry.protocol import NotFound, Refused


def pages(page: Callable[[str | None], Any]) -> Iterator[Any]:
    """Yield all results, page by page. page: returns one page by its token."""
    token: str | None = None
    while True:
        results = page(token)
        yield from results
        if not (token := results.token):
            return


def quoted(text: str) -> str:
    """Quote a value for MLflow's filters, which have no escapes. Raises Refused for both kinds of quotes."""
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    raise Refused(f"MLflow can't search for {text!r}: it holds both kinds of quotes")


_PAGE = 1000
# Sizes of the searches for the last changed versions, each tried until one goes back far enough.
SEARCH_SIZES = (20, 200, _PAGE)
_NEWEST, _CHANGED_LAST = ["version_number DESC"], ["last_updated_timestamp DESC"]
_TAGGED_AS_PROMPT = "tags.`mlflow.prompt.is_prompt` = 'true'"


class Versions:
    """The calls of protocol.Registry that read versions."""

    _client: MlflowClient
    _store: RestStore
    _search_sizes: Sequence[int]

    def version(self, model: str, version: int) -> Version:
        with translate_errors(f"reading {model} version {version}"):
            answer = self._store.get_model_version(model, str(version))
        if _is_prompt(answer):
            raise NotFound(f"reading {model} version {version}: it is a prompt, and no model")
        return conversion.to_version(answer)

    def versions(self, model: str, *, run_id: str | None = None, newest: int | None = None) -> list[Version]:
        wanted = f"name = {quoted(model)}" + (f" and run_id = {quoted(run_id)}" if run_id else "")
        with translate_errors(f"listing the versions of {model}"):
            most = min(newest or _PAGE, _PAGE)
            versions = _converted(self._search(wanted, most, _NEWEST)) if newest else list(self._all(wanted))
            return versions or [one for one in self._hidden(model) if run_id in (None, one.run_id)][:newest]

    def recent(self, model: str, *, since: int | None = None) -> Recent:
        """Search by last change: a search shows one moment of the registry, and a version whose stage changed comes
        first.
        """
        wanted, at = f"name = {quoted(model)}", 0
        with translate_errors(f"looking for what changed of {model}"):
            for size in self._search_sizes if since is not None else self._search_sizes[:1]:
                answers = self._search(wanted, size, _CHANGED_LAST)
                versions = _converted(answers) or self._hidden(model)
                at = max((version.changed for version in versions), default=0)
                if not answers.token:
                    return Recent(versions, at, whole=True)
                if since is not None and 0 < versions[-1].changed < since:
                    return Recent([one for one in versions if one.changed >= since], at, whole=False)
            return Recent(list(self._all(wanted)), at, whole=True)

    def _hidden(self, model: str) -> list[Version]:
        """Return all versions of a model that MLflow's searches leave out, newest first; read one by one."""
        tagged = self._search(f"name = {quoted(model)} and {_TAGGED_AS_PROMPT}", 1, _NEWEST)
        if not tagged or _is_prompt(tagged[0]):
            return []
        newest = max((int(latest.version) for latest in self._store.get_latest_versions(model)), default=0)
        return [replace(one, aliases=()) for number in range(newest, 0, -1) for one in self._at(model, number)]

    def _at(self, model: str, number: int) -> list[Version]:
        try:
            return [self.version(model, number)]
        except NotFound:
            return []

    def _all(self, wanted: str) -> Iterator[Version]:
        """Yield all versions, page by page by number: MLflow's page tokens are offsets, which skip a version while
        another is deleted.
        """
        below = ""
        while versions := _converted(self._search(wanted + below, _PAGE, _NEWEST)):
            yield from versions
            if len(versions) < _PAGE:
                return
            below = f" and version_number < {versions[-1].version}"

    def _search(self, wanted: str, most: int, order: list[str]) -> Any:
        return self._client.search_model_versions(wanted, max_results=most, order_by=order)

    def by_alias(self, model: str, alias: str) -> Version | None:
        """Read one alias; MLflow has a cheap call for that, but none for all aliases of a model."""
        with translate_errors(f"reading @{alias} of {model}"):
            try:
                return conversion.to_version(self._store.get_model_version_by_alias(model, alias))
            except MlflowException as error:
                unknown = error.error_code == "INVALID_PARAMETER_VALUE" and "not found" in str(error)
                if unknown or error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise

    def copies(self, model: str) -> list[Version]:
        """Search by source: MLflow writes that of a copy as models:/NAME/N, with aliases resolved."""
        # In the pattern, _ stands for characters that MLflow's filter or a database would misread.
        pattern = re.sub(r"['\"\\\\%]", "_", model)

        def page(token: str | None) -> Any:
            wanted = f"source_path LIKE 'models:/{pattern}/%'"
            return self._client.search_model_versions(wanted, max_results=_PAGE, page_token=token)

        with translate_errors(f"looking for copies of {model}"):
            copies = [conversion.to_version(version) for version in pages(page)]
            copies += [version for name in self._hidden_models() for version in self._hidden(name)]
        return [version for version in copies if version.source.startswith(f"models:/{model}/")]

    def _hidden_models(self) -> list[str]:
        def page(token: str | None) -> Any:
            return self._client.search_model_versions(_TAGGED_AS_PROMPT, max_results=_PAGE, page_token=token)

        return sorted({version.name for version in pages(page) if not _is_prompt(version)})


def _is_prompt(answer: Any) -> bool:
    """Return whether MLflow's answer is a prompt; a prompt's source is a placeholder word, a model's an address."""
    return "mlflow.prompt.text" in answer.tags and "/" not in (answer.source or "")


def _converted(answers: Any) -> list[Version]:
    return [conversion.to_version(version) for version in answers]
