"""Records the fields that GitHub documents for the objects that the service reads, with their types.

The source is GitHub's OpenAPI description of its REST API, as the npm package @octokit/openapi 23.0.2 has it
(`generated/api.github.com.json`). Fields of variants of an object are put together: `profile` is that of the caller and
of others, `repository` that of the list of a search and of its own address, `issue` likewise, and `content` that of
files, folders, links and submodules. What lies inside the fields is not recorded.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DocumentedField:
    """Describes a field: its type in JSON, whether it may be null, and whether it may be missing."""

    type: str
    may_be_null: bool
    may_be_missing: bool


# By object and type; `?` marks what may be missing, and `|null` what may be null.
_DOCUMENTED: dict[str, dict[str, str]] = {
    "user": {
        "string": (
            "name?|null email?|null login node_id avatar_url gravatar_id|null url html_url followers_url "
            "following_url gists_url starred_url subscriptions_url organizations_url repos_url events_url "
            "received_events_url type starred_at? user_view_type?"
        ),
        "integer": "id",
        "boolean": "site_admin",
    },
    "profile": {
        "string": (
            "login user_view_type? node_id avatar_url gravatar_id|null url html_url followers_url "
            "following_url gists_url starred_url subscriptions_url organizations_url repos_url events_url "
            "received_events_url type name|null company|null blog|null location|null email|null "
            "notification_email?|null bio|null twitter_username?|null created_at updated_at ldap_dn?"
        ),
        "integer": (
            "id public_repos public_gists followers following private_gists? total_private_repos? "
            "owned_private_repos? disk_usage? collaborators?"
        ),
        "boolean": "site_admin hireable|null two_factor_authentication? business_plus?",
        "object": "plan?",
    },
    "repository": {
        "integer": (
            "id forks_count stargazers_count watchers_count size open_issues_count subscribers_count? "
            "network_count? forks open_issues watchers"
        ),
        "string": (
            "node_id name full_name html_url description|null url archive_url assignees_url blobs_url "
            "branches_url collaborators_url comments_url commits_url compare_url contents_url "
            "contributors_url deployments_url downloads_url events_url forks_url git_commits_url git_refs_url "
            "git_tags_url git_url issue_comment_url issue_events_url issues_url keys_url labels_url "
            "languages_url merges_url milestones_url notifications_url pulls_url releases_url ssh_url "
            "stargazers_url statuses_url subscribers_url subscription_url tags_url teams_url trees_url "
            "clone_url mirror_url|null hooks_url svn_url homepage|null language|null default_branch "
            "pull_request_creation_policy? visibility? pushed_at created_at updated_at temp_clone_token?|null "
            "squash_merge_commit_title? squash_merge_commit_message? merge_commit_title? "
            "merge_commit_message? master_branch?"
        ),
        "object": (
            "owner|null permissions? template_repository?|null license|null organization?|null parent? "
            "source? code_of_conduct? security_and_analysis?|null custom_properties?"
        ),
        "boolean": (
            "private fork is_template? has_issues has_projects has_wiki has_pages has_downloads? "
            "has_discussions? has_pull_requests? archived disabled allow_rebase_merge? allow_squash_merge? "
            "allow_auto_merge? delete_branch_on_merge? allow_merge_commit? allow_update_branch? "
            "use_squash_pr_title_as_default? allow_forking? web_commit_signoff_required? "
            "anonymous_access_enabled?"
        ),
        "array": "topics? text_matches?",
        "number": "score?",
    },
    "issue": {
        "integer": "id number comments",
        "string": (
            "node_id url repository_url labels_url comments_url events_url html_url state state_reason?|null "
            "title body?|null active_lock_reason?|null closed_at|null created_at updated_at body_html? "
            "body_text? timeline_url? author_association? parent_issue_url?|null"
        ),
        "object": (
            "user|null assignee|null milestone|null pull_request? closed_by?|null type?|null repository? "
            "performed_via_github_app?|null reactions? sub_issues_summary? pinned_comment?|null "
            "issue_dependencies_summary?"
        ),
        "array": "labels assignees?|null issue_field_values? text_matches?",
        "boolean": "locked draft?",
        "number": "score?",
    },
    "comment": {
        "integer": "id",
        "string": (
            "node_id url body? body_text? body_html? html_url created_at updated_at issue_url author_association?"
        ),
        "object": "user|null performed_via_github_app?|null reactions? pin?|null minimized?|null",
    },
    "pull": {
        "string": (
            "url node_id html_url diff_url patch_url issue_url commits_url review_comments_url "
            "review_comment_url comments_url statuses_url state title body|null active_lock_reason?|null "
            "created_at updated_at closed_at|null merged_at|null merge_commit_sha|null author_association "
            "mergeable_state"
        ),
        "integer": "id number comments review_comments commits additions deletions changed_files",
        "boolean": "locked draft? merged mergeable|null rebaseable?|null maintainer_can_modify",
        "object": "user milestone|null assignee|null head base _links auto_merge|null stack?|null merged_by|null",
        "array": "labels assignees? requested_reviewers? requested_teams?",
    },
    "branch": {
        "string": "label ref sha",
        "object": "repo user",
    },
    "changed_file": {
        "string": "sha|null filename status blob_url raw_url contents_url patch? previous_filename?",
        "integer": "additions deletions changes",
    },
    "review": {
        "integer": "id",
        "string": (
            "node_id body state html_url pull_request_url submitted_at? commit_id|null body_html? body_text? "
            "author_association"
        ),
        "object": "user|null _links",
    },
    "commit": {
        "string": "url sha node_id html_url comments_url",
        "object": "commit author|null committer|null stats?",
        "array": "parents files?",
    },
    "git_commit": {
        "string": "url message",
        "object": "author|null committer|null tree verification?",
        "integer": "comment_count",
    },
    "signature": {
        "string": "name? email? date?",
    },
    "release": {
        "string": (
            "url html_url assets_url upload_url tarball_url|null zipball_url|null node_id tag_name "
            "target_commitish name|null body?|null created_at published_at|null updated_at?|null body_html? "
            "body_text? discussion_url?"
        ),
        "integer": "id mentions_count?",
        "boolean": "draft prerelease immutable?",
        "object": "author reactions?",
        "array": "assets",
    },
    "asset": {
        "string": (
            "url browser_download_url node_id name label|null state content_type digest|null created_at updated_at"
        ),
        "integer": "id size download_count",
        "object": "uploader|null",
    },
    "content": {
        "string": (
            "type encoding? name path content? sha url git_url|null html_url|null download_url|null target? "
            "submodule_git_url?"
        ),
        "integer": "size",
        "object": "_links",
    },
    "code_match": {
        "string": "name path sha url git_url html_url language?|null last_modified_at?",
        "object": "repository",
        "number": "score",
        "integer": "file_size?",
        "array": "line_numbers? text_matches?",
    },
    "fragment": {
        "string": "object_url? object_type?|null property? fragment?",
        "array": "matches?",
    },
    "run": {
        "integer": "id check_suite_id? run_number run_attempt? workflow_id head_repository_id?",
        "string": (
            "name?|null node_id check_suite_node_id? head_branch|null head_sha path event status|null "
            "conclusion|null url html_url created_at updated_at run_started_at? jobs_url logs_url "
            "check_suite_url artifacts_url cancel_url rerun_url previous_attempt_url?|null workflow_url "
            "display_title"
        ),
        "array": "referenced_workflows?|null pull_requests|null",
        "object": "actor? triggering_actor? head_commit|null repository head_repository",
    },
    "job": {
        "integer": "id run_id run_attempt? runner_id|null runner_group_id|null",
        "string": (
            "run_url node_id head_sha url html_url|null status conclusion|null created_at started_at "
            "completed_at|null name check_run_url runner_name|null runner_group_name|null workflow_name|null "
            "head_branch|null"
        ),
        "array": "steps? labels",
    },
    "step": {
        "string": "status conclusion|null name started_at?|null completed_at?|null",
        "integer": "number",
    },
    "annotation": {
        "string": "path annotation_level|null title|null message|null raw_details|null blob_href",
        "integer": "start_line end_line start_column|null end_column|null",
    },
    "limit": {
        "integer": "limit remaining reset used",
    },
}


def _field(type_name: str, marked: str) -> tuple[str, DocumentedField]:
    name, null, _ = marked.partition("|null")
    return name.removesuffix("?"), DocumentedField(type_name, bool(null), name.endswith("?"))


FIELDS: dict[str, dict[str, DocumentedField]] = {
    name: dict(_field(type_name, marked) for type_name, names in types.items() for marked in names.split())
    for name, types in _DOCUMENTED.items()
}
