"""Looks up programs in Go modules and locks them: go.mod with the program as its only tool, and go.sum."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cli.services.sources import ages, builders
from cli.services.sources.packages import LockReport, Package, SourceError
from infra.services.source import EXAMPLES, Source
from infra.services.source_locks import GO_MODULE, LOCK_FILES
from messages import tr
from toolchain.home import DyberHome
from toolchain.progress import Progress

_WANTED = re.compile(r"(?P<path>[a-z0-9.-]+\.[a-z]+(?:/[A-Za-z0-9._~-]+)+)(?:@(?P<query>[A-Za-z0-9._+-]+))?")

#: So many older versions are looked at for one that is old enough.
_MOST_TRIED = 10


def find(wanted: str, home: DyberHome, progress: Progress, before: datetime | None = None) -> Package:
    """Return the version of a Go program that fits `wanted`: its import path, with `@` and a version if need be.

    With `before`, nothing that was published later; of what it depends on, Go takes the versions that its modules
    name and never the newest. Raises SourceError with the proxy's words, also for a path that is no program, and SetupError.
    """
    match = _WANTED.fullmatch(wanted)
    if match is None:
        raise SourceError(
            tr("{package} is not the path of a Go program", package=repr(wanted)),
            tr("write it like go:{example}; the version may be left out", example=EXAMPLES["go"]),
        )
    path, query = match["path"], match["query"] or "latest"
    version, others = _version(path, query, home, progress, before)
    if before and not version and not re.fullmatch(r"v\d+\.\d+\.\d+.*", query):
        for other in others:
            version, _ = _version(path, other, home, progress, before)
            if version:
                break
    if not version:
        assert before
        raise ages.too_young(tr("no version of {package} is old enough", package=wanted), before)
    return Package("go", path, version, f"{path}@{version}", (path.rpartition("/")[2],))


def _version(
    path: str, query: str, home: DyberHome, progress: Progress, before: datetime | None
) -> tuple[str, Sequence[str]]:
    """Return the version that Go takes for a query, "" if it is too young, and then the others, the newest first."""
    with tempfile.TemporaryDirectory(prefix="dyber-go-") as temporary:
        made = Path(temporary)
        _make_module(path, query, made, home, progress)
        module, version = _holding_module(made, path)
        if before is None:
            return version, ()
        if (published := _moment(_about(made, module, home, progress))) and published <= before:
            return version, ()
        listed = [str(other) for other in _about(made, module, home, progress, "-versions").get("Versions") or ()]
    # A younger version of before is not among those that may be older than it.
    older = listed[: listed.index(version)] if version in listed else listed
    return "", [other for other in reversed(older) if "-" not in other][:_MOST_TRIED]


def _about(made: Path, module: str, home: DyberHome, progress: Progress, *options: str) -> Mapping[str, Any]:
    """Return what Go says of a module that the folder `made` locks. Raises SourceError, SetupError."""
    command = [builders.go(home, progress), "list", "-m", "-json", *options, module]
    what = tr("the Go program {path}@{query} cannot be had", path=module, query="")
    content = json.loads(builders.run(command, builders.go_environment(home), folder=made, what=what))
    return content if isinstance(content, Mapping) else {}


def _moment(about: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(about.get("Time")))
    except ValueError:
        return None


def lock(
    source: Source, folder: Path, home: DyberHome, progress: Progress, before: datetime | None = None
) -> LockReport:
    """Write go.mod and go.sum of a go source into a service's folder.

    With `before`, a version that was published later is refused. Raises SourceError, SetupError.
    """
    with tempfile.TemporaryDirectory(prefix="dyber-go-") as temporary:
        made = Path(temporary)
        _make_module(source.package, source.version, made, home, progress)
        module, version = _holding_module(made, source.package)
        if before:
            ages.check(source.reference, _moment(_about(made, module, home, progress)), before)
        if version != source.version:
            raise SourceError(
                tr("{package}: Go chose {version} instead", package=source.reference, version=version),
                tr("write {reference}", reference=f"{source.package}@{version}"),
            )
        builders.replace_files(made, folder, LOCK_FILES["go"])
        modules = re.findall(r"(?m)^\t?(?:require )?\S+ v\S+", (made / "go.mod").read_text(encoding="utf-8"))
    return LockReport(len(modules))


def about_module(source: Source, home: DyberHome, progress: Progress) -> Mapping[str, Any]:
    """Return what Go says of the module that holds a go source, such as its `Time` and the folder of its files, `Dir`.

    Raises SourceError, SetupError.
    """
    with tempfile.TemporaryDirectory(prefix="dyber-go-") as temporary:
        made = Path(temporary)
        _make_module(source.package, source.version, made, home, progress)
        name, _ = _holding_module(made, source.package)
        return _about(made, name, home, progress)


def _make_module(path: str, query: str, made: Path, home: DyberHome, progress: Progress) -> None:
    """Write a go.mod and a go.sum that lock a program into the folder `made`."""
    go, environment = builders.go(home, progress), builders.go_environment(home)
    (made / "go.mod").write_text(f"module {GO_MODULE}\n\ngo 1.24.0\n", encoding="utf-8")
    what = tr("the Go program {path}@{query} cannot be had", path=path, query=query)
    with progress.phase(tr("Locking {package}", package=f"{path}@{query}"), 10):
        builders.run([go, "get", "-tool", f"{path}@{query}"], environment, folder=made, what=what)
        kind = builders.run([go, "list", "-f", "{{.Name}}", path], environment, folder=made, what=what).strip()
        if kind != "main":
            raise SourceError(
                tr("{path} is a library and not a program", path=path),
                tr("write the path of its program, which often ends in /cmd/<name>"),
            )
        # Only a download shows that the proxy has the sources too, also those for other platforms.
        builders.run([go, "mod", "download"], environment, folder=made, what=what)


def _holding_module(made: Path, path: str) -> tuple[str, str]:
    content = (made / "go.mod").read_text(encoding="utf-8")
    modules = dict(re.findall(r"(?m)^(?:require )?\s*([a-z0-9.-]+\.[a-z]+/\S+) (v\S+)", content))
    name = max((name for name in modules if f"{path}/".startswith(f"{name}/")), key=len)
    return name, modules[name]
