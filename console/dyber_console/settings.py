"""Reads the settings of the console from environment variables."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dyber_console.language import LANGUAGES, Language

_SHANGHAI = ZoneInfo("Asia/Shanghai")
#: All addresses of the console begin with this path, behind the gateway and without it.
BASE = "/console"
#: The client of the console itself.
OWN_CLIENT = "console"


@dataclass(frozen=True)
class Settings:
    """Holds the settings of the console's process.

    Attributes:
        password_hash: The argon2id hash of the administrator's password (DYBER_PASSWORD_HASH_FILE names its file).
        host: Address to listen on for pages and spans (HOST).
        port: TCP port of the pages (PORT).
        spans_port: TCP port that takes spans over OTLP/HTTP (DYBER_OTLP_PORT).
        syslog_socket: Unix socket on which the gateway's access log comes in over syslog, or None
            (DYBER_SYSLOG_SOCKET).
        data_dir: Folder of the store, which survives restarts (DYBER_DATA).
        files_dir: Folder with the files that deployments write for the console, or None (DYBER_FILES).
        stack: Name of the stack (DYBER_STACK).
        gateway_url: The gateway's address on the inner network (DYBER_GATEWAY_URL).
        metrics_url: The gateway's address for metrics, or None (DYBER_METRICS_URL).
        token: Token of the client `console`, or "" (DYBER_TOKEN_FILE names its file).
        allowed_hosts: Host names under which the pages are opened, without ports (ALLOWED_HOSTS, with commas).
        language: Language for browsers that prefer neither Chinese nor English (DYBER_LANGUAGE).
        timezone: Time zone in which times are shown (DYBER_TIMEZONE).
        longest_store_mib: Size of the store above which the oldest calls are dropped (DYBER_STORE_MIB).
        export_endpoint: Address of a collector that gets all spans over OTLP/HTTP (DYBER_EXPORT_ENDPOINT), or "".
        export_headers: Headers of the requests to it (DYBER_EXPORT_HEADERS_FILE names a file with a JSON object).
    """

    password_hash: str
    host: str = "127.0.0.1"
    port: int = 8071
    spans_port: int = 4318
    syslog_socket: Path | None = None
    data_dir: Path = Path("/data")
    files_dir: Path | None = None
    stack: str = "dev"
    gateway_url: str = "http://gateway"
    metrics_url: str | None = None
    token: str = ""
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    language: Language = "zh"
    timezone: ZoneInfo = _SHANGHAI
    longest_store_mib: int = 256
    export_endpoint: str = ""
    export_headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; raise ValueError with the variable, its value and what to write instead."""
        values = os.environ if environment is None else environment
        hosts = tuple(name.strip().lower() for name in values.get("ALLOWED_HOSTS", "").split(",") if name.strip())
        files, socket = values.get("DYBER_FILES"), values.get("DYBER_SYSLOG_SOCKET")
        return cls(
            password_hash=_secret(values, "DYBER_PASSWORD_HASH_FILE"),
            host=values.get("HOST") or cls.host,
            port=_number(values, "PORT", cls.port, 65535),
            spans_port=_number(values, "DYBER_OTLP_PORT", cls.spans_port, 65535),
            syslog_socket=Path(socket) if socket else None,
            data_dir=Path(values.get("DYBER_DATA") or cls.data_dir),
            files_dir=Path(files) if files else None,
            stack=values.get("DYBER_STACK") or cls.stack,
            gateway_url=(values.get("DYBER_GATEWAY_URL") or cls.gateway_url).rstrip("/"),
            metrics_url=(values.get("DYBER_METRICS_URL") or "").rstrip("/") or None,
            token=_secret(values, "DYBER_TOKEN_FILE") if values.get("DYBER_TOKEN_FILE") else "",
            allowed_hosts=hosts or cls.allowed_hosts,
            language=_language(values),
            timezone=_timezone(values),
            longest_store_mib=_number(values, "DYBER_STORE_MIB", cls.longest_store_mib, 65536),
            export_endpoint=_endpoint(values),
            export_headers=_headers(values),
        )


def _secret(values: Mapping[str, str], name: str) -> str:
    path = values.get(name)
    if not path:
        raise ValueError(f"{name} is not set; write the path of the file with the secret")
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"{name}={path}: the file cannot be read ({error.strerror}); write another path") from error
    if not content:
        raise ValueError(f"{name}={path}: the file is empty; deploy again")
    return content


def _number(values: Mapping[str, str], name: str, default: int, highest: int) -> int:
    text = values.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= highest:
        raise ValueError(f"{name}={text}: write a whole number from 1 to {highest}")
    return int(text)


def _endpoint(values: Mapping[str, str]) -> str:
    text = values.get("DYBER_EXPORT_ENDPOINT") or ""
    try:
        address = urlsplit(text)
        usable = not text or (address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"DYBER_EXPORT_ENDPOINT={text}: write an address such as https://collector.example:4318")
    return text


def _headers(values: Mapping[str, str]) -> Mapping[str, str]:
    name = "DYBER_EXPORT_HEADERS_FILE"
    if not values.get(name):
        return {}
    try:
        content = json.loads(_secret(values, name))
        usable = isinstance(content, dict) and all(isinstance(value, str) for value in content.values())
    except json.JSONDecodeError:
        usable = False
    if not usable:  # The content is not shown, as it is secret.
        raise ValueError(f"{name}={values[name]}: the file must have a JSON object of texts; deploy again")
    return {str(key): str(value) for key, value in content.items()}


def _language(values: Mapping[str, str]) -> Language:
    text = values.get("DYBER_LANGUAGE") or "zh"
    for known in LANGUAGES:
        if text == known:
            return known
    raise ValueError(f"DYBER_LANGUAGE={text}: write zh or en")


def _timezone(values: Mapping[str, str]) -> ZoneInfo:
    text = values.get("DYBER_TIMEZONE") or "Asia/Shanghai"
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"DYBER_TIMEZONE={text}: write a name such as Asia/Shanghai or Europe/Berlin") from error
