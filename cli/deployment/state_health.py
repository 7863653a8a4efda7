"""What `dyber doctor` says of the state: whether its backend answers, and what encrypts each stack's secrets."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import yaml

from cli.deployment import secrets_provider
from cli.deployment.events import DeployError, explain
from cli.system import programs
from infra.schema.problems import ConfigurationError
from messages import tr
from toolchain import prerequisites, versions
from toolchain.home import DyberHome
from toolchain.prerequisites import Finding
from toolchain.pulumi import backend, pulumi_cli
from toolchain.pulumi.backend import masked

ANSWER_SECONDS = 30.0


def with_state(findings: list[Finding], home: DyberHome, root: Path) -> list[Finding]:
    """The findings, that on the backend after asking one on another machine for its stacks, and one on the secrets."""
    return [*(_asked(item, home, root) if item.key == "backend" else item for item in findings), secrets(root)]


def secrets(root: Path) -> Finding:
    """Which secrets provider the stacks of the checkout have, and which a new one gets."""
    title = tr("Encryption of secrets")
    try:
        stacks: dict[str, list[str]] = {}
        for file in sorted(root.glob("Pulumi.*.yaml")):
            provider = secrets_provider.for_new_stack(file) or tr("passphrase")
            stacks.setdefault(provider, []).append(file.name.split(".")[1])
    except (ConfigurationError, yaml.YAMLError) as error:
        return Finding("secrets", title, False, advice=str(error))
    return Finding("secrets", title, True, "; ".join(f"{', '.join(names)}: {masked(provider)}"
                                                     for provider, names in stacks.items()))  # fmt: skip


def _asked(found: Finding, home: DyberHome, root: Path) -> Finding:
    cli = pulumi_cli.find_cli(home, versions.load())
    if not found.ok or cli is None or backend.configured(home).is_local:
        return found
    environment = {**os.environ, **prerequisites.environment(home)}
    try:
        done = programs.run(
            ["pulumi", "stack", "ls", "--non-interactive", "--color=never"],
            cwd=root, env=environment, capture_output=True, text=True, errors="replace",
            timeout=ANSWER_SECONDS,
        )  # fmt: skip
    except programs.ProgramError as error:
        return replace(found, ok=False, advice=f"{error.message}. {error.next_step}")
    if done.returncode == 0:
        return found
    explained = explain(done.stderr, [])
    if not isinstance(explained, DeployError):
        return found
    return replace(found, ok=False, advice=f"{explained.message}. {explained.next_step}")
