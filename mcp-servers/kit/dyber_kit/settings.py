"""Reads the settings of every service from environment variables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from dyber_kit.language import LANGUAGE_SETTING, LANGUAGES, Language, tr
from dyber_kit.observing.log_shipping import keep_secret

#: The variable with the key of the states of questions, or with `_FILE` the path of its file.
STATE_KEY_SETTING = "DYBER_STATE_KEY"
_SHORTEST_KEY = 32
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class Settings:
    """Holds the settings of one server process.

    Attributes:
        host: Address to listen on (HOST).
        port: TCP port to listen on (PORT).
        log_level: One of debug, info, warning, error (LOG_LEVEL).
        language: Language of messages for callers whose requests name none that is known (DYBER_LANGUAGE).
        max_call_seconds: Deadline of one call; a stopping server also waits this long (MAX_CALL_SECONDS).
        data_dir: Folder for data that must survive a restart (DYBER_DATA), or None.
        read_only: Whether tools that change something on the platform are left out (DYBER_READ_ONLY).
        privacy: Whether user ids are hashed and nicknames masked (DYBER_PRIVACY); see `dyber_kit.upstream.privacy`.
        max_answer_chars: Longest answer of a tool, in characters of JSON (MAX_ANSWER_CHARS).
        max_body_bytes: Longest body of a request, over MCP and REST (MAX_BODY_BYTES).
        require_scope: Whether a request without X-Dyber-Scope is refused, because a gateway sets it
            (DYBER_REQUIRE_SCOPE); see `dyber_kit.calling.scopes`.
        expect_scope: The same from the first request on that has the header, so that a gateway of before, which does
            not send it, still passes calls while it is replaced (DYBER_EXPECT_SCOPE).
        allowed_hosts: Host names in Host and Origin that are accepted (ALLOWED_HOSTS, separated by commas; `*` for
            all). None for the default: all, except for a server that listens on this machine only, which accepts only
            the names of this machine.
        state_key: Encrypts what a client sends back with the answer to a question (DYBER_STATE_KEY_FILE); replicas with
            the same key continue each other's calls. None: a random key of this process.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    log_level: str = "info"
    language: Language = "zh"
    max_call_seconds: float = 60.0
    data_dir: Path | None = None
    read_only: bool = True
    privacy: bool = False
    max_answer_chars: int = 24_000
    max_body_bytes: int = 2**20
    require_scope: bool = False
    expect_scope: bool = False
    allowed_hosts: tuple[str, ...] | None = None
    state_key: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, default_port: int = 8000) -> Settings:
        """Read the settings from environment variables.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        data = os.environ.get("DYBER_DATA")
        hosts = [name.strip().lower() for name in os.environ.get("ALLOWED_HOSTS", "").split(",")]
        return cls(
            host=os.environ.get("HOST") or "127.0.0.1",
            port=int(environment_number("PORT", default_port, 1, 65535)),
            log_level=_environment_choice("LOG_LEVEL", LOG_LEVELS, "info"),
            language=cast(Language, _environment_choice(LANGUAGE_SETTING, LANGUAGES, "zh")),
            max_call_seconds=environment_number("MAX_CALL_SECONDS", 60, 1, 3600),
            data_dir=Path(data) if data else None,
            read_only=environment_flag("DYBER_READ_ONLY", True),
            privacy=environment_flag("DYBER_PRIVACY", False),
            max_answer_chars=int(environment_number("MAX_ANSWER_CHARS", 24_000, 2_000, 1_000_000)),
            max_body_bytes=int(environment_number("MAX_BODY_BYTES", 2**20, 1024, 64 * 2**20)),
            require_scope=environment_flag("DYBER_REQUIRE_SCOPE", False),
            expect_scope=environment_flag("DYBER_EXPECT_SCOPE", False),
            allowed_hosts=tuple(name for name in hosts if name) or None,
            state_key=_environment_key(STATE_KEY_SETTING),
        )


def _environment_choice(name: str, choices: Sequence[str], default: str) -> str:
    value = os.environ.get(name, "").strip().lower() or default
    if value not in choices:
        raise ValueError(
            tr(
                "The value {value} of {name} is not usable; possible values: {choices}",
                name=name,
                value=repr(value),
                choices=", ".join(choices),
            )
        )
    return value


def environment_number(name: str, default: float, low: float, high: float) -> float:
    """Return the number in environment variable `name`, or `default` when it is unset or empty.

    Raises:
        ValueError: The value is not a number, or is outside `low`..`high`.
    """
    raw = os.environ.get(name, "").strip()
    if not raw:
        return float(default)
    try:
        value = float(raw)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise ValueError(
            tr(
                "The value {value} of the environment variable {name} is not usable; it must be a number from {low:g} "
                "to {high:g}",
                name=name,
                value=repr(raw),
                low=low,
                high=high,
            )
        )
    return value


def environment_flag(name: str, default: bool) -> bool:
    """Return the switch in environment variable `name`: 1/true/yes/on or 0/false/no/off.

    Raises:
        ValueError: The variable has another value.
    """
    raw = os.environ.get(name, "").strip().lower()
    if not raw:
        return default
    if raw in ("1", "true", "yes", "on"):
        return True
    if raw in ("0", "false", "no", "off"):
        return False
    raise ValueError(
        tr(
            "The value {value} of the environment variable {name} is not usable; it must be true or false",
            name=name,
            value=repr(raw),
        )
    )


def _environment_key(name: str) -> str | None:
    key = environment_secret(name)
    if key is not None and len(key.encode()) < _SHORTEST_KEY:
        raise ValueError(
            tr("The key in {name} is too short; it must have at least {count} bytes", name=name, count=_SHORTEST_KEY)
        )
    return key


def environment_secret(name: str) -> str | None:
    """Return the secret in environment variable `name` or in the file that `name`_FILE names; None when neither is set.

    Raises:
        ValueError: Both are set, or the file cannot be read or is empty; the message does not contain the secret.
    """
    value, file = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if not file:
        keep_secret(value or "")
        return value or None
    if value:
        raise ValueError(tr("Only one of the environment variables {name} and {name}_FILE may be set", name=name))
    try:
        content = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = type(error).__name__
        raise ValueError(
            tr(
                "The file {file} that the environment variable {name}_FILE names cannot be read: {reason}",
                name=name,
                file=file,
                reason=reason,
            )
        ) from None
    if not content:
        raise ValueError(
            tr("The file {file} that the environment variable {name}_FILE names is empty", name=name, file=file)
        )
    keep_secret(content)
    return content
