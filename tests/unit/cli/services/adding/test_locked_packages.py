"""The packages of a lock are those that a container gets."""

from __future__ import annotations

import json
from pathlib import Path

from cli.services.adding import locked_packages


def test_packages_of_other_systems_in_a_python_lock_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(
        "# made by uv\n"
        "mcp[cli]==1.30.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via x\n"
        "pywin32==312 ; sys_platform == 'win32' \\\n    --hash=sha256:cc\n"
        "uvloop==0.22 ; sys_platform != 'win32' and python_version >= '3.9' \\\n    --hash=sha256:dd\n"
    )
    assert locked_packages.packages(tmp_path, "pypi") == {"mcp": "1.30.0", "uvloop": "0.22"}


def test_packages_of_npm_are_listed_with_all_their_versions_and_their_scripts(tmp_path: Path) -> None:
    packages = {
        "": {"dependencies": {}},
        "node_modules/a": {"version": "1.0.0"},
        "node_modules/b/node_modules/a": {"version": "2.0.0"},
        "node_modules/@s/c": {"version": "3.0.0", "hasInstallScript": True},
    }
    (tmp_path / "package-lock.json").write_text(json.dumps({"packages": packages}))
    assert locked_packages.packages(tmp_path, "npm") == {"@s/c": "3.0.0", "a": "1.0.0, 2.0.0"}
    assert locked_packages.install_scripts(tmp_path, "npm") == ("@s/c",)


def test_modules_of_go_are_listed(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text(
        "module dyber.local/server\n\ngo 1.25.0\n\ntool example.org/m/x\n\n"
        "require (\n\texample.org/m v1.0.0 // indirect\n\tgolang.org/x/y v0.1.0 // indirect\n)\n"
    )
    assert locked_packages.packages(tmp_path, "go") == {"example.org/m": "v1.0.0", "golang.org/x/y": "v0.1.0"}


def test_an_image_and_an_address_have_no_packages(tmp_path: Path) -> None:
    assert locked_packages.packages(tmp_path, "oci") == {} == locked_packages.packages(tmp_path, "url")


def test_changes_tell_what_was_added_removed_and_changed() -> None:
    changes = locked_packages.changes({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"})
    assert (changes.added, changes.removed, changes.changed) == ({"d": "1"}, {"c": "1"}, {"b": ("1", "2")})
    assert changes
    assert not locked_packages.changes({"a": "1"}, {"a": "1"})
