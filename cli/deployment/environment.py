"""Provides the environment variables that Pulumi needs, for this process and for users' shells."""

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
    """Put the variables that Pulumi needs into the environment of this process and of all programs it starts.

    Without `ask_engine`, the engine is not looked for; reading a state does not need it. Raises SetupError on a machine
    that is not set up, and for a state backend that does not exist.
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
    """Yield the variables as `export` lines for POSIX shells, or as `$env:` lines for PowerShell on Windows.

    The virtual environment is added to PATH.
    """
    for key, value in sorted(variables.items()):
        if key == "PATH":
            value = os.pathsep.join([str(Path(sys.executable).parent), value])
        if os.name == "nt":
            quoted = value.replace("'", "''")
            yield f"$env:{key} = '{quoted}'"
        else:
            yield f"export {key}={shlex.quote(value)}"
