"""The program asks the engine for its volumes, and stops when there is no answer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.engine import connection
from infra.engine.volumes import list_volumes
from infra.schema.problems import ConfigurationError
from tests.support.socket_engine import listening

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for the engine listens on a Unix socket")


@pytest.fixture(autouse=True)
def no_engine_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in connection.VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"Volumes": [{"Name": "v", "Labels": {"a": "b"}}]}, [{"Name": "v", "Labels": {"a": "b"}}]),
        ({"Volumes": None}, []),
    ],
    ids=["some", "none"],
)
def test_the_engines_volumes_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: object, expected: list[object]
) -> None:
    with listening(tmp_path) as engine:
        engine.answers["GET /volumes"] = (200, answer)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.path}")
        assert list_volumes() == expected


def test_an_engine_that_does_not_answer_stops_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/engine.sock")
    with pytest.raises(ConfigurationError) as refused:
        list_volumes()
    assert refused.value.problems[0].parameters["reason"] == "it does not exist"
    assert "./deploy.sh doctor" in str(refused.value)


def test_a_docker_context_that_does_not_exist_stops_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONTEXT", "nowhere")
    with pytest.raises(ConfigurationError, match="no docker context 'nowhere'"):
        list_volumes()
