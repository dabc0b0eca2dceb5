"""GitHub's events: about 80 names and 300 actions."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tests.webhooks.published import FORM, JSON, Published, parts, rows

# X-GitHub-Event: its actions (- for none); the parts.
_GITHUB = """
branch_protection_configuration: disabled enabled;
branch_protection_rule: created deleted edited; rule changes
bypass_request_push_ruleset: cancelled completed created response_dismissed response_submitted; push_ruleset_bypass
bypass_request_secret_scanning: cancelled completed created response_submitted; secret_scanning_bypass_request
check_run: completed created requested_action rerequested; check_run
check_suite: completed requested rerequested; check_suite
code_scanning_alert: appeared_in_branch closed_by_user created fixed reopened reopened_by_user; alert ref commit_oid
commit_comment: created; comment
content_reference: created; content_reference
create: -; ref ref_type master_branch description pusher_type
custom_property: created deleted promote_to_enterprise updated; definition
custom_property_values: updated; new_property_values old_property_values
delete: -; ref ref_type pusher_type
dependabot_alert: auto_dismissed auto_reopened created dismissed fixed reintroduced reopened; alert
deploy_key: created deleted; key
deployment: created -; deployment workflow workflow_run
deployment_protection_rule: requested; deployment environment event deployment_callback_url pull_requests
deployment_review: approved rejected requested; workflow_run since workflow_job_run workflow_job_runs approver comment
deployment_status: created -; deployment deployment_status workflow workflow_run check_run
discussion: answered category_changed closed created deleted edited labeled locked pinned reopened transferred \
unanswered unlabeled unlocked unpinned; discussion answer label changes
discussion_comment: created deleted edited; comment discussion changes
dismissal_request_code_scanning: cancelled created response_submitted; alert
dismissal_request_secret_scanning: cancelled created response_submitted; alert
exemption_request_push_ruleset: cancelled completed created response_dismissed response_submitted; exemption_request
exemption_request_secret_scanning: cancelled completed created response_submitted; exemption_request
fork: -; forkee
github_app_authorization: revoked;
gollum: -; pages
installation: created deleted new_permissions_accepted suspend unsuspend; repositories requester
installation_repositories: added removed; repositories_added repositories_removed repository_selection requester
installation_target: renamed; account changes target_type
integration_installation: created deleted; repositories
integration_installation_repositories: added removed; repositories_added repositories_removed
issue_comment: created deleted edited; issue comment changes
issue_dependencies: blocked_by_added blocked_by_removed blocking_added blocking_removed; blocked_issue blocking_issue
issues: assigned closed deleted demilestoned edited field_added labeled locked milestoned opened pinned reopened \
transferred typed unassigned unlabeled unlocked unpinned untyped; issue assignee label milestone changes
label: created deleted edited; label changes
marketplace_purchase: cancelled changed pending_change pending_change_cancelled purchased; marketplace_purchase \
previous_marketplace_purchase effective_date
member: added edited removed; member changes
membership: added removed; scope member team
merge_group: checks_requested destroyed; merge_group reason
meta: deleted; hook hook_id
milestone: closed created deleted edited opened; milestone changes
org_block: blocked unblocked; blocked_user
organization: deleted member_added member_invited member_removed renamed; membership invitation changes
package: published updated; package
page_build: -; id build
personal_access_token_request: approved cancelled created denied; personal_access_token_request
ping: -; zen hook_id hook
project: closed created deleted edited reopened; project changes
project_card: converted created deleted edited moved; project_card changes
project_column: created deleted edited moved; project_column changes
projects_v2: closed created deleted edited reopened; projects_v2 changes
projects_v2_item: archived converted created deleted edited reordered restored; projects_v2_item changes
projects_v2_status_update: created deleted edited; projects_v2_status_update
public: -;
pull_request: assigned auto_merge_disabled auto_merge_enabled closed converted_to_draft demilestoned dequeued edited \
enqueued labeled locked milestoned opened ready_for_review reopened review_request_removed review_requested \
synchronize unassigned unlabeled unlocked; number pull_request assignee label requested_reviewer changes before after
pull_request_review: dismissed edited submitted; review pull_request changes
pull_request_review_comment: created deleted edited; comment pull_request changes
pull_request_review_thread: resolved unresolved; thread pull_request
push: -; ref before after created deleted forced base_ref compare commits head_commit pusher
registry_package: published updated; registry_package
release: created deleted edited prereleased published released unpublished; release changes
repository: archived created deleted edited privatized publicized renamed transferred unarchived; changes
repository_advisory: published reported; repository_advisory
repository_dispatch: on-demand-test; branch client_payload
repository_import: -; status
repository_ruleset: created deleted edited; repository_ruleset changes
repository_vulnerability_alert: create dismiss reopen resolve; alert
secret_scanning_alert: assigned created publicly_leaked reopened resolved revoked validated; alert
secret_scanning_alert_location: created -; alert location
secret_scanning_scan: completed; type source started_at completed_at
security_advisory: performed published updated withdrawn; security_advisory
security_and_analysis: -; changes
sponsorship: cancelled created edited pending_cancellation pending_tier_change tier_changed; sponsorship changes
star: created deleted; starred_at
status: -; id sha name context description state target_url branches commit
sub_issues: parent_issue_added parent_issue_removed sub_issue_added sub_issue_removed; sub_issue parent_issue
team: added_to_repository created deleted edited removed_from_repository; team changes
team_add: -; team
user: created deleted; user
watch: started;
workflow_dispatch: -; inputs ref workflow
workflow_job: completed in_progress queued waiting; workflow_job deployment
workflow_run: completed in_progress requested; workflow workflow_run
something_new: began ended; thing
"""


def github() -> Iterator[Published]:
    """Each event and action: of a repository that registrar.yml names, of another, of an organization, in a form."""
    for event, actions, named in rows(_GITHUB):
        for action in actions.split():
            said = {} if action == "-" else {"action": action}
            body = {**said, **parts(named), "sender": {"login": "octocat", "id": 583231, "type": "User"}}
            home = {"id": 616901961, "full_name": "acme/taxi", "owner": {"login": "acme"}}
            cases = {
                "ours": {**body, "repository": home},
                "another": {**body, "repository": {"id": 186853002, "full_name": "octocat/Hello-World"}},
                "organization": {**body, "organization": {"login": "acme", "id": 6811672}, "installation": {"id": 2}},
                "nulls": {**said, **dict.fromkeys(named.split()), "repository": home, "sender": None},
                "bare": {**said, "repository": home},
            }
            for case, content in cases.items():
                yield _github(event, f"{event} {action} {case}", content)
            yield _github(event, f"{event} {action} form", {**body, "repository": home}, form=True)


def _github(event: str, name: str, content: Any, *, form: bool = False) -> Published:
    text = json.dumps(content)
    body = f"payload={quote(text)}" if form else text
    headers = {"content-type": FORM if form else JSON, "x-github-event": event}
    return Published("github", name, body.encode(), headers)
