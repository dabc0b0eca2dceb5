"""The names of GitHub's events, and what each body must have to be taken for one.

https://docs.github.com/webhooks/webhook-events-and-payloads
X-GitHub-Event is not signed: whoever caught a body could send it again under another event's name. So an event is
known by the parts that its own body alone has.
"""

from collections.abc import Mapping

SHAPES: Mapping[str, tuple[str, ...]] = {
    "workflow_run": ("workflow_run", "workflow"),
    "repository_dispatch": ("client_payload",),
    "deployment_status": ("deployment_status", "deployment"),
    "deployment_protection_rule": ("deployment_callback_url", "deployment"),
    "deployment_review": ("workflow_run", "since"),
}
# What a hook also sends that is set to "send me everything".
_OTHERS = (
    "branch_protection_configuration branch_protection_rule check_run check_suite code_scanning_alert commit_comment "
    "create custom_property custom_property_values delete dependabot_alert deploy_key deployment discussion "
    "discussion_comment fork github_app_authorization gollum installation installation_repositories "
    "installation_target issue_comment issue_dependencies issues label member membership merge_group meta milestone "
    "org_block organization package page_build personal_access_token_request project project_card project_column "
    "projects_v2 projects_v2_item projects_v2_status_update public pull_request pull_request_review "
    "pull_request_review_comment pull_request_review_thread push registry_package release repository "
    "repository_advisory repository_import repository_ruleset repository_vulnerability_alert secret_scanning_alert "
    "secret_scanning_alert_location secret_scanning_scan security_advisory security_and_analysis sponsorship star "
    "status sub_issues team team_add watch workflow_dispatch workflow_job"
)
IGNORED = frozenset(_OTHERS.split())
