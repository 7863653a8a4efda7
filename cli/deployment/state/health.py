"""Checks for `dyber doctor` whether the state backend answers, and what encrypts each stack's secrets."""

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
    """Return the findings with a check of the remote state backend, and with a finding about secrets."""
    return [*(_with_answer(item, home, root) if item.key == "backend" else item for item in findings), secrets(root)]


def secrets(root: Path) -> Finding:
    """Return a finding that lists the secrets provider of each stack in the checkout."""
    title = tr("Encryption of secrets")
    try:
        stacks: dict[str, list[str]] = {}
        for file in sorted(root.glob("Pulumi.*.yaml")):
            provider = secrets_provider.for_new_stack(file) or secrets_provider.PASSPHRASE
            shown = tr("passphrase") if provider == secrets_provider.PASSPHRASE else provider
            stacks.setdefault(shown, []).append(file.name.split(".")[1])
    except (ConfigurationError, yaml.YAMLError) as error:
        return Finding("secrets", title, False, advice=str(error))
    parts = (tr("{names}: {what}", names=", ".join(names), what=masked(shown)) for shown, names in stacks.items())
    return Finding("secrets", title, True, tr("; ").join(parts))


def _with_answer(finding: Finding, home: DyberHome, root: Path) -> Finding:
    """Return the finding about the backend; it fails if a backend on another machine does not list its stacks."""
    cli = pulumi_cli.find_cli(home, versions.load())
    if not finding.ok or cli is None or backend.configured(home).is_local:
        return finding
    environment = {**os.environ, **prerequisites.environment(home)}
    try:
        done = programs.run(
            ["pulumi", "stack", "ls", "--non-interactive", "--color=never"],
            cwd=root, env=environment, capture_output=True, text=True, errors="replace",
            timeout=ANSWER_SECONDS,
        )  # fmt: skip
    except programs.ProgramError as error:
        return replace(finding, ok=False, advice=f"{error.message}. {error.next_step}")
    if done.returncode == 0:
        return finding
    explained = explain(done.stderr, [])
    if not isinstance(explained, DeployError):
        return finding
    return replace(finding, ok=False, advice=f"{explained.message}. {explained.next_step}")
