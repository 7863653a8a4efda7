"""Images are pushed and pulled by the engine, which tells errors in the middle of its progress."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cli.engine import images
from cli.engine.errors import EngineError, NotOnEngine
from tests.support.socket_engine import SocketEngine

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for the engine listens on a Unix socket")
DIGEST = "sha256:" + "d" * 64
TARGET = "localhost:5000/dyber/front:1"
PATH = "/images/localhost:5000/dyber/front/push"


def let_transfer_tell(engine: SocketEngine, path: str, *steps: object) -> None:
    """Let the engine tell these steps of a transfer."""
    chunks = [json.dumps(step).encode() + b"\r\n" for step in steps]
    engine.answers[f"POST {path}"] = lambda handler: handler.send_chunks(iter(chunks))


@pytest.fixture
def registry_engine(chosen_engine: SocketEngine) -> SocketEngine:
    """An engine whose image x can be tagged, and is in the registry under DIGEST."""
    chosen_engine.answers |= {
        "POST /images/x/tag": (201, None),
        f"GET /distribution/{TARGET}/json": (200, {"Descriptor": {"digest": DIGEST}}),
    }
    return chosen_engine


def test_the_digest_of_a_pushed_image_is_the_one_that_the_engine_tells(registry_engine: SocketEngine) -> None:
    del registry_engine.answers[f"GET /distribution/{TARGET}/json"]
    let_transfer_tell(registry_engine, PATH, {"status": "Pushing"}, {"aux": {"Tag": "1", "Digest": DIGEST}})
    assert images.push("x", TARGET) == DIGEST
    tag, push = registry_engine.requests[-2:]
    assert "repo=localhost%3A5000%2Fdyber%2Ffront" in tag and "tag=1" in tag and "tag=1" in push


def test_the_registry_is_asked_when_the_engine_does_not_tell_the_digest(registry_engine: SocketEngine) -> None:
    let_transfer_tell(registry_engine, PATH, {"status": "1: digest: sha256:0 size: 3"}, {"aux": None})
    assert images.push("x", TARGET) == DIGEST


@pytest.mark.parametrize("path", [PATH, "/images/create"], ids=["push", "pull"])
def test_a_transfer_that_fails_in_the_middle_keeps_the_engines_words(registry_engine: SocketEngine, path: str) -> None:
    let_transfer_tell(registry_engine, path, {"status": "Waiting"}, {"errorDetail": {}, "error": "denied: log in"})
    with pytest.raises(EngineError, match="denied: log in"):
        if path == PATH:
            images.push("x", TARGET)
        else:
            images.pull("registry.example/x@" + DIGEST)


def test_a_transfer_that_is_refused_keeps_the_engines_words(registry_engine: SocketEngine) -> None:
    registry_engine.answers[f"POST {PATH}"] = (500, {"message": "no route to the registry"})
    with pytest.raises(EngineError, match="no route to the registry"):
        images.push("x", TARGET)


def test_the_image_that_was_built_last_is_the_newest(chosen_engine: SocketEngine) -> None:
    listed = [{"Id": "old", "Created": 1}, {"Id": "new", "Created": 3}, {"Id": "middle", "Created": 2}]
    chosen_engine.answers["GET /images/json"] = (200, listed)
    assert images.newest("dyber-template") == "new"
    assert "dyber-template" in chosen_engine.requests[-1]
    chosen_engine.answers["GET /images/json"] = (200, [])
    assert images.newest("dyber-template") is None


def test_an_unknown_image_has_no_identity(chosen_engine: SocketEngine) -> None:
    chosen_engine.answers["GET /images/x/json"] = (200, {"Id": "sha256:1"})
    assert images.identity("x") == "sha256:1"
    with pytest.raises(NotOnEngine):
        images.identity("y")


def test_a_missing_program_for_credentials_is_named(
    registry_engine: SocketEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text('{"credsStore": "nowhere"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(EngineError, match="docker-credential-nowhere") as refused:
        images.push("x", TARGET)
    assert "does not answer" not in str(refused.value)
