"""The environment in which Pulumi runs, for this process and for people's shells."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from messages import tr
from toolchain import prerequisites
from toolchain.errors import SetupError
from toolchain.home import DyberHome
from toolchain.pulumi import backend


def activate(home: DyberHome, *, ask_engine: bool = True) -> None:
    """Put what Pulumi needs into this process's environment, and so into that of all it starts. What reads a state
    needs no engine, and need not `ask_engine` which there is.

    Raises SetupError on a machine that has not been set up, or for a state backend that there is not.
    """
    backend.configured(home).check()
    os.environ.update(prerequisites.environment(home, ask_engine=ask_engine))
    if not shutil.which("pulumi"):
        raise SetupError(
            tr("this machine is not set up: there is no pulumi"),
            tr("run ./deploy.sh first"),
            exit_code=2,
        )
    os.environ["PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK"] = "true"


def shell_lines(variables: Mapping[str, str]) -> Iterator[str]:
    """`export` lines for POSIX shells, `$env:` lines on Windows (PowerShell), with the virtual environment on PATH."""
    for key, value in sorted(variables.items()):
        if key == "PATH":
            value = os.pathsep.join([str(Path(sys.executable).parent), value])
        if os.name == "nt":
            quoted = value.replace("'", "''")
            yield f"$env:{key} = '{quoted}'"
        else:
            yield f"export {key}={shlex.quote(value)}"
