"""Reads and appends to the console's history, a file with one JSON object per line on a volume of the engine, and
stores files about other stacks beside it.

What the files say is in the console's code (console/dyber_console/intake/files.py). Everything goes through the engine,
which may be on another machine.
"""

from __future__ import annotations

import io
import json
import secrets
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from cli.engine import archives, engine, moments, processes
from cli.engine.errors import NotOnEngine
from infra.settings.names import CONSOLE_CLIENT

#: The console's label, the folder where its container has the volume, and the name of the file there.
SERVICE, FOLDER, FILE = CONSOLE_CLIENT, "/files", "history.jsonl"
#: The file keeps so many lines, as many as the console reads.
MOST_LINES = 500
#: Bytes that the file keeps; the console reads the last 4 MiB.
MOST_BYTES = 3 * 2**20
#: Bytes of one line at most, so that all new lines fit into a variable of the environment.
_LONGEST_LINE = 16_000
_LONGEST_TEXT = 120_000
#: Appends the lines of a variable: under a lock, into another file, which then takes the place of the old file.
_APPEND = f"""\
umask 022
exec 9> /to/.history.lock
flock 9
touch /to/{FILE}
{{ cat /to/{FILE}; printf '%s\\n' "$ENTRIES"; }} | tail -n {MOST_LINES} > /to/.{FILE}
if [ "$(wc -c < /to/.{FILE})" -gt {MOST_BYTES} ]; then
    # The first line may have lost its beginning.
    tail -c {MOST_BYTES} /to/.{FILE} | tail -n +2 > /to/.{FILE}.end
    mv /to/.{FILE}.end /to/.{FILE}
fi
mv /to/.{FILE} /to/{FILE}"""
#: Puts a folder with files about another stack, if there is one, in the place of that of before.
_REPLACE = """\
umask 022
exec 9> /to/.history.lock
flock 9
mkdir -p /to/stacks
rm -rf "/to/stacks/$STACK"
[ ! -d "/to/$NEW" ] || mv "/to/$NEW" "/to/stacks/$STACK\""""

Entry = dict[str, Any]


@dataclass(frozen=True)
class History:
    """The history of one stack: the console's container, its image, and the volume that has the file."""

    container: str
    image: str
    volume: str
    deployment: str
    stack: str = ""

    def read(self) -> list[Entry]:
        """Return the lines that are readable, the oldest first; [] before the first. Raises EngineError."""
        try:
            with archives.reading(self.container, f"{FOLDER}/{FILE}") as tar:
                text = "".join(
                    content.read().decode("utf-8", errors="replace")
                    for member in tar
                    if (content := tar.extractfile(member)) is not None
                )
        except NotOnEngine:
            return []
        return [entry for line in text.splitlines() if (entry := _entry(line)) is not None]

    def append(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Add entries at the end, and keep the last MOST_LINES lines and MOST_BYTES bytes. Raises EngineError."""
        for text in _portions([_line(entry) for entry in entries]):
            self._append(text)

    def _append(self, text: str) -> None:
        self._run(_APPEND, {"ENTRIES": text})

    def store_stack(self, stack: str, files: Mapping[str, str]) -> None:
        """Store files about another stack, by their paths, instead of those of before; {} removes them.

        Raises EngineError.
        """
        new = f".stack-{secrets.token_hex(6)}"
        self._run(_REPLACE, {"STACK": stack, "NEW": new}, {f"{new}/{path}": text for path, text in files.items()})

    def _run(
        self, script: str, environment: Mapping[str, str], files: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Run a script with the volume at /to, on which `files` are laid before. Raises EngineError."""
        # The console may only read the volume, and may be stopped; so another container of its image writes.
        name = f"dyber-history-{secrets.token_hex(6)}"
        with moments.put_back_afterwards(["rm", "--force", name]):
            with engine.asking() as client:
                client.create_container(
                    self.image,
                    ["-ec", script],
                    name=name,
                    entrypoint=["/bin/sh"],
                    user="0",
                    environment=dict(environment),
                    labels={"dyber.helper": "history"},
                    host_config=client.create_host_config(
                        binds=[f"{self.volume}:/to"],
                        network_mode="none",
                        read_only=True,
                        security_opt=["no-new-privileges:true"],
                        mem_limit="64m",
                        log_config=processes.LOG_CONFIG,
                    ),
                )
            if files:
                archives.write(name, "/to", _members(files))
            processes.run_to_end(name, seconds=60)


def find(*, deployment: str | None = None, stack: str | None = None) -> list[History]:
    """Return the histories of a deployment, of a stack's deployments, or of all on the engine. Raises EngineError.

    A stack without a console has none.
    """
    filters = ["label=dyber.project=dyber", f"label=dyber.service={SERVICE}"]
    if deployment is not None:
        filters.append(engine.deployment_filter(deployment))
    if stack is not None:
        filters.append(f"label=dyber.stack={stack}")
    by_volume = {
        str(mount["Name"]): History(
            item["Id"],
            item["ImageID"],
            str(mount["Name"]),
            item["Labels"].get("dyber.deployment", ""),
            item["Labels"].get("dyber.stack", ""),
        )
        for item in engine.listed_containers(*filters)
        for mount in item.get("Mounts") or ()
        # The loader that writes the other files has the same volume, and may write to it.
        if mount["Destination"] == FOLDER and not mount["RW"]
    }
    return list(by_volume.values())


def _members(files: Mapping[str, str]) -> Iterator[archives.Member]:
    """Yield the files as members of an archive, after the folders that they are in."""
    folders = sorted({str(folder) for path in files for folder in PurePosixPath(path).parents if str(folder) != "."})
    for folder in folders:
        member = tarfile.TarInfo(folder)
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        yield member, None
    for path, text in files.items():
        content = text.encode()
        member = tarfile.TarInfo(path)
        member.size, member.mode = len(content), 0o644
        yield member, io.BytesIO(content)


def _entry(line: str) -> Entry | None:
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _line(entry: Mapping[str, Any]) -> str:
    """Return an entry as a line; of one that is too long, the longest list is cut."""
    content = dict(entry)
    while len((line := json.dumps(content, ensure_ascii=False)).encode()) > _LONGEST_LINE:
        lists = [key for key, value in content.items() if isinstance(value, list) and value]
        if not lists:
            return json.dumps({key: content[key] for key in ("kind", "at")}, ensure_ascii=False)
        key = max(lists, key=lambda name: len(content[name]))
        content[key] = content[key][: len(content[key]) // 2]
    return line


def _portions(lines: list[str]) -> list[str]:
    """Join lines into texts that each fit into a variable."""
    portions: list[str] = []
    for line in lines[-MOST_LINES:]:
        joined = f"{portions[-1]}\n{line}" if portions else line
        if portions and len(joined.encode()) <= _LONGEST_TEXT:
            portions[-1] = joined
        else:
            portions.append(line)
    return portions
