"""Makes the project's virtual environment and installs its requirements, for `pulumi install`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from pulumi.runtime.proto import language_pb2

from . import projects
from .children import Children


def install(request: language_pb2.InstallDependenciesRequest, children: Children) -> Iterator[bytes]:
    """Yield the output of `venv` and `pip`. Raises ProjectError when one of them fails."""
    for command in commands(request):
        yield f"+ {' '.join(command)}\n".encode()
        child = subprocess.Popen(
            command,
            cwd=request.directory or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        with children.watch(child):
            assert child.stdout is not None
            yield from child.stdout
        if child.returncode != 0:
            raise projects.ProjectError(f"{' '.join(command)} failed with exit code {child.returncode}")


def commands(request: language_pb2.InstallDependenciesRequest) -> list[list[str]]:
    """Return the commands to run. They use requirements.txt of the program's folder, else of the project's root."""
    planned: list[list[str]] = []
    folder = projects.virtual_environment(request.info)
    if folder is None:
        python = projects.base_interpreter()
    else:
        python = str(folder / projects.BIN / projects.EXECUTABLE)
        if not Path(python).exists():
            planned.append([projects.base_interpreter(), "-m", "venv", str(folder)])
    for place in (request.info.program_directory, request.info.root_directory, request.directory):
        requirements = Path(place, "requirements.txt") if place else None
        if requirements and requirements.exists():
            planned.append([python, "-m", "pip", "install", "--disable-pip-version-check", "-r", str(requirements)])
            break
    return planned
