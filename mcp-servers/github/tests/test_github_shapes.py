"""Tests that the service reads, and its stand-in serves, only fields that GitHub documents."""

from __future__ import annotations

import pytest

from tests.stand_in import github_data as data
from tests.stand_in import github_files as files
from tests.stand_in.github_fields import FIELDS

from github_server.model import wire

READ = {
    "user": wire.WireUser, "repository": wire.WireRepository, "issue": wire.WireIssue, "comment": wire.WireComment,
    "pull": wire.WirePull, "branch": wire.WireBranch, "changed_file": wire.WireChangedFile, "review": wire.WireReview,
    "commit": wire.WireCommit, "git_commit": wire.WireGitCommit, "signature": wire.WireSignature,
    "release": wire.WireRelease, "asset": wire.WireAsset, "content": wire.WireContent,
    "code_match": wire.WireCodeMatch, "fragment": wire.WireFragment, "run": wire.WireRun, "job": wire.WireJob,
    "step": wire.WireStep, "annotation": wire.WireAnnotation, "limit": wire.WireLimit,
}  # fmt: skip
#: Fields that GitHub has in one object only of those that a shape reads.
ELSEWHERE = {"user": FIELDS["profile"], "pull": FIELDS["issue"]}
SERVED = {
    "user": data.user("octocat"),
    "profile": data.profile("octocat"),
    "repository": data.repository("octocat/hello"),
    "issue": data.issue(3),
    "comment": data.comment(1),
    "pull": data.pull(3),
    "branch": data.pull(3)["head"],
    "changed_file": data.changed_file(2),
    "review": data.review("anna", "APPROVED", "2026-11-01T00:00:00Z"),
    "commit": data.commit(1),
    "git_commit": data.commit(1)["commit"],
    "signature": data.commit(1)["commit"]["author"],
    "release": data.release(1),
    "asset": data.release(1)["assets"][0],
    "content": files.content("README.md"),
    "code_match": data.code_match(1),
    "fragment": data.code_match(1)["text_matches"][0],
    "run": data.run(1),
    "job": data.job(1, "failure"),
    "step": data.job(1, "failure")["steps"][0],
    "annotation": data.annotation(),
}


@pytest.mark.parametrize("name", sorted(READ))
def test_every_field_that_is_read_is_documented(name):
    assert set(READ[name].model_fields) - FIELDS[name] - ELSEWHERE.get(name, frozenset()) == set()


@pytest.mark.parametrize("name", sorted(SERVED))
def test_every_field_that_the_stand_in_serves_is_documented(name):
    assert set(SERVED[name]) - FIELDS[name] == set()


@pytest.mark.parametrize("name", sorted(READ.keys() & SERVED.keys() - {"user", "pull"}))
def test_the_stand_in_serves_every_field_that_is_read(name):
    sometimes = {"issue": {"draft", "pull_request"}, "content": {"target", "submodule_git_url"}}
    only_of_forks = {"repository": {"parent", "subscribers_count"}, "changed_file": {"previous_filename"}}
    left_out = sometimes.get(name, set()) | only_of_forks.get(name, set())
    assert set(READ[name].model_fields) - set(SERVED[name]) - left_out == set()
