"""Takes the place of package registries and of the engine for tests of commands that add foreign servers.

`FakeRegistry` knows packages and what the servers in them list; locks are written as real ones are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cli.engine import images
from cli.services.adding import making, tool_lists, updating
from cli.services.adding.tool_lists import Listed, ListingError
from cli.services.sources import details, locking
from cli.services.sources.packages import LockReport, Package, SourceError
from infra.services.catalog import ServiceSpec
from infra.services.contract import Contract, digest, parse_contract
from infra.services.scan import Package as ScannedPackage
from infra.services.source import Source

INTEGRITY = "sha512-" + "A" * 86 + "=="


def tool(description: str = "Tells the weather", **annotations: bool) -> dict[str, Any]:
    """Return a tool as a server lists it."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    return {"description": description, "inputSchema": schema, **({"annotations": annotations} if annotations else {})}


def lock_text(service: str, tools: Mapping[str, Any], others: Mapping[str, Any]) -> str:
    """Return the lock file of a service with these tools and other offers."""
    content = {"service": service, "sha256": Contract(tools, others).sha256}
    locked = {name: {"sha256": digest(item), **item} for name, item in tools.items()}
    return json.dumps({**content, "tools": locked, **others})


@dataclass
class FakeRegistry:
    """Packages by kind and name, and what their servers do.

    Attributes:
        versions: By name of a package, its versions, the newest last.
        tools: By version of a package, the tools that its server lists.
        others: By version of a package, what its server offers beside tools, as in a lock file.
        programs: By name of a package, its programs.
        dependencies: By version of a package, the packages that it brings with it.
        scripts: By version of a package, those of its packages that have scripts for installing.
        details: By version of a package, what its registry and its files say; SourceError for one that is missing.
        eras: By name of a package, the era that its server speaks.
        answers: Decides whether a server lists its tools; by default each does.
        asked: What was asked for, in order.
        secrets: The secrets with which remote servers were asked.
        published: By version, when it was published; without it, it is old.
        locked_before: The moments until which new packages may have been published, for each lock that was written.
        notes: What a listing says of tools that are repaired or not served.
    """

    versions: dict[str, list[str]] = field(default_factory=dict)
    tools: dict[str, dict[str, Any]] = field(default_factory=dict)
    others: dict[str, dict[str, Any]] = field(default_factory=dict)
    programs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    dependencies: dict[str, dict[str, str]] = field(default_factory=dict)
    scripts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    details: dict[str, ScannedPackage] = field(default_factory=dict)
    eras: dict[str, str] = field(default_factory=dict)
    answers: Callable[[ServiceSpec], bool] = lambda spec: True
    asked: list[str] = field(default_factory=list)
    secrets: list[dict[str, str]] = field(default_factory=list)
    published: dict[str, datetime] = field(default_factory=dict)
    locked_before: list[datetime | None] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put this registry in the place of the real ones."""
        monkeypatch.setattr(locking, "find", self.find)
        monkeypatch.setattr(locking, "write_locks", self.write_locks)
        monkeypatch.setattr(details, "look_into", self.look_into)
        monkeypatch.setattr(making, "build_image", self.build_image)
        monkeypatch.setattr(images, "size", lambda image: 150 * 2**20)
        monkeypatch.setattr(tool_lists, "era", self.era)
        monkeypatch.setattr(tool_lists, "tools", self.list_tools)
        assert making.locking is updating.locking is locking and making.details is details

    def find(self, kind: str, wanted: str, home: Any, progress: Any, before: datetime | None = None) -> Package:
        self.asked.append(f"{kind}:{wanted}")
        name = re.split(r"(?<=.)[@=<>\[]", wanted)[0]
        version = wanted[len(name) :].lstrip("@=")
        if name not in self.versions:
            raise SourceError(f"{kind} does not know {wanted}", "check the name")
        young = {number for number in self.versions[name] if before and self.published.get(number, before) > before}
        if version in young:
            raise SourceError(f"{name}@{version} is too young", "take an older version")
        fitting = [number for number in self.versions[name] if number not in young]
        exact = version if version in fitting else fitting[-1]
        reference = f"{name}=={exact}" if kind == "pypi" else f"{name}@{exact}"
        last = name.rpartition("/")[2]
        return Package(kind, name, exact, reference, self.programs.get(name, (last,)), license="MIT")  # type: ignore[arg-type]

    def write_locks(
        self,
        source: Source,
        folder: Path,
        home: Any,
        progress: Any,
        *,
        upgrade: bool = False,
        before: datetime | None = None,
    ) -> LockReport:
        self.locked_before.append(before)
        packages = {source.package: source.version, **self.dependencies.get(source.reference, {})}
        scripts = self.scripts.get(source.reference, ())
        if source.kind == "npm":
            entries = {
                f"node_modules/{name}": {
                    "version": version,
                    "integrity": INTEGRITY,
                    "bin": dict.fromkeys(self.programs.get(name, (source.command,)), "./index.js"),
                    **({"hasInstallScript": True} if name in scripts else {}),
                }
                for name, version in packages.items()
            }
            wanted = {"private": True, "dependencies": {source.package: source.version}}
            (folder / "package.json").write_text(json.dumps(wanted))
            (folder / "package-lock.json").write_text(
                json.dumps({"lockfileVersion": 3, "packages": {"": {}, **entries}})
            )
        elif source.kind == "pypi":
            (folder / "requirements.in").write_text("\n".join([source.reference, *source.requirements]) + "\n")
            if any(requirement.startswith("mcp<2") for requirement in source.requirements):
                packages["mcp"] = "1.30.0"
            lines = [f"{name}=={version} \\\n    --hash=sha256:aa\n" for name, version in packages.items()]
            (folder / "requirements.txt").write_text("".join(lines))
        return LockReport(len(packages), scripts)

    def look_into(self, source: Source, home: Any, progress: Any) -> ScannedPackage:
        if self.details and source.reference not in self.details:
            raise SourceError("the registry does not answer", "try again")
        return self.details.get(source.reference, ScannedPackage(source.kind, source.package, source.version))

    def build_image(self, spec: ServiceSpec, build: Any, display: Any, servers: Path) -> str:
        assert (servers / spec.name / "service.yaml").is_file()
        return f"dyber-{spec.name}"

    def era(self, spec: ServiceSpec, image: str, secrets: Mapping[str, SecretStr]) -> str:
        self._start(spec, secrets)
        assert spec.source
        return self.eras.get(spec.source.package, "legacy")

    def list_tools(self, spec: ServiceSpec, image: str, secrets: Mapping[str, SecretStr]) -> Listed:
        self._start(spec, secrets)
        assert spec.source
        reference = spec.source.reference
        text = lock_text(spec.name, self.tools.get(reference, {"forecast": tool()}), self.others.get(reference, {}))
        return Listed(text, parse_contract(text, spec.name), self.notes)

    def _start(self, spec: ServiceSpec, secrets: Mapping[str, SecretStr]) -> None:
        self.secrets.append({name: value.get_secret_value() for name, value in secrets.items()})
        if not self.answers(spec):
            raise ListingError(f"{spec.name} does not list its tools", "see its documentation", "")
