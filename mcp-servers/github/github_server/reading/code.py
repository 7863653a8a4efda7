"""Reads files and folders, and searches code."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.calling.cursors import decode_cursor, encode_cursor
from dyber_kit.upstream.text import visible_text
from pydantic import BaseModel

from github_server.model.answers import CodeItem, CodeList, EntryItem, File
from github_server.model.references import FileReference, References
from github_server.model.wire import WireCodeMatch, WireContent
from github_server.reading.api import MAX_FILE_BYTES, GitHub, Listing, not_as_agreed, now, read_all
from github_server.reading.searching import result_fields, words
from github_server.reading.texts import cut, decoded
from github_server.translations import tr, tr_lazy

_SEARCH_SECONDS = 300.0
_FILE_SECONDS = 600.0
_MOST_ENTRIES = 300
_FRAGMENTS = 2
_FRAGMENT_CHARS = 300
_LFS = "version https://git-lfs.github.com/spec/v1"
_RAW = "application/vnd.github.raw+json"
_MATCHES = "application/vnd.github.text-match+json"
#: The `endpoint` label of metrics, whatever the depth of the path.
_CONTENTS = "/repos/{owner}/{repo}/contents/{path}"


class _Content(BaseModel):
    """Holds a file as text, or a folder's entries."""

    path: str
    type: str
    size: int | None = None
    sha: str | None = None
    url: str | None = None
    text: str | None = None
    entries: list[EntryItem] = []
    warnings: list[str] = []


class CodeReader:
    """Returns the answers about files and code; every method raises ServiceError when GitHub refuses."""

    def __init__(self, github: GitHub, references: References) -> None:
        self._github = github
        self._references = references

    async def read(self, repo: str, path: str, ref: str, start_line: int, max_chars: int, cursor: str) -> File:
        """Return up to `max_chars` of a text file from a line or a cursor on, or the entries of a folder."""
        target = self._references.file(repo, path, ref)
        kind = f"file {target.repository.full_name} {target.path} {target.ref}"

        async def load() -> File:
            content = await self._content(target)
            return File(
                repo=target.repository.full_name,
                path=content.path,
                ref=target.ref or tr("(default branch)"),
                type=content.type,
                size=content.size,
                sha=content.sha,
                url=content.url,
                text=content.text,
                entries=content.entries,
                warnings=content.warnings,
                fetched_at=now(),
            )

        # The whole text is cached, so that further parts cost no request.
        file = await self._github.cached(File, kind, _FILE_SECONDS, load)
        if file.text is None:
            return file
        return _part(file, file.text, kind, start_line or target.line or 1, max_chars, cursor)

    async def _content(self, target: FileReference) -> _Content:
        segments = {f"s{number}": part for number, part in enumerate(target.path.split("/")) if part}
        path = "/repos/{owner}/{repo}/contents" + "".join(f"/{{{name}}}" for name in segments)
        values = {**target.repository.values, **segments}
        params = {"ref": target.ref or None}
        answer = await self._github.get(path, values, params, endpoint=_CONTENTS)
        if isinstance(answer.json(), list):
            return _folder(target.path, answer.json())
        raw = answer.model(WireContent)
        if raw.type == "symlink":
            warning = tr("This is a symbolic link to {target}", target=raw.target)
            return _Content(path=raw.path, type="symlink", warnings=[warning], sha=raw.sha)
        if raw.type == "submodule":
            warning = tr("This is a submodule: {url}", url=raw.submodule_git_url)
            return _Content(path=raw.path, type="submodule", warnings=[warning], sha=raw.sha)
        if raw.size is not None and raw.size > MAX_FILE_BYTES:
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy(
                    "{path} has {size} bytes, more than the {most} that can be read",
                    path=raw.path,
                    size=raw.size,
                    most=MAX_FILE_BYTES,
                ),
                tr_lazy("Let the user download it, or read another file"),
            )
        content = _decoded_base64(raw)
        if content is None:
            # Files between 1 and 100 MB come only as they are.
            content = (await self._github.get(path, values, params, accept=_RAW, endpoint=_CONTENTS)).content
        read = decoded(content)
        if read is None:
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("{path} is a binary file and cannot be read as text", path=raw.path),
                tr_lazy("Read another file, or give the user its link"),
            )
        text, encoding = read
        shown = visible_text(text)
        warnings = []
        if len(shown) < len(text.replace("\r\n", "\n")):
            warnings.append(tr("Invisible characters of the file were removed"))
        if encoding != "utf-8-sig":
            warnings.append(
                tr(
                    "The file is not UTF-8 and was read as {encoding}; if the text looks wrong, that guess was wrong",
                    encoding=encoding,
                )
            )
        if text.startswith(_LFS):
            warnings.append(tr("The file is in Git LFS; only its pointer is here"))
        return _Content(
            path=raw.path, type="file", size=raw.size, sha=raw.sha, url=raw.html_url, text=shown, warnings=warnings
        )

    async def search(self, query: str, repo: str, limit: int, cursor: str, verbose: bool) -> CodeList:
        """Return files that contain words, in one repository or everywhere."""
        if not self._github.has_token:
            raise ServiceError(
                ErrorCode.NOT_CONFIGURED,
                tr_lazy("GitHub searches code only for requests with a token, and GITHUB_TOKEN is not set"),
                tr_lazy(
                    "Ask the operator to set the secret GITHUB_TOKEN and to deploy again; until then, github_read_file "
                    "shows folders and files"
                ),
            )
        query = words("query", query)
        query += f" repo:{self._references.repository(repo).full_name}" if repo.strip() else ""

        async def load() -> CodeList:
            listing = Listing(f"code {query} {verbose}", "/search/code", {}, {"q": query}, "items", _MATCHES)
            page = await self._github.page(listing, limit, cursor, lambda raw: _matches(raw, verbose))
            return CodeList(**result_fields(page))

        return await self._github.cached(CodeList, f"{query} {verbose} {limit} {cursor}", _SEARCH_SECONDS, load)


def _decoded_base64(raw: WireContent) -> bytes | None:
    """Return the content that is in GitHub's answer; None when it has to be asked for separately."""
    if raw.encoding != "base64" or raw.content is None:
        return None
    try:
        return base64.b64decode(raw.content)
    except binascii.Error:
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED, not_as_agreed("content")) from None


def _folder(path: str, raw: list[Any]) -> _Content:
    entries = [
        EntryItem(path=entry.path, type=entry.type, size=entry.size if entry.type == "file" else None)
        for entry in read_all(WireContent, raw)
    ]
    warnings = []
    if len(entries) > _MOST_ENTRIES:
        warnings = [
            tr("The folder has {count} entries; the first {most} are listed", count=len(entries), most=_MOST_ENTRIES)
        ]
    return _Content(path=path, type="dir", entries=entries[:_MOST_ENTRIES], warnings=warnings)


def _part(file: File, text: str, kind: str, start_line: int, max_chars: int, cursor: str) -> File:
    """Return a file with a part of its text, which ends with a line if it has an end within `max_chars`.

    Raises:
        ServiceError: INVALID_ARGUMENT for a line that the file does not have, or when the file has changed since the
            cursor was made.
    """
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    total = text.count("\n") + (not text.endswith("\n") and text != "")
    if cursor:
        position = decode_cursor(kind, cursor)
        if position.get("version") != version or not isinstance(position.get("at"), int):
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("The file has changed between two readings"),
                tr_lazy("Read it again without a cursor"),
                fields=["cursor"],
            )
        start = position["at"]
    elif start_line > max(total, 1):
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("The file has only {total} lines", total=total),
            tr_lazy("Set start_line from 1 to {total}", total=total),
            fields=["start_line"],
        )
    else:
        start = sum(len(each) for each in text.splitlines(keepends=True)[: start_line - 1])
    part, more = cut(text[start:], max_chars)
    if more and "\n" in part:
        part = part[: part.rindex("\n") + 1]
    end = start + len(part)
    first_line = text.count("\n", 0, start) + 1
    file.text = part
    file.first_line = first_line if text else 0
    file.last_line = first_line + part.rstrip("\n").count("\n") if part.strip("\n") else file.first_line
    file.total_lines = total
    file.next_cursor = encode_cursor(kind, {"at": end, "version": version}) if end < len(text) else None
    return file


def _matches(raw: list[Any], verbose: bool) -> list[CodeItem]:
    items = []
    for match in read_all(WireCodeMatch, raw):
        fragments = [
            visible_text(each.fragment)[:_FRAGMENT_CHARS] for each in match.text_matches or [] if each.fragment
        ]
        items.append(
            CodeItem(
                repo=match.repository.full_name,
                path=match.path,
                fragments=fragments if verbose else fragments[:_FRAGMENTS],
                url=match.html_url if verbose else None,
            )
        )
    return items
