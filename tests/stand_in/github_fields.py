"""Records the fields that GitHub's public description of its REST API (version 2022-11-28) has for each object.

Only objects that the service reads are here, without what lies inside their own parts.
"""

from __future__ import annotations

FIELDS: dict[str, frozenset[str]] = {
    name: frozenset(fields.split())
    for name, fields in {
        "user": "login id node_id avatar_url gravatar_id url html_url followers_url following_url gists_url "
        "starred_url subscriptions_url organizations_url repos_url events_url received_events_url type user_view_type "
        "site_admin name email starred_at",
        "profile": "login id node_id avatar_url gravatar_id url html_url followers_url following_url gists_url "
        "starred_url subscriptions_url organizations_url repos_url events_url received_events_url type user_view_type "
        "site_admin name company blog location email notification_email hireable bio twitter_username public_repos "
        "public_gists followers following created_at updated_at",
        "repository": "id node_id name full_name owner private html_url description fork url created_at updated_at "
        "pushed_at homepage size stargazers_count watchers_count language forks_count open_issues_count "
        "master_branch default_branch score forks_url keys_url collaborators_url teams_url hooks_url "
        "issue_events_url events_url assignees_url branches_url tags_url blobs_url git_tags_url git_refs_url "
        "trees_url statuses_url languages_url stargazers_url contributors_url subscribers_url subscription_url "
        "commits_url git_commits_url comments_url issue_comment_url contents_url compare_url merges_url archive_url "
        "downloads_url issues_url pulls_url milestones_url notifications_url labels_url releases_url deployments_url "
        "git_url ssh_url clone_url svn_url forks open_issues watchers topics mirror_url has_issues has_projects "
        "has_pages has_wiki has_downloads has_discussions archived disabled visibility license permissions "
        "text_matches temp_clone_token allow_merge_commit allow_squash_merge allow_rebase_merge allow_auto_merge "
        "delete_branch_on_merge allow_forking is_template web_commit_signoff_required subscribers_count network_count "
        "organization parent source template_repository security_and_analysis custom_properties",
        "issue": "id node_id url repository_url labels_url comments_url events_url html_url number state state_reason "
        "title body body_html body_text user labels assignee assignees milestone locked active_lock_reason comments "
        "pull_request closed_at closed_by created_at updated_at draft repository timeline_url "
        "performed_via_github_app author_association reactions score text_matches type sub_issues_summary",
        "comment": "id node_id url body body_text body_html html_url user created_at updated_at issue_url "
        "author_association performed_via_github_app reactions",
        "pull": "url id node_id html_url diff_url patch_url issue_url commits_url review_comments_url "
        "review_comment_url comments_url statuses_url number state locked title user body labels milestone "
        "active_lock_reason created_at updated_at closed_at merged_at merge_commit_sha assignee assignees "
        "requested_reviewers requested_teams head base _links author_association auto_merge draft merged mergeable "
        "rebaseable mergeable_state merged_by comments review_comments maintainer_can_modify commits additions "
        "deletions changed_files",
        "branch": "label ref sha user repo",
        "changed_file": "sha filename status additions deletions changes blob_url raw_url contents_url patch "
        "previous_filename",
        "review": "id node_id user body state html_url pull_request_url submitted_at commit_id body_html body_text "
        "author_association _links",
        "commit": "url sha node_id html_url comments_url commit author committer parents stats files",
        "git_commit": "url author committer message comment_count tree verification",
        "signature": "name email date",
        "release": "url html_url assets_url upload_url tarball_url zipball_url id node_id tag_name target_commitish "
        "name body draft prerelease immutable created_at published_at updated_at author assets body_html body_text "
        "mentions_count discussion_url reactions",
        "asset": "url browser_download_url id node_id name label state content_type size digest download_count "
        "created_at updated_at uploader",
        "content": "type encoding size name path content sha url git_url html_url download_url _links target "
        "submodule_git_url entries",
        "code_match": "name path sha url git_url html_url repository score file_size language last_modified_at "
        "line_numbers text_matches",
        "fragment": "object_url object_type property fragment matches",
        "run": "id name node_id check_suite_id check_suite_node_id head_branch head_sha path run_number run_attempt "
        "referenced_workflows event status conclusion workflow_id url html_url pull_requests created_at updated_at "
        "actor triggering_actor run_started_at jobs_url logs_url check_suite_url artifacts_url cancel_url rerun_url "
        "previous_attempt_url workflow_url head_commit repository head_repository head_repository_id display_title",
        "job": "id run_id run_url run_attempt node_id head_sha url html_url status conclusion created_at started_at "
        "completed_at name steps check_run_url labels runner_id runner_name runner_group_id runner_group_name "
        "workflow_name head_branch",
        "step": "status conclusion name number started_at completed_at",
        "annotation": "path start_line end_line start_column end_column annotation_level title message raw_details "
        "blob_href",
        "limit": "limit remaining reset used",
    }.items()
}
