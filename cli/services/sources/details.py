"""Finds out what the scan has to know of a package beside its locks: its age, where its source is, and its own files."""

from __future__ import annotations

import json
import re
import tarfile
import tempfile
from collections.abc import Mapping
from datetime import datetime
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import httpx2
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

from cli.services.sources import builders, go_programs, npm_packages, oci_images, python_packages
from cli.services.sources.packages import SourceError
from cli.system import uv
from infra.services.scan import Package
from infra.services.scan.rules.packages import read_packed_sources, read_sources
from infra.services.source import Source
from messages import tr
from toolchain.downloads import http_client
from toolchain.home import DyberHome
from toolchain.mirrors import Mirrors
from toolchain.progress import Progress

#: The first two are always there; npm prints no names of fields where it has a single one.
_NPM_FIELDS = ("name", "version", "repository", "homepage", "os", "time", "_npmUser", "maintainers")
#: Where the METADATA of a wheel names people, the first that does counts.
_PEOPLE = ("Maintainer", "Maintainer-email", "Author", "Author-email")
_SIMPLE_INDEX = "application/vnd.pypi.simple.v1+json"
#: Label of an image with the address of its source, as the OCI's specification of images has it.
_SOURCE_LABEL = "org.opencontainers.image.source"
_VENDOR_LABEL = "org.opencontainers.image.vendor"


def look_into(source: Source, home: DyberHome, progress: Progress) -> Package:
    """Return what the registry and the files of a source's package say; what is not known is left out.

    Nothing of the package runs. Raises SourceError, EngineError (oci), SetupError (npm, go).
    """
    with progress.phase(tr("Looking into {package}", package=source.reference), 5):
        match source.kind:
            case "npm":
                return _npm(source, home, progress)
            case "pypi":
                return _pypi(source)
            case "go":
                return _go(source, home, progress)
            case "oci":
                return _oci(source)
            case "url":
                return Package("url", source.reference)


def npm_details(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of Package that the package.json of an npm package says."""
    repository = about.get("repository") or ""
    address = repository.get("url") if isinstance(repository, Mapping) else repository
    systems = about.get("os") or ()
    return {
        "repository": str(address or ""),
        "homepage": str(about.get("homepage") or ""),
        "publisher": names(about.get("_npmUser")) or names(about.get("maintainers")),
        "systems": (systems,) if isinstance(systems, str) else tuple(map(str, systems)),
    }


def names(people: Any) -> str:
    """Return the names of people without their addresses: of a text, of an object with `name`, or of a list of them."""
    if isinstance(people, Mapping):
        people = people.get("name")
    if isinstance(people, list | tuple):
        return ", ".join(dict.fromkeys(name for person in people if (name := names(person))))
    text = str(people or "")
    return re.sub(r"\s*<[^<>]*>|\S+@\S+", "", text).strip(" ,\"'")


def python_details(metadata: Message) -> dict[str, Any]:
    """Return fields of Package that the METADATA of a wheel says."""
    urls = [str(url).partition(", ")[2] for url in metadata.get_all("Project-URL") or ()]
    homepage = str(metadata.get("Home-page") or "")
    classifiers = [str(line) for line in metadata.get_all("Classifier") or ()]
    return {
        "repository": next(iter(urls), homepage),
        "homepage": homepage,
        "publisher": next((name for key in _PEOPLE if (name := names(metadata.get(key)))), ""),
        "systems": tuple(line for line in classifiers if line.startswith("Operating System")),
    }


def _npm(source: Source, home: DyberHome, progress: Progress) -> Package:
    npm, environment = builders.npm(home, progress), builders.npm_environment()
    what = tr("npm does not know {package}", package=source.reference)
    output = builders.run(
        [*npm, "view", source.reference, *_NPM_FIELDS, "--json", *npm_packages.QUIET], environment, what=what
    )
    about = _mapping(output)
    published = about.get("time")
    with tempfile.TemporaryDirectory(prefix="dyber-npm-") as temporary:
        pack = [*npm, "pack", source.reference, "--pack-destination", temporary, "--ignore-scripts"]
        builders.run([*pack, *npm_packages.QUIET], environment, folder=Path(temporary), what=what)
        archives = list(Path(temporary).glob("*.tgz"))
        try:
            sources = read_packed_sources(archives[0]) if archives else {}
        except (tarfile.TarError, OSError, EOFError):
            sources = {}
    return Package(
        "npm",
        source.package,
        source.version,
        published=_moment(published.get(source.version)) if isinstance(published, Mapping) else None,
        sources=sources,
        **npm_details(about),
    )


def _pypi(source: Source) -> Package:
    what = tr("{package} cannot be used", package=source.reference)
    with tempfile.TemporaryDirectory(prefix="dyber-pypi-") as temporary:
        target = Path(temporary) / "packages"
        builders.run(python_packages.unpacking(source.reference, target), uv.uv_environment(), what=what)
        (described,) = target.glob("*.dist-info")
        metadata = HeaderParser().parsestr((described / "METADATA").read_text(encoding="utf-8"))
        sources = read_sources(target)
    return Package(
        "pypi",
        source.package,
        source.version,
        published=_published_on_the_index(source),
        sources=sources,
        **python_details(metadata),
    )


def _published_on_the_index(source: Source) -> datetime | None:
    """Return when the first file of a version was published; None where the index does not say it.

    uv says which index this machine uses.
    """
    with tempfile.TemporaryDirectory(prefix="dyber-pypi-") as temporary:
        wanted = Path(temporary) / "requirements.in"
        wanted.write_text(source.reference + "\n", encoding="utf-8")
        command = [
            *uv.COMMAND,
            "pip",
            "compile",
            "--quiet",
            "--no-deps",
            "--no-header",
            "--emit-index-url",
            str(wanted),
        ]
        try:
            output = builders.run(command, uv.uv_environment(), what=source.reference)
        except SourceError:
            return None
    index = next((line.partition(" ")[2] for line in output.splitlines() if line.startswith("--index-url ")), "")
    if not index.startswith(("http://", "https://")):
        return None
    address = f"{index.rstrip('/')}/{canonicalize_name(source.package)}/"
    try:
        with http_client(Mirrors.from_environment().ca_bundle) as client:
            answer = client.get(address, headers={"Accept": _SIMPLE_INDEX})
        files = answer.json()["files"] if answer.is_success else []
        moments = [
            _moment(file.get("upload-time")) for file in files if _version_of(file["filename"]) == source.version
        ]
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError, TypeError, AttributeError):
        return None  # An index that answers with HTML does not know it.
    return min((moment for moment in moments if moment), default=None)


def _version_of(filename: str) -> str:
    try:
        parsed = parse_wheel_filename(filename) if filename.endswith(".whl") else parse_sdist_filename(filename)
    except ValueError:
        return ""
    return str(parsed[1])


def _go(source: Source, home: DyberHome, progress: Progress) -> Package:
    about = go_programs.about_module(source, home, progress)
    folder = Path(str(about.get("Dir") or ""))
    return Package(
        "go",
        source.package,
        source.version,
        published=_moment(about.get("Time")),
        repository=str(about.get("Path") or source.package),
        sources=read_sources(folder) if about.get("Dir") and folder.is_dir() else {},
    )


def _oci(source: Source) -> Package:
    described = oci_images.described(source)
    labels = (described.get("Config") or {}).get("Labels") or {}
    return Package(
        "oci",
        source.package,
        source.version,
        published=oci_images.made_at(described),
        publisher=str(labels.get(_VENDOR_LABEL) or ""),
        repository=str(labels.get(_SOURCE_LABEL) or ""),
    )


def _mapping(output: str) -> Mapping[str, Any]:
    try:
        content = json.loads(output or "{}")
    except ValueError:
        return {}
    last = content[-1] if isinstance(content, list) and content else content
    return last if isinstance(last, Mapping) else {}


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
