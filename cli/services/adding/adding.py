"""Makes a service of a foreign server: finds its version, locks it, builds its image, and lists its tools for real."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from cli.services.adding import drafts, reviews, service_files, tool_kinds
from cli.services.adding.making import Made, Workshop, not_looked_into, size_of
from cli.services.adding.service_files import Choices
from cli.services.adding.tool_kinds import ToolKind
from cli.services.importing.requests import Kind, SourceRequest
from cli.services.sources import locking
from cli.services.sources.packages import LockReport, Package, choose_program
from infra.services import foreign_catalog
from infra.services.catalog import SPEC_FILE, ServiceSpec, load_spec
from infra.services.contract import LOCK_FILE, Contract
from infra.services.scan import Finding
from infra.services.scan import Package as ScannedPackage
from infra.services.scan.review import open_in
from infra.services.source import SourceKind

_KINDS: dict[Kind, SourceKind] = {Kind.NPM: "npm", Kind.PYPI: "pypi", Kind.GO: "go", Kind.OCI: "oci", Kind.URL: "url"}


@dataclass(frozen=True)
class Candidate:
    """A service that is ready, and what a person should see before it is taken.

    Attributes:
        folder: Its folder, which is not in mcp-servers/ yet.
        content: Its service.yaml.
        package: What its registry says about it.
        report: What its lock holds.
        contract: Its tools.
        kinds: What each tool does.
        findings: What the scan found that nobody accepted.
        details: What its registry and its own files say; None if nobody could look.
        image_bytes: How large its image is, 0 if that is not known.
        remarks: What was decided on the way, in the user's language.
    """

    folder: Path
    content: dict[str, Any]
    package: Package
    report: LockReport
    contract: Contract
    kinds: list[ToolKind]
    findings: tuple[Finding, ...]
    details: ScannedPackage | None = None
    image_bytes: int = 0
    remarks: tuple[str, ...] = ()


#: What a person decides about the tools and the findings of a candidate; an exception stops everything.
Review = Callable[[Candidate], "Decisions"]


@dataclass(frozen=True)
class Decisions:
    """What a person decided about a candidate: kinds of tools by name, and accepted findings as service.yaml has them."""

    tools: Mapping[str, str] = field(default_factory=dict)
    accepted: Sequence[Mapping[str, str]] = ()


class Adder(Workshop):
    """Makes services of foreign servers."""

    def find(self, request: SourceRequest) -> Package:
        """Return the exact version of what is asked for. Raises SourceError, EngineError, SetupError."""
        if request.kind is Kind.URL:
            return Package("url", "", "", request.package)
        return locking.find(_KINDS[request.kind], wanted(request), self._home, self._display, self._before)

    def add(self, request: SourceRequest, choices: Choices, package: Package, review: Review) -> Candidate:
        """Make the service and move it to mcp-servers/ once `review` has approved of it.

        Raises StackError, ConfigurationError, EngineError, SetupError and what `review` raises; mcp-servers/ is then
        as before.
        """
        command = _command(request, package)
        content, remark = reviews.with_review(
            service_files.service_content(request, choices, package.reference, command, {}),
            request.kind.value,
            request.package,
            foreign_catalog.load(self._servers),
        )
        secrets = {name: secret.value for name, secret in request.secrets.items() if secret.value}
        transports = [request.transport] if request.transport else ["streamable-http", "sse"]
        return self.add_content(
            choices.name,
            content,
            package,
            secrets,
            review,
            transports,
            off=request.hidden_tools,
            only=request.only_tools,
            remarks=(remark,) if remark else (),
        )

    def add_content(
        self,
        name: str,
        content: dict[str, Any],
        package: Package,
        secrets: Mapping[str, SecretStr],
        review: Review,
        transports: Sequence[str],
        *,
        off: Sequence[str] = (),
        only: Sequence[str] | None = None,
        remarks: Sequence[str] = (),
    ) -> Candidate:
        """Make the service `name` of the content of a service.yaml, as `add` does.

        `off` are tools that are switched off, `only` those that are not; `remarks` are told before those of making it.
        """
        with drafts.draft(self._servers, name) as folder:
            made = self._maker.make(folder, content, secrets, transports)
            made.remarks[:0] = remarks
            known = made.content["source"].get("tools", {})
            decided = {**known, **tool_kinds.decisions(made.listed.contract, off=off, only=only)}
            candidate = self._candidate(folder, made, package, decided)
            decisions = review(candidate)
            content = with_decisions(made.content, {**decided, **decisions.tools}, decisions.accepted)
            service_files.write(folder, content)
            (folder / LOCK_FILE).write_text(made.listed.text, encoding="utf-8", newline="\n")
            kinds = tool_kinds.kinds(made.listed.contract, content["source"].get("tools", {}))
            others = made.listed.contract.others
            section = self._findings_section(folder, made.listed.contract, candidate.details)
            service_files.write_readme(folder, content, [(kind.name, kind.kind) for kind in kinds], others, section)
            load_spec(folder / SPEC_FILE)
            target = drafts.put_in_place(folder, self._servers)
        return replace(candidate, folder=target, content=content, kinds=kinds)

    def _candidate(self, folder: Path, made: Made, package: Package, decided: Mapping[str, str]) -> Candidate:
        contract = made.listed.contract
        source = load_spec(folder / SPEC_FILE, locks=False).source
        details = self._details(source)
        return Candidate(
            folder,
            made.content,
            package,
            made.report,
            contract,
            tool_kinds.kinds(contract, decided),
            findings(folder, contract, self._catalog, details),
            details,
            size_of(made.image),
            (*made.remarks, *made.listed.notes, *not_looked_into(source, details)),
        )


def wanted(request: SourceRequest) -> str:
    """Return package and version in the form in which their registry is asked."""
    version = "" if request.version == "latest" and request.kind is Kind.PYPI else request.version
    if request.kind is Kind.PYPI:
        extras = f"[{','.join(request.extras)}]" if request.extras else ""
        is_exact = bool(version) and version[0] not in "<>=!~"
        return f"{request.package}{extras}{'==' * is_exact}{version}"
    if request.kind is Kind.OCI and version and not version.startswith("sha256:"):
        return f"{request.package}:{version}"
    return f"{request.package}@{version}" if version else request.package


def with_decisions(
    content: Mapping[str, Any], tools: Mapping[str, str], accepted: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """Return a service.yaml with what a person decided about tools and findings."""
    source = dict(content["source"])
    if tools:
        source["tools"] = dict(tools)
    if accepted:
        source["accepted"] = [*source.get("accepted", ()), *(dict(entry) for entry in accepted)]
    return {**content, "source": source}


def findings(
    folder: Path, contract: Contract, catalog: Mapping[str, ServiceSpec], details: ScannedPackage | None = None
) -> tuple[Finding, ...]:
    """Return what the scan finds in the tools and the package of a service that nobody accepted, the worst first.

    `details` is what the package's registry and its files say.
    """
    return open_in(load_spec(folder / SPEC_FILE, locks=False), contract, catalog, details)


def _command(request: SourceRequest, package: Package) -> str:
    if request.kind in (Kind.NPM, Kind.PYPI):
        return choose_program(package, request.command)
    return request.command if request.kind is Kind.OCI else ""
