"""GitLab's REST API, as far as we write to it. https://docs.gitlab.com/api/rest/"""

from typing import Annotated
from urllib.parse import quote

from pydantic import Field

ROOT = "https://gitlab.com/api/v4"
Project = Annotated[
    int | str, Field(description="its number, or its path: GROUP/NAME", json_schema_extra={"examples": ["acme/taxi"]})
]


def project_url(url: str | None, project: int | str) -> str:
    """Return a project's address. url: the API of a self-managed GitLab, https://HOST/api/v4."""
    return f"{(url or ROOT).rstrip('/')}/projects/{quote(str(project), safe='')}"
