"""Fetched artifacts: the manifest, and the files that it names, for viewers. `registrar fetch` asks for both."""

from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request
from pydantic import ValidationError

from registrar.events.types import ArtifactsFetch
from registrar.queries import fetched_artifacts
from registrar.queries.query_service import BadQuestion
from webhooks.api import query_params
from webhooks.api.journal_export import Exports
from webhooks.api.responses import respond
from webhooks.auth import Authenticator
from webhooks.openapi.schemas import Manifest

_RETRY_AFTER = 2  # seconds; most files are short, and `registrar fetch` asks again
FIELDS = ("run_id", "path", "model", "version")


def add(api: Blueprint, folder: Path, access: Authenticator) -> None:
    """folder: the worker's artifacts folder, as this receiver sees it."""
    exports = Exports(retry_after=_RETRY_AFTER)

    @api.get("/v1/artifacts")
    def manifest() -> dict[str, Any]:
        access.require(request, "viewer")
        query_params.only(*FIELDS)
        return respond(Manifest, fetched_artifacts.read_manifest(folder, _subject()))

    @api.get("/v1/artifacts/file")
    def file() -> Response:
        """Stream one file of the manifest."""
        reader = access.require(request, "viewer")
        query_params.only(*FIELDS, "name")
        name = request.args.get("name", "")
        size, chunks = fetched_artifacts.open_file(folder, _subject(), name)
        kind = "application/octet-stream"
        response = exports.stream(chunks, reader, content_type=kind, filename=name.rpartition("/")[2])
        response.content_length = size
        return response


def _subject() -> ArtifactsFetch:
    """Return what the query names, checked as the event is. Raises BadQuestion."""
    given = {name: request.args[name] for name in FIELDS if name in request.args}
    try:
        return ArtifactsFetch.model_validate(given)
    except ValidationError as error:
        raise BadQuestion("; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())) from None
