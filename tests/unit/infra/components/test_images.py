"""The name of an image changes only with its sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.components.docker.images import content_hash
from infra.schema.problems import ConfigurationError

REPOSITORY = Path(__file__).resolve().parents[4]
DOCKERFILES = sorted(
    file.relative_to(REPOSITORY).as_posix()
    for pattern in ("[a-z]*/Dockerfile", "[a-z]*/[a-z]*/Dockerfile")
    for file in REPOSITORY.glob(pattern)
)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "a.py").write_text("a")
    (tmp_path / "kit" / "b.py").write_text("b")
    (tmp_path / "Dockerfile").write_text("FROM x")
    return tmp_path


def named(root: Path, **arguments: str) -> str:
    return content_hash(root, {"kit", "Dockerfile"}, arguments)


def test_equal_sources_have_equal_names(sources: Path) -> None:
    assert named(sources) == named(sources)


@pytest.mark.parametrize("file", ["kit/a.py", "Dockerfile"])
def test_a_changed_file_changes_the_name(sources: Path, file: str) -> None:
    before = named(sources)
    (sources / file).write_text("changed")
    assert named(sources) != before


def test_a_new_a_renamed_and_an_executable_file_change_the_name(sources: Path) -> None:
    names = {named(sources)}
    (sources / "kit" / "c.py").write_text("")
    names.add(named(sources))
    (sources / "kit" / "c.py").rename(sources / "kit" / "d.py")
    names.add(named(sources))
    (sources / "kit" / "d.py").chmod(0o755)
    names.add(named(sources))
    assert len(names) == 4


def test_moving_a_byte_from_one_file_to_the_next_changes_the_name(sources: Path) -> None:
    (sources / "kit" / "a.py").write_text("ab")
    (sources / "kit" / "b.py").write_text("c")
    before = named(sources)
    (sources / "kit" / "a.py").write_text("a")
    (sources / "kit" / "b.py").write_text("bc")
    assert named(sources) != before


@pytest.mark.parametrize("file", ["kit/README.md", "kit/tests/test_a.py", "kit/__pycache__/a.pyc", "other.py"])
def test_what_does_not_enter_the_image_does_not_change_the_name(sources: Path, file: str) -> None:
    before = named(sources)
    (sources / file).parent.mkdir(parents=True, exist_ok=True)
    (sources / file).write_text("x")
    assert named(sources) == before


def test_a_build_argument_changes_the_name(sources: Path) -> None:
    assert named(sources, UID="1") != named(sources, UID="2")


def test_a_missing_part_is_named(sources: Path) -> None:
    with pytest.raises(ConfigurationError, match="no-such-folder"):
        content_hash(sources, {"no-such-folder"}, {})


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_another_generation_reaches_every_command_of_a_build(dockerfile: str) -> None:
    text = (REPOSITORY / dockerfile).read_text(encoding="utf-8")
    assert 0 < text.find("\nARG BUILD_GENERATION") < text.find("\nRUN ")
