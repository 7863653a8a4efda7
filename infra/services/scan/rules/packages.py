"""Rules for the package that a foreign service comes from: scripts, downloads, TLS, names, age, Windows."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from infra.services.scan.findings import Level
from infra.services.scan.rules.hits import Hit


@dataclass(frozen=True)
class Package:
    """What is known of a package. What is not known is left out, and the rules about it then find nothing.

    Attributes:
        kind: npm, pypi, go, oci or url.
        name: The name of the package.
        version: Its exact version.
        install_scripts: The packages in the lock that have a script for installing.
        published: When this version was published, in UTC.
        repository: Where its source is; empty if the package does not say, None if nobody looked.
        publisher: Who published it, as its registry or the package itself says; empty if neither does.
        homepage: Its site, which links in texts are compared with.
        requirements: The names of all packages in the lock.
        systems: The operating systems it says it is for: npm's `os`, or PyPI's classifiers.
        sources: Texts of its own files by path, without those that it depends on.
    """

    kind: str
    name: str
    version: str = ""
    install_scripts: Collection[str] = ()
    published: datetime | None = None
    repository: str | None = None
    publisher: str = ""
    homepage: str = ""
    requirements: Collection[str] = ()
    systems: Collection[str] = ()
    sources: Mapping[str, str] = field(default_factory=dict)


#: A version that is younger may hold something that nobody has noticed yet.
COOL_DOWN = timedelta(days=7)
#: Packages of servers that many people use; a name beside one of them is likely a trap.
KNOWN_PACKAGES = frozenset(
    (
        *("@modelcontextprotocol/server-filesystem", "@modelcontextprotocol/server-memory"),
        *("@modelcontextprotocol/server-sequential-thinking", "@modelcontextprotocol/server-everything"),
        *("@amap/amap-maps-mcp-server", "@baidumap/mcp-server-baidu-map", "@larksuiteoapi/lark-mcp"),
        *("@upstash/context7-mcp", "@playwright/mcp", "chrome-devtools-mcp", "@notionhq/notion-mcp-server"),
        *("tavily-mcp", "@antv/mcp-server-chart", "@benborla29/mcp-server-mysql", "howtocook-mcp", "firecrawl-mcp"),
        *("mcp-server-time", "mcp-server-fetch", "mcp-server-git", "mcp-server-sqlite", "excel-mcp-server"),
        *("12306-mcp", "duckduckgo-mcp-server", "markitdown-mcp", "arxiv-mcp-server", "mcp-pandoc", "redis-mcp-server"),
        *("mysql-mcp-server", "mcp-server-weibo", "mcp-server-docker", "postgres-mcp", "mcp-atlassian"),
    )
)
#: Publishers who upload other people's servers under names of their own.
_COPIES = re.compile(r"^(?:@?(?:iflow-mcp|mseep)[-_/]|iflow-mcp_|mseep-)|[-_](?:mseep|iflow)$")
_NEEDS_A_DESKTOP = frozenset(
    "pywinauto pywin32 pywin32-ctypes comtypes uiautomation wxauto pyautogui pynput pyobjc pygetwindow appscript "
    "node-mac-permissions robotjs @nut-tree/nut-js winreg".split()
)
#: A call that starts another program, and the program: one that downloads code.
_DOWNLOADS = re.compile(
    r"\b(?:exec|execSync|execFile|execFileSync|spawn|spawnSync|execa|run|Popen|call|check_call|check_output|system"
    r"|create_subprocess_exec|create_subprocess_shell|Command)\(\s*\[?\s*f?[\"'`]"
    r"(?:(?:npx|uvx|pipx)\b|(?:npm|pnpm|yarn|pip|pip3)(?:[\"'`],\s*\[?\s*[\"'`]| )(?:install|add|i|ci|dlx|exec)\b)"
    r"|[\"']-m[\"'],\s*[\"'](?:pip|ensurepip)[\"']"
)
_UNVERIFIED_TLS = re.compile(
    r"\bverify\s*=\s*False\b|\bverify_ssl\s*=\s*False\b|rejectUnauthorized[\"']?\s*:\s*(?:false|!1)\b"
    r"|NODE_TLS_REJECT_UNAUTHORIZED[\"'\]]*\s*[=:]\s*[\"']?0|_create_unverified_context|\bcheck_hostname\s*=\s*False\b"
    r"|\bssl\.CERT_NONE\b|InsecureSkipVerify:\s*true|\bssl\s*=\s*False\b"
)
#: Of a file, so much is looked at; programs that are bundled into one file are larger.
_MOST_CHARACTERS = 4_000_000
_SOURCE_ENDINGS = frozenset((".py", ".js", ".mjs", ".cjs", ".ts", ".go"))
_MOST_FILES = 2_000
#: Of an archive, so many bytes are read.
_MOST_UNPACKED = 400_000_000


def package_hits(package: Package, today: datetime, known: Collection[str] = KNOWN_PACKAGES) -> Iterator[Hit]:
    """Yield what the rules S01–S07 find in a package."""
    for name in sorted(package.install_scripts):
        yield Hit("S01", Level.WARN, name)
    yield from _in_sources("S02", _DOWNLOADS, package)
    yield from _in_sources("S03", _UNVERIFIED_TLS, package)
    yield from _name_near_another(package.name, known)
    if _COPIES.search(package.name.lower()):
        yield Hit("S05", Level.WARN, package.name)
    if package.published and today - _aware(package.published) < COOL_DOWN:
        yield Hit("S06", Level.WARN, f"{package.name} {package.version} {package.published:%Y-%m-%d}")
    if package.repository == "":
        yield Hit("S06", Level.WARN, package.name)
    yield from _desktop(package)


def _in_sources(code: str, pattern: re.Pattern[str], package: Package) -> Iterator[Hit]:
    for path, text in sorted(package.sources.items()):
        if match := pattern.search(text[:_MOST_CHARACTERS]):
            around = text[max(0, match.start() - 40) : match.end() + 40]
            yield Hit(code, Level.WARN, around, {"file": path})
            return


def _name_near_another(name: str, known: Collection[str]) -> Iterator[Hit]:
    written = name.lower()
    if written in known:
        return
    for other in sorted(known):
        if len(other) > _SHORTEST_COMPARED and within_one_edit(_plain(written), _plain(other)):
            yield Hit("S04", Level.WARN, name, {"like": other})
            return


#: Shorter names are near each other by chance.
_SHORTEST_COMPARED = 6


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name)


def within_one_edit(name: str, other: str) -> bool:
    """Tell whether a name becomes the other by adding, leaving out, changing or swapping one letter."""
    if abs(len(name) - len(other)) > 1:
        return False
    shorter, longer = sorted((name, other), key=len)
    start = next((at for at, letter in enumerate(shorter) if letter != longer[at]), len(shorter))
    if len(shorter) < len(longer):
        return shorter[start:] == longer[start + 1 :]
    swapped = (
        shorter[start : start + 2] == longer[start : start + 2][::-1] and shorter[start + 2 :] == longer[start + 2 :]
    )
    return swapped or shorter[start + 1 :] == longer[start + 1 :]


def _desktop(package: Package) -> Iterator[Hit]:
    needed = sorted(_NEEDS_A_DESKTOP & {name.lower() for name in package.requirements})
    systems = [system.lower() for system in package.systems]
    is_foreign = bool(systems) and not any(re.search(r"linux|independent|posix|unix", system) for system in systems)
    if needed or is_foreign:
        yield Hit("S07", Level.WARN, ", ".join(needed or sorted(package.systems)))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_sources(folder: Path) -> dict[str, str]:
    """Return the texts of a package's own source files in `folder` by path, for Package.sources.

    Folders of dependencies (`node_modules`, `site-packages`) are left out, and files that are no text.
    """
    texts: dict[str, str] = {}
    for file in sorted(folder.rglob("*")):
        inner = file.relative_to(folder)
        if len(texts) >= _MOST_FILES:
            break
        if _is_source(PurePosixPath(inner)) and file.is_file() and not file.is_symlink():
            texts[inner.as_posix()] = file.read_text(encoding="utf-8", errors="replace")[:_MOST_CHARACTERS]
    return texts


def read_packed_sources(archive: Path) -> dict[str, str]:
    """Return the texts of the source files in an npm archive (.tgz) by path, as `read_sources`; nothing is unpacked.

    Paths are without the first folder, which npm calls `package`.

    Raises tarfile.TarError, OSError and EOFError for what is no such archive.
    """
    texts: dict[str, str] = {}
    room = _MOST_UNPACKED
    with tarfile.open(archive, mode="r|gz") as packed:
        for member in packed:
            room -= member.size
            if room < 0 or len(texts) >= _MOST_FILES:
                break
            path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            if member.isfile() and _is_source(path) and (content := packed.extractfile(member)):
                texts[path.as_posix()] = content.read(_MOST_CHARACTERS).decode("utf-8", "replace")
    return texts


def _is_source(path: PurePosixPath) -> bool:
    return path.suffix in _SOURCE_ENDINGS and not {"node_modules", "site-packages"} & set(path.parts)
