"""The age, the source and the files of a package are found out where its registry has them, without running any of it."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.services.sources import details
from infra.services.scan import Package, scan_package
from infra.services.scan.rules.packages import read_packed_sources
from infra.services.source import Source
from tests.support.wheels import add_wheel
from toolchain.home import DyberHome
from toolchain.progress import PlainProgress

SOURCE = Source.model_validate({"pypi": "weather-server==1.2", "command": "weather"})
PUBLISHED = datetime(2026, 11, 20, 8, tzinfo=UTC)
UNVERIFIED = {"weather_server/__init__.py": "import httpx\nclient = httpx.Client(verify=False)\n"}


def look(folder: Path) -> Package:
    return details.look_into(SOURCE, DyberHome(folder), PlainProgress())


def test_a_python_package_says_its_age_its_source_and_its_files(python_index: Path, tmp_path: Path) -> None:
    lines = ("Project-URL: Source, https://example.test/weather", "Classifier: Operating System :: POSIX :: Linux")
    add_wheel(python_index, "weather-server", "1.1", published="2026-01-01T00:00:00Z")
    add_wheel(
        python_index,
        "weather-server",
        "1.2",
        files=UNVERIFIED,
        metadata_lines=lines,
        published="2026-11-20T08:00:00.000001Z",
    )
    package = look(tmp_path)
    assert package.published == PUBLISHED + timedelta(microseconds=1)
    assert package.repository == "https://example.test/weather"
    assert package.systems == ("Operating System :: POSIX :: Linux",)
    assert [finding.code for finding in scan_package(package, PUBLISHED + timedelta(days=1))] == ["S03", "S06"]


def test_an_index_that_does_not_say_when_files_were_published_leaves_it_open(
    python_index: Path, tmp_path: Path
) -> None:
    add_wheel(python_index, "weather-server", "1.2", files=UNVERIFIED)
    package = look(tmp_path)
    assert package.published is None and list(package.sources) == ["weather_server/__init__.py"]
    assert [finding.code for finding in scan_package(package)] == ["S03", "S06"]  # It does not say where its source is.


@pytest.mark.parametrize(
    ("about", "repository"),
    [({}, ""), ({"repository": "github:a/b"}, "github:a/b"), ({"repository": {"type": "git"}}, "")],
)
def test_every_form_of_npms_repository_is_read(about: dict[str, object], repository: str) -> None:
    assert details.npm_details(about)["repository"] == repository


def packed(folder: Path, files: dict[str, bytes]) -> Path:
    archive = folder / "package.tgz"
    with tarfile.open(archive, mode="w:gz") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return archive


def test_an_archive_is_read_without_what_others_wrote(tmp_path: Path) -> None:
    files = {
        "package/index.js": "你好".encode(),
        "package/node_modules/other/index.js": b"other",
        "package/logo.png": b"\x89PNG",
        "../outside.js": b"outside",
    }
    assert read_packed_sources(packed(tmp_path, files)) == {"index.js": "你好", "outside.js": "outside"}
    assert not (tmp_path.parent / "outside.js").exists()
