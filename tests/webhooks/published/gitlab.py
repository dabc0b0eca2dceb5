"""GitLab's hooks: of projects, groups and whole installations."""

import json
from collections.abc import Iterator

from tests.webhooks.published import JSON, Published, parts, rows

# object_kind, or where it is marked with = event_name: X-Gitlab-Event, what the body says besides.
_GITLAB = """
push: Push Hook; ref before after checkout_sha commits total_commits_count project repository
tag_push: Tag Push Hook; ref before after checkout_sha commits project repository
issue: Issue Hook; object_attributes project repository assignees labels changes
issue: Confidential Issue Hook; object_attributes project repository
work_item: Work Item Hook; object_attributes project
note: Note Hook; object_attributes project repository issue
note: Confidential Note Hook; object_attributes project merge_request
merge_request: Merge Request Hook; object_attributes project repository labels changes reviewers
wiki_page: Wiki Page Hook; object_attributes project wiki
pipeline: Pipeline Hook; object_attributes project commit builds merge_request source_pipeline
build: Job Hook; ref tag sha build_id build_name build_status build_finished_at project_id commit repository
build: Build Hook; ref tag sha build_id build_name build_status project_id commit
deployment: Deployment Hook; status status_changed_at deployment_id environment project short_sha commit_title ref
feature_flag: Feature Flag Hook; object_attributes project
release: Release Hook; id name tag description action project commit assets
milestone: Milestone Hook; object_attributes action project
emoji: Emoji Hook; object_attributes event_type project issue
access_token: Resource Access Token Hook; object_attributes event_name project
vulnerability: Vulnerability Hook; object_attributes
=member_approval: Member Approval Hook; object_attributes action
=user_add_to_group: Member Hook; group_id group_name group_path group_access user_id user_username expires_at
=user_update_for_group: Member Hook; group_id group_name group_path user_id
=user_remove_from_group: Member Hook; group_id group_name group_path user_id
=user_access_request_to_group: Member Hook; group_id group_path user_id
=subgroup_create: Subgroup Hook; group_id name path full_path parent_group_id
=subgroup_destroy: Subgroup Hook; group_id name path full_path parent_group_id
=project_create: Project Hook; name path path_with_namespace project_id owners project_visibility
=project_destroy: Project Hook; name path path_with_namespace project_id
=project_create: System Hook; name path path_with_namespace project_id owner_email project_visibility
=project_destroy: System Hook; name path path_with_namespace project_id
=project_rename: System Hook; name path path_with_namespace old_path_with_namespace project_id
=project_transfer: System Hook; name path path_with_namespace old_path_with_namespace project_id
=project_update: System Hook; name path path_with_namespace project_id
=repository_update: System Hook; project_id project changes refs user_id
=user_add_to_team: System Hook; project_id project_path_with_namespace user_id access_level
=user_remove_from_team: System Hook; project_id project_path_with_namespace user_id
=user_update_for_team: System Hook; project_id project_path_with_namespace user_id
=user_access_request_to_project: System Hook; project_id user_id
=user_create: System Hook; name username email user_id
=user_destroy: System Hook; name username email user_id
=user_rename: System Hook; name username old_username user_id
=user_failed_login: System Hook; name username state user_id
=key_create: System Hook; username key id
=key_destroy: System Hook; username key id
=group_create: System Hook; name path full_path group_id
=group_destroy: System Hook; name path full_path group_id
=group_rename: System Hook; name path full_path old_full_path group_id
=gitlab_subscription_member_approval: System Hook; object_attributes action
push: System Hook; event_name ref before after commits project
tag_push: System Hook; event_name ref before after commits project
merge_request: System Hook; event_name event_type object_attributes project
something_new: Something New Hook; object_attributes project
"""


def gitlab() -> Iterator[Published]:
    """Each hook, and each with a field that stands twice, as one of the samples has it."""
    for marked, hook, named in rows(_GITLAB):
        kind = marked.removeprefix("=")
        said = {"event_name": kind} if marked != kind else {"object_kind": kind}
        home = {"id": 42, "path_with_namespace": "acme/taxi", "web_url": "https://gitlab.example.com/acme/taxi"}
        body = {**parts(named), **said}
        ours = {**body, "project": home, "project_id": 42}
        cases = {"plain": body, "ours": ours, "nulls": {**dict.fromkeys(named.split()), **said, "project": home}}
        for case, content in {**cases, "bare": said}.items():
            text = json.dumps(content)
            headers = {"content-type": JSON, "x-gitlab-event": hook}
            yield Published("gitlab", f"{kind} {hook} {case}", text.encode(), headers)
            twice = f'{{"git_ssh_url": "git@x:y.git", "git_ssh_url": "git@x:y.git", {text[1:]}'
            yield Published("gitlab", f"{kind} {hook} {case} twice", twice.encode(), headers)
