"""Reads the contract of a service: what agents see of its tools, as recorded in `mcp-servers/<name>/tools.lock.json`.

The lock file is reviewed like code. A stack with `contracts: enforced` puts no container in service whose tools differ
from the lock file, or from the contract promoted into the stack's file (`services.<name>.contract`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from infra.schema.problems import ConfigurationError, Problem
from infra.schema.strict_settings import StrictSettings
from infra.services.source import ToolKind
from messages import mark

LOCK_FILE = "tools.lock.json"
#: What a service may offer beside tools: keys of its lock file, which has those that are not empty.
OTHER_OFFERS = ("instructions", "prompts", "resources", "resource_templates", "completions")


#: What a line with a note begins with in what `python -m dyber_kit.bridge.contract` prints.
NOTE = "# "


class ContractSettings(StrictSettings):
    """The contract that was promoted into a stack: the `sha256` of the lock file at that time, and what each tool does.

    `read-once` is a tool that only reads, but whose calls must not be repeated (`idempotentHint: false`).
    """

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description=mark("The contract's hash"))
    tools: dict[str, Literal["read", "read-once", "write"]] = Field(
        default_factory=dict,
        description=mark(
            "By tool: it only reads (read), it only reads and the gateway never repeats its calls (read-once), or it "
            "writes (write)"
        ),
    )


@dataclass(frozen=True)
class Contract:
    """What agents see of a service.

    `tools`: title, description, inputSchema, outputSchema and annotations of each tool by name. `others`: what the
    service offers beside tools (OTHER_OFFERS), as its lock file has it. `kinds`: what a review decided of the tools of a
    source, by name (`source.tools` of service.yaml); it changes what they count as, and not the contract's hash.
    """

    tools: Mapping[str, Mapping[str, Any]]
    others: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, ToolKind] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """The hash over all tools and other offers as 64 hex digits, computed as dyber_kit.contract does."""
        tools = {name: {"sha256": digest(tool), **tool} for name, tool in self.tools.items()}
        return digest({"tools": tools, **self.others} if self.others else tools)

    @property
    def read_only(self) -> dict[str, bool]:
        """By name, whether a tool only reads: as a review decided, else as its annotations say. Tools that a review
        switched off are missing."""
        return {
            name: self.kinds[name] == "read" if name in self.kinds else reads_only(tool)
            for name, tool in self.tools.items()
            if self.kinds.get(name) != "off"
        }

    @property
    def once_tools(self) -> tuple[str, ...]:
        """The names of the tools that only read, but whose annotations say that a call must not be repeated."""
        return tuple(name for name, reads in self.read_only.items() if reads and not repeatable(self.tools[name]))

    @property
    def settings(self) -> dict[str, Any]:
        """The content of ContractSettings that a promotion writes into a stack's file."""
        kinds = {name: "read" if reads else "write" for name, reads in self.read_only.items()}
        return {"sha256": self.sha256, "tools": {**kinds, **dict.fromkeys(self.once_tools, "read-once")}}

    def reviewed(self, kinds: Mapping[str, ToolKind]) -> Contract:
        """Return the same contract with what a review decided of its tools."""
        return replace(self, kinds=kinds)


def reads_only(tool: Mapping[str, Any]) -> bool:
    """Tell whether a tool's annotations say that it only reads."""
    return (tool.get("annotations") or {}).get("readOnlyHint") is True


def repeatable(tool: Mapping[str, Any]) -> bool:
    """Tell whether the same call of a read-only tool may be made twice: it may, unless the annotations have
    `idempotentHint: false`."""
    return (tool.get("annotations") or {}).get("idempotentHint") is not False


def listed_contract(tools: Iterable[Mapping[str, Any]], others: Mapping[str, Any] | None = None) -> Contract:
    """Return the contract of tools in the form of MCP's `tools/list`, and of other offers as a lock file has them."""
    return Contract(
        {str(tool["name"]): {key: tool[key] for key in tool if key != "name"} for tool in tools}, others or {}
    )


def parse_contract(text: str, source: str) -> Contract:
    """Return the contract in the `text` of a lock file, or in the output of `python -m dyber_kit.contract`.

    Raises ConfigurationError naming `source` for a text that is not a contract, or whose hash is not that of its
    tools: such a file was edited by hand, so it is not what was reviewed.
    """
    try:
        content = json.loads(text)
        stated = content["sha256"]
        tools = {
            str(name): {key: value for key, value in tool.items() if key != "sha256"}
            for name, tool in content["tools"].items()
        }
        contract = Contract(tools, {kind: content[kind] for kind in OTHER_OFFERS if content.get(kind)})
        matches = contract.sha256 == stated
        contract.once_tools  # noqa: B018 - raises for annotations of another form
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigurationError(Problem("contract_not_readable", source)) from None
    if not matches:
        raise ConfigurationError(Problem("contract_changed_by_hand", source, ("sha256",), stated))
    return contract


def printed_contract(output: str, source: str) -> Contract:
    """Return the contract that `python -m dyber_kit.contract` printed among lines of log. Raises ConfigurationError."""
    return parse_contract(contract_text(output), source)


def contract_text(output: str) -> str:
    """Return the contract in the output of `python -m dyber_kit.contract`; '' if there is none.

    It goes from the line `{` to the line `}`.
    """
    lines = output.splitlines()
    if "{" not in lines or "}" not in lines:
        return ""
    return "\n".join(lines[lines.index("{") : len(lines) - lines[::-1].index("}")]) + "\n"


def listing_notes(output: str) -> tuple[str, ...]:
    """Return what `python -m dyber_kit.bridge.contract` says behind a contract of what it repaired or does not serve."""
    lines = output.splitlines()
    if "}" not in lines:
        return ()
    after = lines[len(lines) - lines[::-1].index("}") :]
    return tuple(line.removeprefix(NOTE) for line in after if line.startswith(NOTE))


def load_lock(folder: Path) -> Contract | None:
    """Return the contract in the lock file of a service's `folder`; None without that file.

    Raises ConfigurationError.
    """
    file = folder / LOCK_FILE
    if not file.is_file():
        return None
    return parse_contract(file.read_text(encoding="utf-8"), f"mcp-servers/{folder.name}/{LOCK_FILE}")


def digest(value: Any) -> str:
    """Return the SHA-256 of a value as canonical JSON, as dyber_kit.contract computes it."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
