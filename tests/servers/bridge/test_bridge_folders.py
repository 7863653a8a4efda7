"""Starts the child of the bridge in the working folder of its image, which its program may be relative to."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from dyber_kit.bridge.contract import foreign_contract
from dyber_kit.bridge.link import HandshakeError
from dyber_kit.bridge.listing import Lock

from tests.servers.bridge.waiting import until
from tests.stand_in.bridges import FOREIGN, bridge, settings_of


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """A folder like the WORKDIR of an image, with a server in it that is started by a relative path."""
    folder = tmp_path / "app"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "serve").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
    (folder / "bin" / "serve").chmod(0o755)
    (folder / "server.py").symlink_to(FOREIGN[1])
    return folder


@pytest.mark.parametrize("program", ["bin/serve", "./bin/serve", "serve"])
async def test_a_program_and_its_file_are_found_from_the_folder_of_the_image_and_its_path(
    image_folder: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    if "/" not in program:
        monkeypatch.setenv("PATH", f"{image_folder}/bin:{os.environ['PATH']}")
    contract, _ = await foreign_contract(settings_of((program, "server.py"), folder=str(image_folder)))
    assert "echo" in contract["tools"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing", "No such file or directory"), ("a-file", "Not a directory"), ("closed", "Permission")],
)
async def test_a_folder_that_cannot_be_used_is_named_with_the_reason(
    lock: Lock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    (tmp_path / "a-file").touch()
    (tmp_path / "closed").mkdir(mode=0o600)
    real_access = os.access
    # Root may enter every folder, and tests may run as root.
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("/closed") and real_access(path, mode))
    folder = f"{tmp_path}/{name}"
    with bridge(settings_of(folder=folder), lock) as foreign:
        await until(lambda: foreign.metric("mcp_child_restarts_total", reason="start") >= 1)
        told = foreign.ready()[1]["reason"]
    # The system's own error would name neither the folder's trouble nor the user that has it.
    assert folder in told and reason in told and f"{os.geteuid()} " in told and "Errno" not in told
    with pytest.raises(HandshakeError, match=folder) as refused:
        await foreign_contract(settings_of(folder=folder))
    assert reason in str(refused.value)
