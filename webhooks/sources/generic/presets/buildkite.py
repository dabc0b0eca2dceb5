"""Buildkite: a build that ended. Its meta-data can name the run: `buildkite-agent meta-data set mlflow_run_id ...`.

https://buildkite.com/docs/apis/webhooks/pipelines (choose "Send an HMAC signature")
https://buildkite.com/docs/apis/webhooks/pipelines/build-events : `blocked: true` of a build.finished is no end
"""

from typing import Any

from registrar.text.sanitize import absent
from webhooks.ci import build
from webhooks.ci.build import Build, first
from webhooks.ci.payload import Ignored, at, number, text
from webhooks.ingress.validation import clean

VERIFY = {
    "how": "hmac",
    "header": "x-buildkite-signature",
    "signed": "{timestamp}.{body}",
    "packed": "timestamp={timestamp},signature={signature}",
}
DELIVERY_ID = None
WORKFLOW = "pipeline"
_WELL = {"passed": True, "failed": False}


def ended(payload: Any) -> Build:
    kind, about = text(payload, "event"), at(payload, "build")
    if kind != "build.finished":
        raise Ignored(f"events of the kind {clean(kind) or '(none)'}")
    if at(about, "blocked") is True:
        raise Ignored("a build that is blocked: it waits for somebody, and goes on")
    pipeline = first(payload, "pipeline.slug", "pipeline.name")
    return Build(
        well=build.well(_WELL, text(about, "state"), what="build"),
        branch=_branch(about),
        names=(pipeline,),
        said=f"build {number(about, 'number')} of {clean(pipeline)} {clean(text(about, 'state'))}",
        commit=text(about, "commit"),
        run_id=text(about, "meta_data", "mlflow_run_id"),
        url=text(about, "web_url"),
        at=text(about, "finished_at"),
    )


def _branch(about: Any) -> str:
    """Of a pull request that comes from a fork the branch is the fork's: `main`, if it likes, or OWNER:main."""
    asked = at(about, "pull_request")
    if isinstance(asked, dict) and not all(map(absent, asked.values())):
        raise build.pull_request(asked.get("id"))
    if ":" in text(about, "branch"):  # which no branch of one's own may have
        raise build.fork()
    return build.tag(text(about, "tag")) or text(about, "branch")
