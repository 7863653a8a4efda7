"""Looks up programs in Go modules and locks them: go.mod with the program as its only tool, and go.sum."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.services.sources import builders
from cli.services.sources.packages import LockReport, Package, SourceError
from infra.services.source import EXAMPLES, Source
from infra.services.source_locks import GO_MODULE, LOCK_FILES
from messages import tr
from toolchain.home import DyberHome
from toolchain.progress import Progress

_WANTED = re.compile(r"(?P<path>[a-z0-9.-]+\.[a-z]+(?:/[A-Za-z0-9._~-]+)+)(?:@(?P<query>[A-Za-z0-9._+-]+))?")


def find(wanted: str, home: DyberHome, progress: Progress) -> Package:
    """Return the version of a Go program that fits `wanted`: its import path, with `@` and a version if need be.

    Raises SourceError with the proxy's words, also for a path that is no program, and SetupError.
    """
    match = _WANTED.fullmatch(wanted)
    if match is None:
        raise SourceError(
            tr("{package} is not the path of a Go program", package=repr(wanted)),
            tr("write it like go:{example}; the version may be left out", example=EXAMPLES["go"]),
        )
    with tempfile.TemporaryDirectory(prefix="dyber-go-") as temporary:
        made = Path(temporary)
        _make_module(match["path"], match["query"] or "latest", made, home, progress)
        _, version = _holding_module(made, match["path"])
    name = match["path"].rpartition("/")[2]
    return Package("go", match["path"], version, f"{match['path']}@{version}", (name,))


def lock(source: Source, folder: Path, home: DyberHome, progress: Progress) -> LockReport:
    """Write go.mod and go.sum of a go source into a service's folder. Raises SourceError, SetupError."""
    with tempfile.TemporaryDirectory(prefix="dyber-go-") as temporary:
        made = Path(temporary)
        _make_module(source.package, source.version, made, home, progress)
        _, version = _holding_module(made, source.package)
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
        command = [builders.go(home, progress), "list", "-m", "-json", name]
        what = tr("the Go program {path}@{query} cannot be had", path=source.package, query=source.version)
        content = json.loads(builders.run(command, builders.go_environment(home), folder=made, what=what))
    return content if isinstance(content, Mapping) else {}


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
