"""Brings the source of a service to another version, and tells all that changes with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version
from pydantic import SecretStr

from cli.services.adding import drafts, findings_section, locked_packages, service_files, tool_kinds
from cli.services.adding.adding import findings
from cli.services.adding.locked_packages import PackageChanges
from cli.services.adding.making import Workshop, not_looked_into
from cli.services.adding.tool_kinds import ToolKind
from cli.services.sources import locking
from cli.services.sources.packages import Package
from cli.terminal.console import Activities
from infra.services.catalog import SPEC_FILE, ServiceSpec, load_spec
from infra.services.contract import LOCK_FILE, Contract, load_lock
from infra.services.scan import Finding
from infra.services.scan import Package as ScannedPackage
from infra.services.source import Source
from messages import tr
from toolchain.home import DyberHome


@dataclass(frozen=True)
class Update:
    """Everything that an update changes in a service.

    Attributes:
        service: The service's name.
        before: The reference of the package so far.
        after: The reference from now on.
        packages: How the locked packages change.
        scripts: Packages with scripts for installing that were not there before; they never run.
        tools: The tools so far and from now on.
        new_kinds: What the tools do that were not there before.
        findings: What the scan found that nobody accepted and that was not found before.
        other_keys: Keys of `source:` that change, such as `era`.
        remarks: What was decided on the way, in the user's language.
    """

    service: str
    before: str
    after: str
    packages: PackageChanges
    scripts: tuple[str, ...]
    tools: tuple[Contract, Contract]
    new_kinds: tuple[ToolKind, ...]
    findings: tuple[Finding, ...]
    other_keys: tuple[str, ...] = ()
    remarks: tuple[str, ...] = field(default=())

    def __bool__(self) -> bool:
        before, after = self.tools
        return bool(self.before != self.after or self.packages or before != after or self.other_keys)


#: Shows an update to a person, and returns decisions about new tools and accepted findings; an exception stops it.
ReviewUpdate = Callable[[Update], "tuple[Mapping[str, str], list[dict[str, str]]]"]


class Updater(Workshop):
    """Updates services of foreign servers.

    Attributes:
        remarks: What is to be said of the last update, also when it changed nothing.
    """

    remarks: tuple[str, ...] = ()

    def update(
        self, spec: ServiceSpec, to: str, secrets: Mapping[str, SecretStr], review: ReviewUpdate, *, upgrade: bool
    ) -> bool:
        """Update a service to the version `to`, "" for the newest; return whether anything changed.

        With `upgrade`, what it depends on gets its newest versions too. The service stays as it is if `review` raises.
        Raises StackError, ConfigurationError, EngineError, SetupError.
        """
        assert spec.source
        package = newest(spec.source, to, self._home, self._display, self._before)
        remarks: list[str] = []
        if self._before and not to and _is_older(package.version, spec.source.version):
            remarks.append(
                tr(
                    "the newest version that is old enough, {version}, is older than the present one, which stays",
                    version=package.version,
                )
            )
            package = replace(package, version=spec.source.version, reference=spec.source.reference)
        self.remarks, is_kept = tuple(remarks), bool(remarks)
        with drafts.draft(self._servers, spec.name, existing=True) as folder:
            content = service_files.read(folder)
            before = dict(content["source"])
            kind = spec.source.kind
            locked = locked_packages.packages(folder, kind)
            scripts = locked_packages.install_scripts(folder, kind)
            contract = load_lock(folder) or Contract({})
            looked = self._details(spec.source)
            known = {_identity(item) for item in findings(folder, contract, self._catalog, looked)}
            content["source"] = {**content["source"], kind: package.reference}
            transports = [spec.source.transport]
            # What it depends on may be as young as the version that is kept.
            upgrade = upgrade and not is_kept
            made = self._maker.make(folder, content, secrets, transports, upgrade=upgrade, is_kept=is_kept)
            after = Contract(made.listed.contract.tools, made.listed.contract.others)
            source = load_spec(folder / SPEC_FILE, locks=False).source
            if package.reference != spec.source.reference:
                looked = self._details(source)
            new = findings(folder, after, self._catalog, looked)
            decided = made.content["source"].get("tools", {})
            update = Update(
                spec.name,
                spec.source.reference,
                package.reference,
                locked_packages.changes(locked, locked_packages.packages(folder, kind)),
                tuple(sorted({*locked_packages.install_scripts(folder, kind)} - {*scripts})),
                (Contract(contract.tools, contract.others), after),
                tuple(item for item in tool_kinds.kinds(after, decided) if item.name not in contract.tools),
                tuple(item for item in new if _identity(item) not in known),
                _other_keys(before, made.content["source"], kind),
                (*remarks, *made.remarks, *made.listed.notes, *not_looked_into(source, looked)),
            )
            if not update:
                return self._told_anew(folder, spec.name, after, looked)
            tools, accepted = review(update)
            self._write(folder, made.content, {**decided, **tools}, accepted, made.listed.text)
            self._write_readme(folder, update, looked)
            drafts.replace_files(folder, self._servers / spec.name)
        return True

    def _told_anew(self, folder: Path, name: str, contract: Contract, looked: ScannedPackage | None) -> bool:
        """Bring what the README says of findings up to date where nothing else changes; return whether it differed."""
        readme = self._servers / name / service_files.README
        if looked is None or not readme.is_file():
            return False
        before = readme.read_text(encoding="utf-8")
        after = findings_section.replaced(before, self._findings_section(folder, contract, looked))
        if after != before:
            readme.write_text(after, encoding="utf-8", newline="\n")
        return after != before

    def _write(
        self,
        folder: Path,
        content: Mapping[str, Any],
        tools: Mapping[str, str],
        accepted: list[dict[str, str]],
        lock: str,
    ) -> None:
        source = {**content["source"]}
        if tools:
            source["tools"] = dict(tools)
        if accepted:
            source["accepted"] = [*source.get("accepted", ()), *accepted]
        service_files.write(folder, {**content, "source": source})
        (folder / LOCK_FILE).write_text(lock, encoding="utf-8", newline="\n")
        load_spec(folder / SPEC_FILE)

    def _write_readme(self, folder: Path, update: Update, looked: ScannedPackage | None) -> None:
        readme = folder / service_files.README
        if readme.is_file():
            text = readme.read_text(encoding="utf-8").replace(update.before, update.after)
            section = self._findings_section(folder, update.tools[1], looked)
            readme.write_text(findings_section.replaced(text, section), encoding="utf-8", newline="\n")


def newest(source: Source, to: str, home: DyberHome, display: Activities, before: datetime | None = None) -> Package:
    """Return the version `to` of a source's package, or its newest one that was published until `before`.

    Raises SourceError, EngineError, SetupError.
    """
    if source.kind == "url":
        return Package("url", "", "", source.reference)
    return locking.find(source.kind, wanted(source, to), home, display, before)


def wanted(source: Source, to: str = "") -> str:
    """Return in which form a registry is asked for the version `to` of a source's package, "" for the newest."""
    if source.kind == "pypi":
        name = source.reference.partition("==")[0]
        is_exact = bool(to) and to[0] not in "<>=!~"
        return f"{name}{'==' * is_exact}{to}"
    if source.kind == "oci":
        image, _, tag = source.reference.partition("@")[0].rpartition(":")
        name = source.package
        tagged = image and "/" not in tag
        return f"{name}:{to or (tag if tagged else 'latest')}"
    return f"{source.package}@{to or 'latest'}" if source.kind == "go" or to else source.package


def _is_older(version: str, present: str) -> bool:
    """Tell whether a version comes before the present one; digests and other words have no order."""
    try:
        return Version(version) < Version(present)
    except InvalidVersion:
        return False


def _identity(finding: Finding) -> tuple[str, ...]:
    """Return what makes two findings the same: for a package, whose hash has the version, the words that were found."""
    place = finding.excerpt if finding.code.startswith("S") else finding.sha256
    return (finding.code, finding.tool, place)


def _other_keys(before: Mapping[str, Any], after: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    keys = {*before, *after} - {kind, "tools", "accepted"}
    return tuple(sorted(key for key in keys if before.get(key) != after.get(key)))
