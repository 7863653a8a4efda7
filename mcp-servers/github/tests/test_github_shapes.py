"""Tests that the service reads, and its stand-in serves, only fields that GitHub documents."""

from __future__ import annotations

import types
import typing

import pytest

from tests.stand_in.platforms.github import data, files
from tests.stand_in.platforms.github.fields import FIELDS

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


#: What GitHub does and its description does not tell: the repository of a branch is null once its fork was deleted.
ALSO_NULL = {"branch": {"repo"}}
TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "number": (int, float)}


def documented(name):
    """Return the fields of an object, and those that a shape for more than one object reads of others."""
    return {**ELSEWHERE.get(name, {}), **FIELDS[name]}


def types_of(annotation):
    """Return the types in JSON that a shape accepts for a field."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return {known for part in typing.get_args(annotation) for known in types_of(part)}
    plain = typing.get_origin(annotation) or annotation
    if plain is types.NoneType:
        return {"null"}
    names = {str: "string", int: "integer", bool: "boolean", dict: "object", list: "array"}
    return {names.get(plain, "object")}


@pytest.mark.parametrize("name", sorted(READ))
def test_every_field_that_is_read_is_documented(name):
    assert set(READ[name].model_fields) - set(documented(name)) == set()


@pytest.mark.parametrize("name", sorted(READ))
def test_every_field_is_read_with_its_documented_type(name):
    told = documented(name)
    read = {field: types_of(rules.annotation) for field, rules in READ[name].model_fields.items()}
    assert {field: kinds for field, kinds in read.items() if told[field].type not in kinds} == {}


@pytest.mark.parametrize("name", sorted(READ))
def test_only_fields_that_are_always_there_are_required(name):
    told = documented(name)
    required = [field for field, rules in READ[name].model_fields.items() if rules.is_required()]
    assert [field for field in required if told[field].may_be_missing or told[field].may_be_null] == []


@pytest.mark.parametrize("name", sorted(READ))
def test_every_field_that_may_be_null_is_read_as_null(name):
    told = documented(name)
    read = {field: types_of(rules.annotation) for field, rules in READ[name].model_fields.items()}
    assert [field for field, kinds in read.items() if told[field].may_be_null and "null" not in kinds] == []


@pytest.mark.parametrize("name", sorted(SERVED))
def test_every_field_that_the_stand_in_serves_is_documented(name):
    assert set(SERVED[name]) - set(FIELDS[name]) == set()


@pytest.mark.parametrize("name", sorted(SERVED))
def test_the_stand_in_serves_values_of_the_documented_types(name):
    wrong = {}
    for field, value in SERVED[name].items():
        told = FIELDS[name][field]
        may_be_null = told.may_be_null or field in ALSO_NULL.get(name, ())
        if not (may_be_null if value is None else isinstance(value, TYPES[told.type])):
            wrong[field] = value
    assert wrong == {}


@pytest.mark.parametrize("name", sorted(READ.keys() & SERVED.keys() - {"user", "pull"}))
def test_the_stand_in_serves_every_field_that_is_read(name):
    sometimes = {"issue": {"draft", "pull_request"}, "content": {"target", "submodule_git_url"}}
    only_of_forks = {"repository": {"parent", "subscribers_count"}, "changed_file": {"previous_filename"}}
    left_out = sometimes.get(name, set()) | only_of_forks.get(name, set())
    assert set(READ[name].model_fields) - set(SERVED[name]) - left_out == set()
