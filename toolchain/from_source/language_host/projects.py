"""Finds the Python that runs a project, and its environment."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from pulumi.runtime.proto import language_pb2

BIN = "Scripts" if os.name == "nt" else "bin"
EXECUTABLE = "python.exe" if os.name == "nt" else "python"


class ProjectError(Exception):
    """The project's Python settings cannot be used; the message is for the user."""


def virtual_environment(info: language_pb2.ProgramInfo) -> Path | None:
    """Return the folder that `runtime.options.virtualenv` names, relative to the project's root."""
    options = json_format.MessageToDict(info.options)
    toolchain = options.get("toolchain") or "pip"
    if toolchain != "pip":
        raise ProjectError(
            f"Pulumi.yaml: runtime.options.toolchain is {toolchain!r}; this language host knows only pip. "
            "Write `toolchain: pip`, or install Pulumi's own release."
        )
    folder = options.get("virtualenv")
    return Path(info.root_directory) / folder if folder else None


def base_interpreter() -> str:
    """Return the Python outside of any virtual environment."""
    return os.environ.get("PULUMI_PYTHON_CMD") or ("python" if os.name == "nt" else "python3")


def interpreter(info: language_pb2.ProgramInfo) -> str:
    """Return the Python that runs the program: that of its virtual environment, else the base interpreter."""
    folder = virtual_environment(info)
    if folder is None:
        return base_interpreter()
    # The symbolic link is not resolved: its place makes it the Python of a virtual environment.
    python = folder / BIN / EXECUTABLE
    if not python.exists():
        raise ProjectError(
            f"Pulumi.yaml: runtime.options.virtualenv is {str(folder)!r}, where there is no {BIN}/{EXECUTABLE}. "
            "Run `pulumi install`."
        )
    return str(python)


def environment(info: language_pb2.ProgramInfo) -> dict[str, str]:
    """Return the caller's environment with the project's virtual environment activated."""
    env = dict(os.environ)
    folder = virtual_environment(info)
    if folder is not None:
        env["VIRTUAL_ENV"] = str(folder)
        env["PATH"] = os.pathsep.join([str(folder / BIN), env.get("PATH", "")])
    return env


def ask(info: language_pb2.ProgramInfo, code: str) -> list[Any]:
    """Run `code`, which prints a JSON list, in the project's Python, and return the list."""
    done = subprocess.run(
        [interpreter(info), "-I", "-c", code],
        env=environment(info),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise ProjectError(f"{interpreter(info)} failed: {done.stderr.strip()}")
    answer: list[Any] = json.loads(done.stdout)
    return answer


def about(info: language_pb2.ProgramInfo) -> dict[str, str]:
    """Return the Python's path and version, for `pulumi about`."""
    answer = ask(info, "import json, platform, sys; print(json.dumps([sys.executable, platform.python_version()]))")
    executable, version = answer
    return {"executable": executable, "version": version}


def installed_packages(info: language_pb2.ProgramInfo) -> list[tuple[str, str]]:
    """Return name and version of each Python package that the program can import."""
    answer = ask(
        info,
        "import importlib.metadata as m, json\n"
        "print(json.dumps(sorted({(d.metadata['Name'], d.version) for d in m.distributions()})))",
    )
    return [(name, version) for name, version in answer]


def required_plugins(info: language_pb2.ProgramInfo) -> list[dict[str, Any]]:
    """Return the plugins that the installed Pulumi SDKs require in their `pulumi-plugin.json`."""
    answer = ask(
        info,
        "import importlib.metadata as m, json\n"
        "found = [json.loads(f.locate().read_text()) for d in m.distributions()"
        " if (d.metadata['Name'] or '').lower().startswith('pulumi')"
        " for f in d.files or () if f.name == 'pulumi-plugin.json']\n"
        "print(json.dumps(found))",
    )
    return [
        {
            "name": plugin["name"],
            "kind": "resource",
            "version": "v" + plugin["version"].removeprefix("v"),
            "server": plugin.get("server", ""),
        }
        for plugin in answer
        if plugin.get("resource")
    ]
