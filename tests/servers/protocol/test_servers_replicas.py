"""Tests that a call that asked the user continues at another replica of its service, if both have the same key."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from dyber_kit import Settings
from dyber_kit.serving.server import build_server

from tests.servers.hub.asking import answer_in, headers_of, message, post
from tests.servers.hub.test_hub_long_calls import ASKABLE, asked, reply
from tests.stand_in.hub import services as hub_services
from tests.stand_in.running import free_port, running

KEY = "5a" * 32


async def answer_of_another_replica(keys: tuple[str | None, str | None]) -> dict[str, Any]:
    """Ask at a replica and send the user's reply to the other; return its answer."""
    hub_services.written.clear()
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(
                running(build_server(hub_services.alpha(Settings(port=free_port(), read_only=False, state_key=key))))
            )
            for key in keys
        )
        sent = message("tools/call", name="alpha_ask", arguments={}, _meta=ASKABLE)
        key, state = asked(answer_in(await post(first, sent, headers=headers_of("all"))))
        return answer_in(await post(second, reply(key, state), headers=headers_of("all")))


async def test_a_call_continues_at_another_replica_with_the_same_key() -> None:
    answer = await answer_of_another_replica((KEY, KEY))
    assert answer["result"]["structuredContent"] == {"text": "asked yes"}


@pytest.mark.parametrize("keys", [(None, None), (KEY, "6b" * 32)])
async def test_the_state_of_another_key_is_refused(keys: tuple[str | None, str | None]) -> None:
    answer = await answer_of_another_replica(keys)
    assert "error" in answer or answer["result"].get("isError")
    assert hub_services.written == []


def test_the_key_comes_from_a_file_and_is_long_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    monkeypatch.setenv("DYBER_STATE_KEY_FILE", str(file))
    file.write_text(f"{KEY}\n")
    settings = Settings.from_environment()
    assert settings.state_key == KEY
    assert KEY not in repr(settings)
    file.write_text("short")
    with pytest.raises(ValueError, match="DYBER_STATE_KEY") as raised:
        Settings.from_environment()
    assert "short" not in str(raised.value).replace("too short", "")
