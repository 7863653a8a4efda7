"""The contract of a service's tools: what agents see, as `mcp-servers/<name>/tools.lock.json` keeps it.

The lock file is reviewed like code. A stack with `contracts: enforced` puts no container in service whose tools differ
from it, or from what was promoted into the stack's file (`services.<name>.contract`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from infra.schema.problems import ConfigurationError, Problem
from infra.schema.strict_settings import StrictSettings

LOCK_FILE = "tools.lock.json"
#: What a service may offer beside tools: keys of its lock file, which has those that are not empty.
OTHER_OFFERS = ("prompts", "resources", "resource_templates", "completions")


class ContractSettings(StrictSettings):
    """The contract that was promoted into a stack, `sha256` as in the lock file of then; by tool, what it may do.

    `read-once` is a tool that only reads, but says that a second call is another call (`idempotentHint: false`).
    """

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="契约的哈希 / The contract's hash")
    tools: dict[str, Literal["read", "read-once", "write"]] = Field(
        default_factory=dict,
        description="按工具：只读、只读但网关不重发、可写 / By tool: it only reads; it only reads, and the gateway never "
        "sends a call of it again; or it writes too",
    )


@dataclass(frozen=True)
class Contract:
    """`tools`: by name, what agents see of each (title, description, inputSchema, outputSchema, annotations).
    `others`: by the words of OTHER_OFFERS, what the service offers beside tools, as its lock file has it."""

    tools: Mapping[str, Mapping[str, Any]]
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """64 hex digits over all tools and other offers, as the kit computes it (dyber_kit.contract)."""
        tools = {name: {"sha256": digest(tool), **tool} for name, tool in self.tools.items()}
        return digest({"tools": tools, **self.others} if self.others else tools)

    @property
    def read_only(self) -> dict[str, bool]:
        """By name, whether a tool says that it only reads."""
        return {name: reads_only(tool) for name, tool in self.tools.items()}

    @property
    def once(self) -> tuple[str, ...]:
        """Names of the tools that only read and yet say that a call must not be repeated."""
        return tuple(name for name, tool in self.tools.items() if reads_only(tool) and not repeatable(tool))

    @property
    def settings(self) -> dict[str, Any]:
        """What a promotion writes into a stack's file: the content of ContractSettings."""
        kinds = {name: "read" if reads else "write" for name, reads in self.read_only.items()}
        return {"sha256": self.sha256, "tools": {**kinds, **dict.fromkeys(self.once, "read-once")}}


def reads_only(tool: Mapping[str, Any]) -> bool:
    """Whether a tool's annotations say that it only reads."""
    return (tool.get("annotations") or {}).get("readOnlyHint") is True


def repeatable(tool: Mapping[str, Any]) -> bool:
    """Tell whether a tool's annotations allow making the same call twice. A read-only tool need not say so;
    `idempotentHint: false` forbids it."""
    return (tool.get("annotations") or {}).get("idempotentHint") is not False


def listed_contract(tools: Iterable[Mapping[str, Any]], others: Mapping[str, Any] | None = None) -> Contract:
    """The contract of tools as MCP's `tools/list` gives them, and of other offers as a lock file has them."""
    return Contract(
        {str(tool["name"]): {key: tool[key] for key in tool if key != "name"} for tool in tools}, others or {}
    )


def parse_contract(text: str, source: str) -> Contract:
    """The contract in the `text` of a lock file, or of what `python -m dyber_kit.contract` printed.

    Raises ConfigurationError naming `source` for a text that is none, or whose hash is not that of its tools: then it
    was edited by hand, and what was reviewed is not what is checked.
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
        contract.once  # noqa: B018 - raises for annotations that are none
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigurationError(Problem("contract_not_readable", source)) from None
    if not matches:
        raise ConfigurationError(Problem("contract_changed_by_hand", source, ("sha256",), stated))
    return contract


def printed_contract(output: str, source: str) -> Contract:
    """The contract that `python -m dyber_kit.contract` printed, among lines of log. Raises ConfigurationError."""
    return parse_contract(contract_text(output), source)


def contract_text(output: str) -> str:
    """Of what `python -m dyber_kit.contract` printed, the contract: from the line `{` to the line `}`; else ''."""
    lines = output.splitlines()
    if "{" not in lines or "}" not in lines:
        return ""
    return "\n".join(lines[lines.index("{") : len(lines) - lines[::-1].index("}")]) + "\n"


def load_lock(folder: Path) -> Contract | None:
    """The contract kept in the service's `folder`; None without a lock file. Raises ConfigurationError."""
    file = folder / LOCK_FILE
    if not file.is_file():
        return None
    return parse_contract(file.read_text(encoding="utf-8"), f"mcp-servers/{folder.name}/{LOCK_FILE}")


def digest(value: Any) -> str:
    """SHA-256 of JSON in its one canonical form, as dyber_kit.contract computes it."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
