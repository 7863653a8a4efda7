"""Generates the requirements.txt files, which pin every Python package with the hashes of its files."""

from __future__ import annotations

from pathlib import Path

import yaml

from cli.system import uv
from infra.services.catalog import SPEC_FILE
from messages import tr
from toolchain import processes, versions
from toolchain.progress import Progress


def sources(root: Path) -> dict[Path, Path]:
    """Return by requirements.txt the file that it is generated from.

    The order matters: a file with a line `-c` uses the versions of a requirements.txt that is generated before it.
    """
    servers = root / "mcp-servers"
    kit = {servers / "kit" / "requirements.txt": servers / "kit" / "pyproject.toml"}
    support = root / "tests" / "support"
    apart = [support / name / "requirements.in" for name in ("foreign", "old_clients")]
    tests = [root / "tests" / "requirements.in", *apart]
    builders = sorted((servers / "kit" / "builders").glob("*.in"))
    # The requirements of a source are made from its service.yaml: cli.services.sources.
    services = [file for file in sorted(servers.glob("*/requirements.in")) if not has_source(file.parent)]
    console = root / "console" / "requirements.in"
    named = [*builders, *services, console, root / "requirements.in", *tests]
    return kit | {file.with_suffix(".txt"): file for file in named}


def has_source(folder: Path) -> bool:
    """Tell whether the service.yaml in a folder names a source; one that cannot be read names none."""
    try:
        content = yaml.safe_load((folder / SPEC_FILE).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return False
    return isinstance(content, dict) and bool(content.get("source"))


def lock(root: Path, progress: Progress, *, upgrade: bool = False, service: str | None = None) -> list[Path]:
    """Generate all requirements.txt files, or only that of a service, and return those that changed. Raises SetupError.

    Indirect dependencies keep their versions; with `upgrade` they get the newest ones.
    """
    changed = []
    for target, source in sources(root).items():
        if service is not None and target.parent != root / "mcp-servers" / service:
            continue
        name = target.relative_to(root).as_posix()
        before = target.read_bytes() if target.exists() else b""
        with progress.phase(name):
            processes.stream(
                [
                    *uv.COMMAND, "pip", "compile", "--quiet", "--universal", "--generate-hashes",
                    "--python-version", versions.load().python_minimum,
                    "--custom-compile-command", "./deploy.sh lock",
                    source.name, "--output-file", target.name, *(["--upgrade"] if upgrade else []),
                ],
                progress,
                what=name,
                next_step=tr("check the versions in {file} and the network (DYBER_PIP_INDEX_URL), then try again", file=source.relative_to(root)),
                cwd=source.parent,
                env=uv.uv_environment(),
            )  # fmt: skip
        if target.read_bytes() != before:
            changed.append(target)
    return changed
