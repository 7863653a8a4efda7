"""Locks a source, builds its image and asks the server for its tools, until it works in one of the known ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from cli.deployment.events import DeployError
from cli.deployment.image_build import build_image
from cli.engine import images
from cli.engine.errors import EngineError
from cli.services.adding import findings_section, locked_packages, service_files, tool_lists
from cli.services.adding.tool_lists import Listed, ListingError
from cli.services.sources import ages, details, locking
from cli.services.sources.packages import LockReport, SourceError
from cli.system.errors import StackError
from cli.terminal.console import Activities
from infra.schema.problems import ConfigurationError
from infra.services.catalog import SPEC_FILE, ServiceSpec, load_spec
from infra.services.contract import Contract
from infra.services.scan import Package
from infra.services.scan.review import all_in
from infra.services.source import Source
from infra.settings.build import BuildSettings
from messages import tr
from toolchain.errors import SetupError
from toolchain.home import DyberHome

#: Servers of before MCP's Python SDK 2 that do not bound its version need this.
OLD_SDK = "mcp<2"


@dataclass
class Made:
    """A service that was locked, built and asked.

    Attributes:
        content: Its service.yaml, completed by what was found out.
        remarks: What was found out, in the user's language.
        report: What its lock holds.
        listed: Its tools.
        image: The name of its image.
        is_kept: Whether the version of its program is the one before, which may be young.
    """

    content: dict[str, Any]
    remarks: list[str] = field(default_factory=list)
    report: LockReport = field(default_factory=lambda: LockReport(0))
    listed: Listed = field(default_factory=lambda: Listed("", Contract({})))
    image: str = ""
    lock_of: object = None
    is_kept: bool = False


#: Makes a block in which an image is built.
Guard = Callable[[], AbstractContextManager[None]]


class Maker:
    """Makes services in folders beside mcp-servers/.

    `build` is how images are built; each build is done within `guard()`, which decides what a Ctrl-C does then.
    Nothing that was published after `before` is locked anew.
    """

    def __init__(
        self,
        home: DyberHome,
        display: Activities,
        build: BuildSettings,
        guard: Guard = nullcontext,
        before: datetime | None = None,
    ) -> None:
        self._home, self._display, self._build, self._guard = home, display, build, guard
        self._before = before

    def make(
        self,
        folder: Path,
        content: dict[str, Any],
        secrets: Mapping[str, SecretStr],
        transports: Sequence[str],
        *,
        upgrade: bool = False,
        is_kept: bool = False,
    ) -> Made:
        """Lock, build and ask the server in `folder`, over the first of `transports` that works.

        With `upgrade`, what it depends on gets its newest versions too. A version that `is_kept` may be younger than
        what is locked anew. Raises StackError, ConfigurationError, EngineError, SetupError.
        """
        made = Made(content, is_kept=is_kept)
        failures: dict[str, ListingError] = {}
        for transport in transports:
            if transport != "stdio":
                made.content["source"]["transport"] = transport
            try:
                self._ask(folder, made, secrets, upgrade)
                break
            except ListingError as error:
                failures[transport] = error
        else:
            if not _may_need_the_old_sdk(folder, made.content):
                raise _of_all_transports(failures)
            self._with_old_sdk(folder, made, secrets, upgrade, _of_all_transports(failures))
        if self._before and "url" in made.content["source"]:
            made.remarks.append(tr("--min-age does not apply: a remote server can change at any time"))
        if len(transports) > 1:
            made.remarks.append(tr("it answered over {transport}", transport=made.content["source"]["transport"]))
        return made

    def _with_old_sdk(
        self, folder: Path, made: Made, secrets: Mapping[str, SecretStr], upgrade: bool, first: ListingError
    ) -> None:
        """Try again with MCP's older SDK. Raises `first`, the failure without it, if that does not help."""
        source = made.content["source"]
        source["with"] = [*source.get("with", ()), OLD_SDK]
        try:
            with self._display.phase(tr("It does not start with MCP's Python SDK 2; trying {sdk}", sdk=OLD_SDK)):
                self._ask(folder, made, secrets, upgrade)
        except (StackError, EngineError, DeployError, ConfigurationError) as second:
            no_help = tr("(with {sdk} it does not work either)", sdk=OLD_SDK)
            raise ListingError(f"{first}\n  {no_help}", first.next_step, first.lines) from second
        made.remarks.append(tr("it needs an older SDK: with: [{sdk}] was written", sdk=OLD_SDK))

    def _ask(self, folder: Path, made: Made, secrets: Mapping[str, SecretStr], upgrade: bool) -> None:
        made.content["source"].pop("era", None)
        spec = self._locked(folder, made, upgrade)
        image = self._image(spec, folder)
        with self._display.phase(tr("Starting {name} and asking for its tools", name=spec.name), 10):
            era = tool_lists.era(spec, image, secrets)
        if era != "legacy":
            made.content["source"]["era"] = era
            spec = self._locked(folder, made, upgrade)
            image = self._image(spec, folder)
        made.image = image
        with self._display.phase(tr("Reading the tools of {name}", name=spec.name), 5):
            made.listed = tool_lists.tools(spec, image, secrets)

    def _image(self, spec: ServiceSpec, folder: Path) -> str:
        with self._guard():
            return build_image(spec, self._build, self._display, folder.parent)

    def _locked(self, folder: Path, made: Made, upgrade: bool) -> ServiceSpec:
        service_files.write(folder, made.content)
        spec = load_spec(folder / SPEC_FILE, locks=False)
        assert spec.source
        wanted_lock = (spec.source.reference, spec.source.requirements)
        if made.lock_of != wanted_lock:
            before = None if made.is_kept else self._before
            made.report = locking.write_locks(
                spec.source, folder, self._home, self._display, upgrade=upgrade, before=before
            )
            made.lock_of = wanted_lock
        return spec


def _of_all_transports(failures: Mapping[str, ListingError]) -> ListingError:
    """Return the first failure, with the others behind it where they say something else."""
    first, *others = failures.items()
    texts = [tr("over {transport}: {reason}", transport=name, reason=error) for name, error in others
             if str(error) != str(first[1])]  # fmt: skip
    if not texts:
        return first[1]
    return ListingError("\n  ".join([str(first[1]), *texts]), first[1].next_step, first[1].lines)


def _may_need_the_old_sdk(folder: Path, content: Mapping[str, Any]) -> bool:
    """Tell whether a Python server that did not start was locked with MCP's SDK 2, which breaks older servers."""
    source = content["source"]
    if "pypi" not in source or any(re.match(r"mcp\b", requirement) for requirement in source.get("with", ())):
        return False
    return locked_packages.packages(folder, "pypi").get("mcp", "").startswith("2")


class Workshop:
    """Holds what adding and updating services in mcp-servers/ (`servers`) both need.

    `build` is how images are built; `catalog` are the other services, which the scan compares with. Nothing younger
    than `min_age` days is taken.
    """

    def __init__(
        self,
        servers: Path,
        home: DyberHome,
        display: Activities,
        build: BuildSettings,
        catalog: Mapping[str, ServiceSpec],
        guard: Guard = nullcontext,
        min_age: int = 0,
    ) -> None:
        self._servers, self._home, self._display, self._catalog = servers, home, display, catalog
        self._before = ages.latest_moment(min_age)
        self._maker = Maker(home, display, build, guard, self._before)

    def _details(self, source: Source | None) -> Package | None:
        """Return what the registry and the files of a package say; None if they cannot be had, or for an address."""
        if source is None or source.kind == "url":
            return None
        try:
            return details.look_into(source, self._home, self._display)
        except (SourceError, EngineError, SetupError):
            return None

    def _findings_section(self, folder: Path, contract: Contract, details: Package | None) -> str:
        """Return the section of the README about what the scan finds in a service; `details` as of `_details`."""
        spec = load_spec(folder / SPEC_FILE, locks=False)
        looked = details is not None or spec.source is None or spec.source.kind == "url"
        found = all_in(spec, contract, self._catalog, details)
        return findings_section.section(found, spec.accepted_findings, looked=looked)


def not_looked_into(source: Source | None, package: Package | None) -> tuple[str, ...]:
    """Return a remark if the scan had to do without the files and the age of a package."""
    if package or source is None or source.kind == "url":
        return ()
    return (tr("its files and its age could not be had, so the scan says nothing about them (S02, S03, S06)"),)


def size_of(image: str) -> int:
    """Return how many bytes an image has with all its layers; 0 if the engine does not say it."""
    try:
        return images.size(image)
    except EngineError:
        return 0
