"""Tests what a user of the real pulumi sees of the language host."""

from __future__ import annotations

import json

import pytest

from toolchain import proxies


@pytest.mark.parametrize(
    ("kind", "message", "source_line"),
    [
        ("apply", "ValueError: a mistake in an apply", 'raise ValueError("a mistake in an apply")'),
        (
            "import",
            "ModuleNotFoundError: No module named 'a_module_that_is_not_there'",
            "import a_module_that_is_not_there",
        ),
    ],
)
def test_an_error_in_the_program_shows_only_the_users_own_lines(project, kind, message, source_line):
    done = project.pulumi("preview", FAIL=kind)
    assert done.returncode != 0
    assert done.stdout.count(message) == 1
    assert source_line in done.stdout
    assert f"{project.folder.name}/program/__main__.py" in done.stdout
    for foreign in ("run_program.py", "runpy", "asyncio", "pulumi/runtime", "KeyboardInterrupt"):
        assert foreign not in done.stdout


def test_a_program_that_exits_with_a_message_fails_with_that_message(project):
    done = project.pulumi("preview", FAIL="exit")
    assert done.returncode != 0
    assert "enough is enough" in done.stdout
    assert "Traceback" not in done.stdout


def test_pulumi_about_names_the_python_and_packages_of_the_project(project):
    about = json.loads(project.ok("about", "--json"))
    assert about["runtime"]["language"] == "python"
    versions = {package["name"]: package["version"] for package in about["dependencies"]}
    assert versions["pulumi_docker"] == "5.2.0"


def test_a_preview_has_no_warnings_about_plugins_or_updates(project):
    shown = project.ok("preview")
    for word in ("warning", "$PATH", "plugin", "new version"):
        assert word not in shown


def test_pulumi_reaches_its_program_directly_despite_a_proxy_in_the_environment(project):
    dead_proxy = "http://127.0.0.1:9"
    variables = {"http_proxy": dead_proxy, "https_proxy": dead_proxy}
    assert project.pulumi("preview", **variables).returncode != 0  # gRPC would send loopback through the proxy
    project.ok("preview", **variables | proxies.loopback_bypass(variables))
