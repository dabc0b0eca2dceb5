"""The events of the hosts and services that presets read, but for the one that a preset is about."""

import json
from collections.abc import Iterator

from tests.webhooks.published import JSON, Published, parts

# Of the hosts that presets read: what their other events have. The header that names the event, and the events.
_OTHERS = {
    "gitea": (
        "x-gitea-event",
        "create delete fork issue_assign issue_comment issue_label issue_milestone issues pull_request "
        "pull_request_assign pull_request_comment pull_request_label pull_request_milestone pull_request_review "
        "pull_request_sync push release repository wiki package status workflow_job schedule",
    ),
    "bitbucket": (
        "x-event-key",
        "issue:comment_created issue:created issue:updated pullrequest:approved pullrequest:changes_request_created "
        "pullrequest:comment_created pullrequest:comment_deleted pullrequest:comment_updated pullrequest:created "
        "pullrequest:fulfilled pullrequest:rejected pullrequest:unapproved pullrequest:updated "
        "repo:commit_comment_created repo:deleted repo:fork repo:imported repo:push repo:transfer repo:updated "
        # Data Center
        "pr:comment:added pr:comment:deleted pr:comment:edited pr:declined pr:deleted pr:from_ref_updated pr:merged "
        "pr:modified pr:opened pr:reviewer:approved pr:reviewer:needs_work pr:reviewer:unapproved pr:reviewer:updated "
        "repo:comment:added repo:comment:deleted repo:comment:edited repo:forked repo:modified repo:refs_changed "
        "mirror:repo_synchronized diagnostics:ping",
    ),
    "azure-devops": (
        "x-vss-activityid",
        "git.push git.pullrequest.created git.pullrequest.merged git.pullrequest.updated git.repo.created tfvc.checkin "
        "ms.vss-code.git-pullrequest-comment-event ms.vss-pipelines.run-state-changed-event "
        "ms.vss-pipelines.stage-state-changed-event ms.vss-release.deployment-completed-event workitem.created "
        "workitem.updated workitem.commented message.posted",
    ),
    "circleci": ("circleci-event-type", "job-completed ping"),
    "buildkite": (
        "x-buildkite-event",
        "agent.connected agent.disconnected agent.lost agent.stopped build.failing build.running build.scheduled "
        "cluster_token.registration_blocked job.activated job.finished job.scheduled job.started ping",
    ),
    "jenkins": ("x-jenkins-event", "QUEUED STARTED COMPLETED"),
}


def others() -> Iterator[Published]:
    """What the hosts and services that presets read send besides what a preset is about."""
    for source, (header, events) in _OTHERS.items():
        for event in events.split():
            named = {"eventKey": event, "eventType": event, "event": event, "type": event, "id": f"{source}-{event}"}
            body = {**named, "build": {"phase": event}, "resource": parts("status id url"), "repository": {"id": 1}}
            for case, content in {
                "plain": body,
                "nulls": {**named, **dict.fromkeys(("build", "resource", "ref"))},
            }.items():
                yield Published(
                    source, f"{event} {case}", json.dumps(content).encode(), {"content-type": JSON, header: event}
                )
