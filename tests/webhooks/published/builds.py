"""The events that presets are about, in the shapes that documentation and samples of their products show."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

from tests.webhooks.published import JSON, SHA, Published

_BITBUCKET = [
    {"links": {"commit": {"href": f"https://api.bitbucket.org/2.0/repositories/a/b/commit/{SHA}"}}},
    {"commit": {"hash": SHA}, "refname": "main"},
    {"commit": {}, "links": None},
    {},
]
_AZURE = [
    {"sourceGetVersion": f"LG:refs/heads/main:{SHA}", "definition": {"name": "train"}},
    {
        "sourceVersion": SHA,
        "sourceBranch": "refs/heads/main",
        "reason": "individualCI",
        "definition": {"name": "train"},
    },
    {"sourceVersion": "C31", "sourceBranch": "$/tfvc"},
    {"sourceVersion": None, "sourceBranch": None, "definition": None},
    {},
]
_GITEA = [
    {"head_sha": SHA, "head_branch": "main", "path": "train.yml@refs/heads/main", "event": "push"},
    {"commit_sha": SHA, "prettyref": "main", "workflow_id": "train.yml", "trigger_user": None},
    {},
    None,
]
_CIRCLECI = [
    {"vcs": {"revision": SHA, "branch": "main"}},
    {"trigger_parameters": {"git": {"checkout_sha": SHA, "branch": "main"}}},
    {"trigger_parameters": {"gitlab": {"checkout_sha": SHA, "branch": "main"}}},
    {"vcs": None},
    {},
    None,
]
_BUILDKITE = [
    {"commit": SHA, "branch": "main", "meta_data": {}},
    {"commit": "HEAD", "branch": None, "meta_data": None},
    {"commit": SHA, "branch": "main", "blocked": True, "pull_request": {"id": "1"}},
    {},
]
_JENKINS = [
    {"parameters": {"MLFLOW_RUN_ID": ""}, "scm": {"branch": "origin/main", "commit": SHA}},
    {"parameters": None, "scm": None},
    {},
]


def builds() -> Iterator[Published]:
    """Each outcome in each shape."""
    for nth, (source, name, content) in enumerate(_all()):
        yield Published(source, name, json.dumps({"id": f"u{nth}", **content}).encode(), {"content-type": JSON})


def _all() -> Iterator[tuple[str, str, Any]]:
    for state, shape in product(("SUCCESSFUL", "FAILED", "INPROGRESS", "STOPPED", None), _BITBUCKET):
        said = {"name": "train", "key": "k", "state": state, "url": "https://example.com/1", **shape}
        yield "bitbucket", f"commit_status {state}", {"repository": {"full_name": "a/b"}, "commit_status": said}
    for state, shape in product(("succeeded", "failed", "partiallySucceeded", "canceled", None), _AZURE):
        for said in ({"status": state}, {"status": "completed", "result": state}):
            yield (
                "azure-devops",
                f"build.complete {state}",
                {"eventType": "build.complete", "resource": {**said, **shape}},
            )
    for action, shape in product(("completed", "requested", "success", "failure", "recover", None), _GITEA):
        for part in ("workflow_run", "run"):
            yield "gitea", f"{part} {action}", {"action": action, part: shape and {"conclusion": "success", **shape}}
    for state, shape in product(("success", "failed", "canceled", "unauthorized", None), _CIRCLECI):
        workflow = {"name": "train", "status": state}
        yield "circleci", f"workflow {state}", {"type": "workflow-completed", "workflow": workflow, "pipeline": shape}
    for state, shape in product(("passed", "failed", "blocked", "canceled", None), _BUILDKITE):
        build = {"state": state, **shape}
        yield "buildkite", f"build {state}", {"event": "build.finished", "build": build, "pipeline": {"slug": "train"}}
    for state, shape in product(("SUCCESS", "FAILURE", "ABORTED", "UNSTABLE", None), _JENKINS):
        for phase in ("FINALIZED", "FINISHED", "COMPLETED"):
            yield "jenkins", f"{phase} {state}", {"name": "train", "build": {"phase": phase, "status": state, **shape}}
