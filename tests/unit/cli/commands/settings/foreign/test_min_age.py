"""`--min-age` keeps versions out that are too young, when adding and when updating."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cli.commands.settings import foreign_services, update_services
from cli.system.errors import StackError
from infra.services.catalog import load_catalog
from infra.services.scan import Package
from infra.settings.build import BuildSettings
from tests.unit.cli.commands.settings.foreign.conftest import Dyber, Repository

WEATHER = "npm:@example/weather"


@pytest.fixture(autouse=True)
def young(repository: Repository) -> None:
    """The newest version is two days old."""
    repository.registry.published = {"1.1.0": datetime.now(UTC) - timedelta(days=2)}


def reference(repository: Repository) -> str:
    spec = load_catalog(repository.servers)["weather"]
    assert spec.source
    return spec.source.reference


def test_without_it_the_newest_version_is_taken(dyber: Dyber, repository: Repository) -> None:
    dyber("add-service", "--from", WEATHER, "--yes")
    assert reference(repository) == "@example/weather@1.1.0"
    assert repository.registry.locked_before == [None]


def test_the_newest_version_that_is_old_enough_is_taken_with_what_it_brings(
    dyber: Dyber, repository: Repository
) -> None:
    dyber("add-service", "--from", WEATHER, "--min-age", "7", "--yes")
    assert reference(repository) == "@example/weather@1.0.0"
    [before] = repository.registry.locked_before
    assert before and abs(datetime.now(UTC) - timedelta(days=7) - before) < timedelta(minutes=5)
    assert dyber("update-service", "weather", "--min-age", "7", "--yes") == 0
    assert reference(repository) == "@example/weather@1.0.0"
    dyber("update-service", "weather", "--min-age", "1", "--yes")
    assert reference(repository) == "@example/weather@1.1.0"


def test_a_version_that_is_asked_for_and_too_young_is_refused(dyber: Dyber, repository: Repository) -> None:
    with pytest.raises(StackError, match="too young"):
        dyber("add-service", "--from", f"{WEATHER}@1.1.0", "--min-age", "7", "--yes")
    assert repository.names == []


def test_an_update_does_not_go_back_to_an_older_version(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    dyber("add-service", "--from", WEATHER, "--yes")
    repository.registry.locked_before.clear()
    dyber("update-service", "weather", "--min-age", "7", "--dependencies", "--yes")
    assert reference(repository) == "@example/weather@1.1.0"
    # A registry refuses to lock the version that stays, which is too young, with the limit.
    assert set(repository.registry.locked_before) == {None}
    assert "which stays" in capsys.readouterr().out


def test_the_setting_of_the_stack_counts_without_the_option(
    dyber: Dyber, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (foreign_services, update_services):
        monkeypatch.setattr(module, "build_settings", lambda stack: BuildSettings(minAgeDays=7))
    dyber("add-service", "--from", WEATHER, "--yes")
    assert reference(repository) == "@example/weather@1.0.0"
    dyber("update-service", "weather", "--yes")
    assert reference(repository) == "@example/weather@1.0.0"
    dyber("update-service", "weather", "--min-age", "0", "--yes")
    assert reference(repository) == "@example/weather@1.1.0"


def test_for_a_remote_server_it_is_told_that_it_does_not_apply(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    dyber("add-service", "sky", "--from", "url:https://mcp.example.com/mcp", "--min-age", "7", "--yes")
    assert "does not apply" in capsys.readouterr().out


def test_publisher_age_packages_and_size_are_shown(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    published = datetime.now(UTC) - timedelta(days=30, hours=1)
    details = Package("npm", "@example/weather", "1.1.0", published=published, publisher="sky\x1b[31m")
    repository.registry.details = {"@example/weather@1.1.0": details}
    dyber("add-service", "--from", WEATHER, "--yes")
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("by sky", f"published on {published:%Y-%m-%d}, 30 days ago", "1 packages", "image of 150 MiB"):
        assert words in shown
    assert "\x1b[31m" not in shown
