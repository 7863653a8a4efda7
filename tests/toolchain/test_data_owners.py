"""A service at another port reads the data that it kept: on the real engine, its new user gets them."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.deployment import data_owners
from cli.engine import engine, volumes
from cli.engine.errors import EngineError
from cli.terminal.console import Activities
from infra.parts.data_volumes import volume_name
from infra.services.catalog import ServiceSpec
from infra.settings import selection
from infra.settings.stack import StackSettings

BEFORE, NOW = 28903, 28907


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], check=check, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> StackSettings:
    """A stack of its own with the service notes, which is at another port now than when it made its data."""
    monkeypatch.setenv("DYBER_LANG", "en")
    spec = ServiceSpec(name="notes", folder=Path("notes"), title="Notes", port=NOW - 20000, package="notes", data=True)
    monkeypatch.setattr(selection, "enabled", lambda settings, catalog: [spec])
    return StackSettings(stack=f"owners-{secrets.token_hex(3)}")


@pytest.fixture
def volume(settings: StackSettings) -> Iterator[str]:
    """Its data volume, with private files of the user that it had."""
    name = volume_name(settings.stack, "notes")
    docker("volume", "create", name)
    run_as(0, name, f"chmod 700 /data && chown {BEFORE}:{BEFORE} /data")
    run_as(BEFORE, name, "umask 077 && mkdir /data/deep && echo remember > /data/deep/note && ln -s /etc /data/away")
    yield name
    for container in engine.listed_containers(f"volume={name}"):
        docker("rm", "--force", container["Id"])
    docker("volume", "rm", name)


def run_as(user: int, volume: str, script: str, *options: str, check: bool = True) -> str:
    image = volumes.base_image_name()
    mount = ["--user", f"{user}:{user}", "--network", "none", "--volume", f"{volume}:/data"]
    ending = [] if "--detach" in options else ["--rm"]
    return docker("run", *ending, *mount, *options, image, "sh", "-c", script, check=check)


def owners(volume: str) -> set[str]:
    return set(run_as(0, volume, "find /data -exec stat -c %u:%g {} +").split())


def deploy(settings: StackSettings) -> None:
    with Activities() as display, data_owners.handed_over(settings, display):
        pass


def test_data_that_was_kept_are_read_by_the_service_at_another_port(settings: StackSettings, volume: str) -> None:
    assert run_as(NOW, volume, "cat /data/deep/note", check=False) == ""
    deploy(settings)
    assert run_as(NOW, volume, "cat /data/deep/note && touch /data/deep/more") == "remember"
    assert owners(volume) == {f"{NOW}:{NOW}"}
    assert run_as(0, volume, "stat -c %u:%a /etc /data/deep/note").split() == ["0:755", f"{NOW}:600"]


def test_a_service_whose_port_changes_gets_its_data_and_has_them_back_if_the_update_fails(
    settings: StackSettings, volume: str
) -> None:
    run_as(BEFORE, volume, "sleep 600", "--detach")
    with pytest.raises(KeyboardInterrupt), Activities() as display, data_owners.handed_over(settings, display):
        assert owners(volume) == {f"{NOW}:{NOW}"}
        run_as(NOW, volume, "sleep 600", "--detach")
        raise KeyboardInterrupt
    assert owners(volume) == {f"{BEFORE}:{BEFORE}"}
    deploy(settings)  # The container that did not start is still there; the data are handed over all the same.
    assert owners(volume) == {f"{NOW}:{NOW}"}


def test_data_that_was_handed_over_in_part_is_given_back(
    settings: StackSettings, volume: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_as(BEFORE, volume, "sleep 600", "--detach")
    give = volumes.give

    def give_in_part(volume: str, user: int) -> None:
        give(volume, user)
        if user == NOW:
            raise EngineError("the engine has stopped", "start it")

    monkeypatch.setattr(volumes, "give", give_in_part)
    with pytest.raises(KeyboardInterrupt), Activities() as display, data_owners.handed_over(settings, display):
        raise KeyboardInterrupt
    assert owners(volume) == {f"{BEFORE}:{BEFORE}"}


def test_nothing_is_looked_at_when_the_containers_have_the_right_user(
    settings: StackSettings, volume: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_as(NOW, volume, "sleep 600", "--detach")
    monkeypatch.setattr(volumes, "give", lambda volume, user: pytest.fail("looked at"))
    deploy(settings)


def test_data_that_cannot_be_given_away_are_told_and_the_update_goes_on(
    settings: StackSettings, volume: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(volume: str, user: int) -> None:
        raise EngineError("Operation not permitted")

    monkeypatch.setattr(volumes, "give", refuse)
    deploy(settings)
    told = capsys.readouterr().err
    assert f"the data of notes could not be given to user {NOW}" in told and "not permitted" in told
