"""Reads and writes the secrets of a stack's file through Pulumi; a value is never on a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from cli.deployment.events import DeployError, explain
from cli.system import programs
from cli.system.errors import StackError
from infra.settings.names import NAMESPACE
from infra.settings.stack import file_content
from messages import tr
from toolchain.errors import SetupError
from toolchain.home import DyberHome


def decrypted(stack: str, root: Path) -> dict[str, Any]:
    """Return the content of the stack's file by key, secrets in clear. Needs the stack's passphrase, but no engine.

    Raises StackError if the secrets cannot be decrypted.
    """
    from pulumi import automation as auto
    from pulumi.automation.errors import CommandError

    try:
        activate(DyberHome.from_environment())
        values = auto.LocalWorkspace(work_dir=str(root)).get_all_config(stack)
    except SetupError as error:
        raise _unreadable(stack, error.message, error.next_step) from None
    except CommandError as error:
        raise _explained(stack, str(error)) from None
    return file_content({key: value.value for key, value in values.items() if value.value is not None})


def store(stack: str, root: Path, key: str, value: str) -> None:
    """Write the secret `value` encrypted into the stack's file, under a key such as `cache.password`.

    A stack that does not exist yet is created. Raises StackError if Pulumi refuses.
    """
    activate(DyberHome.from_environment())
    Deployment.open(stack)
    done = programs.run(
        ["pulumi", "config", "set", "--path", f"{NAMESPACE}:{key}", "--secret", "--stack", stack, "--non-interactive"],
        cwd=root, input=value, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    if done.returncode:
        raise _explained(stack, done.stderr)


def _explained(stack: str, output: str) -> StackError:
    if "no stack named" in output:
        option = "" if stack == "dev" else f" -s {stack}"
        return _unreadable(
            stack,
            tr("this stack is not known here"),
            tr("deploy it: ./deploy.sh{option}; or choose the right backend (./deploy.sh doctor)", option=option),
        )
    known = explain(output, [])
    reason = next((line for line in output.splitlines() if "error:" in line), "").partition("error:")[2].strip()
    if isinstance(known, DeployError) and known.message != explain("", []).args[0]:
        return _unreadable(stack, known.message, known.next_step)
    return _unreadable(stack, reason or output.strip(), tr("run ./deploy.sh doctor"))


def _unreadable(stack: str, reason: str, next_step: str) -> StackError:
    return StackError(
        tr("the secrets of stack {stack} cannot be read: {reason}", stack=stack, reason=reason), next_step
    )
