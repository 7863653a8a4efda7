"""Packages of PyPI are found and locked by the real uv, on an index of the tests' own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.services.sources import python_packages
from cli.services.sources.packages import SourceError, choose_program
from infra.services.source import Source
from infra.services.source_locks import load_program
from tests.support.wheels import add_source_distribution, add_wheel
from toolchain.progress import PlainProgress

PROGRESS = PlainProgress()


def source(**values: Any) -> Source:
    return Source.model_validate({"pypi": "weather-server==1.2", "command": "weather", **values})


def test_the_newest_version_and_its_scripts_are_found(python_index: Path) -> None:
    add_wheel(python_index, "weather-server", "1.0")
    add_wheel(python_index, "weather-server", "1.2", scripts={"weather": "weather_server:main"})
    package = python_packages.find("weather-server", PROGRESS)
    assert (package.reference, package.programs, package.license) == ("weather-server==1.2", ("weather",), "MIT")


def test_a_range_and_extras_are_understood(python_index: Path) -> None:
    for version in ("1.0", "1.2", "2.0"):
        add_wheel(python_index, "weather-server", version)
    assert python_packages.find("weather-server[map]<2", PROGRESS).reference == "weather-server[map]==1.2"


def test_a_package_without_scripts_is_started_as_a_module(python_index: Path) -> None:
    add_wheel(python_index, "weather-server", "1.2", files={"weather/__init__.py": "", "weather/__main__.py": ""})
    assert choose_program(python_packages.find("weather-server", PROGRESS)) == "-m weather"


def test_a_library_is_refused_as_one(python_index: Path) -> None:
    add_wheel(python_index, "weather-server", "1.2")
    with pytest.raises(SourceError, match="has no program to start"):
        choose_program(python_packages.find("weather-server", PROGRESS))


def test_of_several_scripts_that_with_the_packages_name_is_chosen_else_the_user_is_asked(python_index: Path) -> None:
    scripts = {"weather-server": "weather_server:main", "weather-admin": "weather_server:admin"}
    add_wheel(python_index, "weather-server", "1.2", scripts=scripts)
    package = python_packages.find("weather-server", PROGRESS)
    assert choose_program(package) == "weather-server"
    assert choose_program(package, "weather-admin") == "weather-admin"
    with pytest.raises(SourceError) as refused:
        choose_program(package, "weather")
    assert "weather-server, weather-admin" in refused.value.next_step


@pytest.mark.parametrize(
    "wanted",
    ["git+https://example.com/a", "weather @ https://example.com/a.whl", "./weather", "weather; python_version<'3'"],
)
def test_what_is_no_package_of_an_index_is_refused(wanted: str) -> None:
    with pytest.raises(SourceError) as refused:
        python_packages.find(wanted, PROGRESS)
    assert "cannot be locked by a hash" in refused.value.next_step


def test_a_package_with_only_a_source_distribution_is_refused_and_its_code_does_not_run(python_index: Path) -> None:
    add_source_distribution(python_index, "weather-server", "1.2")
    with pytest.raises(SourceError) as refused:
        python_packages.find("weather-server", PROGRESS)
    assert "has no wheel for Python 3.13 on Linux" in refused.value.message
    assert "code of a package ran" not in refused.value.message


def test_a_package_for_another_python_is_refused_with_its_reason(python_index: Path) -> None:
    add_wheel(python_index, "weather-server", "1.2", python=">=3.14")
    with pytest.raises(SourceError, match="does not run on Python 3.13"):
        python_packages.find("weather-server", PROGRESS)


def test_an_unknown_package_is_refused_with_the_words_of_uv(python_index: Path) -> None:
    with pytest.raises(SourceError) as refused:
        python_packages.find("weather-server", PROGRESS)
    assert "weather-server was not found" in refused.value.message
    assert "DYBER_PIP_INDEX_URL" in refused.value.next_step


def test_the_lock_has_exact_versions_with_hashes_and_names_no_index(python_index: Path, service_folder: Path) -> None:
    add_wheel(python_index, "weather-server", "1.2", requires=("mcp>=1",), scripts={"weather": "weather_server:main"})
    for version in ("1.9", "2.0"):
        add_wheel(python_index, "mcp", version)
    locked = source(**{"with": ["mcp<2"]})
    report = python_packages.lock(locked, service_folder, PROGRESS)
    text = (service_folder / "requirements.txt").read_text(encoding="utf-8")
    assert "mcp==1.9 \\\n    --hash=sha256:" in text and "weather-server==1.2" in text and "://" not in text
    assert (report.packages, report.warnings) == (2, ())
    assert load_program(service_folder, locked).command == ("/opt/server/bin/weather",)
    assert {file.name for file in service_folder.iterdir()} == {"requirements.in", "requirements.txt"}


def test_locking_again_keeps_versions_unless_they_are_to_be_upgraded(python_index: Path, service_folder: Path) -> None:
    add_wheel(python_index, "weather-server", "1.2", requires=("mcp>=1",))
    add_wheel(python_index, "mcp", "1.9")
    python_packages.lock(source(), service_folder, PROGRESS)
    add_wheel(python_index, "mcp", "2.0")
    python_packages.lock(source(), service_folder, PROGRESS)
    assert "mcp==1.9" in (service_folder / "requirements.txt").read_text(encoding="utf-8")
    python_packages.lock(source(), service_folder, PROGRESS, upgrade=True)
    assert "mcp==2.0" in (service_folder / "requirements.txt").read_text(encoding="utf-8")


def test_a_package_for_windows_only_is_refused_and_leaves_the_locks_as_they_were(
    python_index: Path, service_folder: Path
) -> None:
    add_wheel(python_index, "weather-server", "1.2", requires=("desktop>=1",))
    add_wheel(python_index, "desktop", "1.0", tag="cp313-cp313-win_amd64")
    (service_folder / "requirements.txt").write_text("before", encoding="utf-8")
    with pytest.raises(SourceError):
        python_packages.lock(source(), service_folder, PROGRESS)
    assert {file.name: file.read_text() for file in service_folder.iterdir()} == {"requirements.txt": "before"}


def test_a_package_without_a_wheel_for_arm64_is_locked_with_a_warning(python_index: Path, service_folder: Path) -> None:
    add_wheel(python_index, "weather-server", "1.2", tag="cp313-cp313-manylinux_2_28_x86_64")
    report = python_packages.lock(source(), service_folder, PROGRESS)
    assert [warning for warning in report.warnings if "arm64" in warning] == list(report.warnings) != []


def test_a_python_package_and_what_it_brings_are_old_enough(python_index: Path, service_folder: Path) -> None:
    before = datetime(2026, 6, 1, tzinfo=UTC)
    for version, published in (("1.0", "2026-01-01"), ("1.1", "2026-07-01")):
        add_wheel(python_index, "wind", version, published=f"{published}T00:00:00Z")
        add_wheel(
            python_index,
            "weather-server",
            version,
            scripts={"weather": "weather_server:main"},
            requires=("wind",),
            published=f"{published}T00:00:00Z",
        )
    assert python_packages.find("weather-server", PROGRESS).version == "1.1"
    assert python_packages.find("weather-server", PROGRESS, before).version == "1.0"
    with pytest.raises(SourceError) as refused:
        python_packages.find("weather-server==1.1", PROGRESS, before)
    assert "--min-age" in refused.value.next_step
    source = Source.model_validate({"pypi": "weather-server==1.0", "command": "weather"})
    python_packages.lock(source, service_folder, PROGRESS, before=before)
    assert "wind==1.0" in (service_folder / "requirements.txt").read_text(encoding="utf-8")
    young = Source.model_validate({"pypi": "weather-server==1.1", "command": "weather"})
    with pytest.raises(SourceError) as refused:
        python_packages.lock(young, service_folder, PROGRESS, upgrade=True, before=before)
    assert "--min-age" in refused.value.next_step


def test_an_error_that_is_not_about_the_age_is_not_called_so(python_index: Path) -> None:
    add_wheel(python_index, "weather-server", "1.0", published="2026-01-01T00:00:00Z")
    with pytest.raises(SourceError) as refused:
        python_packages.find("weather-server==9.9", PROGRESS, datetime(2026, 6, 1, tzinfo=UTC))
    assert "--min-age" not in refused.value.next_step
