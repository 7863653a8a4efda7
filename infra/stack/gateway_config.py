"""The gateway's configuration as text: a pure function of settings, services and clients.

Knows nothing of Pulumi or Docker. The templates, the njs modules and the table of errors are in nginx/.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import jinja2

NGINX_FOLDER = Path(__file__).resolve().parents[2] / "nginx"
#: Where the gateway and the loader mount the configuration volume.
CONFIGURATION_ROOT = "/etc/dyber"
#: Ports inside the container that belong to the gateway itself.
GATEWAY_PORTS = (80, 443, 8080)
#: Names under which every gateway answers.
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
#: First path segments that the gateway keeps for itself.
RESERVED_NAMES = ("api", "health", "gateway")
#: Streams without data get a ping every 15 s, so no read timeout may be near that.
SHORTEST_READ_TIMEOUT_SECONDS = 60
#: A service gets this long, beyond its longest call, to say itself that the call took too long.
READ_TIMEOUT_MARGIN_SECONDS = 15

_SERVICE_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_CLIENT_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_TOKEN_HASH = re.compile(r"[0-9a-f]{64}")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._\[\]:-]+")
_UNQUOTABLE = re.compile(r"""["'\\$;{}\s\x00-\x20\x7f]""")


@dataclass(frozen=True)
class GatewayService:
    """A service behind the gateway.

    `port` is the port its containers listen on and its direct port on the gateway; `title` is shown to people;
    `max_call_seconds` is the longest call it takes. Raises ValueError (Chinese, then English) for unusable values.
    """

    name: str
    port: int
    title: str
    max_call_seconds: int

    def __post_init__(self) -> None:
        if not _SERVICE_NAME.fullmatch(self.name) or len(self.name) > 40:
            _refuse(
                f"服务名 {self.name!r} 不可用：请用小写字母、数字和连字符，字母开头，最长 40 个字符，如 xiaohongshu",
                f"service name {self.name!r} is unusable: lower-case letters, digits and hyphens, a letter first, "
                "at most 40, such as xiaohongshu",
            )
        if self.name in RESERVED_NAMES:
            _refuse(
                f"服务名 {self.name!r} 由网关自己使用，请换一个",
                f"service name {self.name!r} is the gateway's own; choose another",
            )
        if not 1 <= self.port <= 65535 or self.port in GATEWAY_PORTS:
            _refuse(
                f"服务 {self.name} 的端口 {self.port} 不可用：应为 1 到 65535，且不是 80、443、8080（网关自己的端口）",
                f"port {self.port} of service {self.name} is unusable: 1 to 65535, and not 80, 443 or 8080, "
                "which are the gateway's own",
            )
        if not 1 <= self.max_call_seconds <= 86400:
            _refuse(
                f"服务 {self.name} 的 max_call_seconds {self.max_call_seconds} 不可用：应为 1 到 86400 秒",
                f"max_call_seconds {self.max_call_seconds} of service {self.name} is unusable: 1 to 86400 seconds",
            )

    @property
    def host(self) -> str:
        """Network alias of the service's containers."""
        return f"{self.name}-mcp"

    @property
    def read_timeout_seconds(self) -> int:
        """How long the gateway waits for the next byte of an answer."""
        return max(SHORTEST_READ_TIMEOUT_SECONDS, self.max_call_seconds + READ_TIMEOUT_MARGIN_SECONDS)


@dataclass(frozen=True)
class GatewayClient:
    """A caller and the SHA-256 hashes (64 lower-case hex digits) of its tokens: one, or two while rotating.

    Raises ValueError (Chinese, then English) for unusable values.
    """

    name: str
    token_sha256: tuple[str, ...]

    def __post_init__(self) -> None:
        if not _CLIENT_NAME.fullmatch(self.name):
            _refuse(
                f"客户端名 {self.name!r} 不可用：请用小写字母、数字和 . _ -，最长 63 个字符，例如 desktop-pet",
                f"client name {self.name!r} is unusable: lower-case letters, digits and . _ -, at most 63, "
                "such as desktop-pet",
            )
        if not self.token_sha256:
            _refuse(f"客户端 {self.name} 没有令牌", f"client {self.name} has no token")
        if not all(_TOKEN_HASH.fullmatch(value) for value in self.token_sha256):
            # The value is not repeated: it may be a token given by mistake.
            _refuse(
                f"客户端 {self.name} 的 token_sha256 应为 SHA-256 的 64 位小写十六进制",
                f"token_sha256 of client {self.name} must be SHA-256 hashes, 64 lower-case hex digits",
            )


@dataclass(frozen=True)
class GatewaySettings:
    """What the gateway as a whole needs to know. Raises ValueError (Chinese, then English) for unusable values.

    `server_names` are accepted besides localhost, 127.0.0.1 and [::1], and become names of the certificate;
    `allowed_origins` are web origins, such as https://pet.example, whose pages may call; `max_body_mib` is the largest
    request body in MiB; `version` is shown in the information document.
    """

    server_names: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    max_body_mib: int = 16
    worker_processes: int = 2
    version: str = "2.0.0"

    def __post_init__(self) -> None:
        for name in self.server_names:
            if _certificate_name(name) is None:
                _refuse(
                    f"主机名 {name!r} 不可用：请写主机名或 IP 地址，不带端口，如 pet.example.com、192.168.1.5",
                    f"host name {name!r} is unusable: a host name or an IP address without a port, such as "
                    "pet.example.com, 192.168.1.5 or [fd00::5]",
                )
        for origin in self.allowed_origins:
            if not _ORIGIN.fullmatch(origin):
                _refuse(
                    f"网页来源 {origin!r} 不可用：请写成 https://pet.example.com 或 http://localhost:6274，小写，不带路径",
                    f"web origin {origin!r} is unusable: such as https://pet.example.com or http://localhost:6274, "
                    "lower case, without a path",
                )
        if not 1 <= self.max_body_mib <= 64:
            _refuse(
                f"max_body_mib {self.max_body_mib} 不可用：应为 1 到 64", f"max_body_mib {self.max_body_mib}: 1 to 64"
            )
        if not 1 <= self.worker_processes <= 64:
            _refuse(
                f"worker_processes {self.worker_processes} 不可用：应为 1 到 64",
                f"worker_processes {self.worker_processes}: 1 to 64",
            )

    @property
    def all_server_names(self) -> tuple[str, ...]:
        """Every accepted host name, once, in a stable order."""
        return (*LOOPBACK_NAMES, *sorted(set(self.server_names) - set(LOOPBACK_NAMES)))


def render(
    settings: GatewaySettings, services: Iterable[GatewayService], clients: Iterable[GatewayClient]
) -> dict[str, str]:
    """The gateway's configuration: text by path relative to the configuration's folder; `nginx.conf` is the entry.

    Equal input gives byte-identical output, whatever the order of services and clients.
    Raises ValueError (Chinese, then English) when two services share a name or a port, or two clients a token.
    """
    ordered_services = sorted(services, key=lambda service: (service.port, service.name))
    ordered_clients = sorted(clients, key=lambda client: client.name)
    _refuse_doubled("服务名", "service name", [service.name for service in ordered_services])
    _refuse_doubled("服务端口", "service port", [service.port for service in ordered_services])
    _refuse_doubled("客户端名", "client name", [client.name for client in ordered_clients])
    _refuse_doubled("令牌", "token", [value for client in ordered_clients for value in client.token_sha256], show=False)
    names = "".join(f"{_certificate_name(name)}\n" for name in settings.all_server_names)
    context = {
        "settings": settings,
        "services": ordered_services,
        "clients": ordered_clients,
        "server_names": settings.all_server_names,
        "certificate": f"{CONFIGURATION_ROOT}/tls/{hashlib.sha256(names.encode()).hexdigest()[:16]}.pem",
        "errors": _errors(),
    }
    environment = _environment()
    files = {"tls.names": names, "njs/catalog.js": _catalog(settings, ordered_services)}
    for template in sorted(environment.list_templates(extensions=["j2"])):
        files[template.removesuffix(".j2")] = environment.get_template(template).render(context)
    for module in sorted((NGINX_FOLDER / "njs").glob("*.js")):
        files[f"njs/{module.name}"] = module.read_text(encoding="utf-8")
    return files


def quote(value: object) -> str:
    """`value` as one Nginx argument. Raises ValueError for characters that mean something to Nginx.

    Names are checked where they come in; this is the second lock.
    """
    text = str(value)
    if not text or _UNQUOTABLE.search(text) or text.startswith("~"):
        _refuse(f"{text!r} 不能写进 Nginx 配置", f"{text!r} cannot be written into an Nginx configuration")
    return f'"{text}"'


def json_body(fields: dict[str, Any], **variables: str) -> str:
    """A JSON object as the text argument of Nginx's `return`; `variables` are further keys with Nginx variables."""
    text = json.dumps(fields, ensure_ascii=False).replace("$", "\\u0024")
    literal = text.replace("\\", "\\\\").replace("'", "\\'")
    for key, variable in variables.items():
        literal = f'{literal[:-1]}, "{key}": "${variable}"}}'
    return f"'{literal}\\n'"


def _refuse(chinese: str, english: str) -> NoReturn:
    raise ValueError(f"{chinese}\n{english}")


def _refuse_doubled(chinese: str, english: str, values: Sequence[object], *, show: bool = True) -> None:
    doubled = sorted({str(value) for value in values if values.count(value) > 1})
    if doubled:
        which = " " + ", ".join(doubled) if show else ""
        _refuse(f"{chinese}重复：{which.strip()}" if show else f"{chinese}重复", f"{english} used twice:{which}")


def _certificate_name(name: str) -> str | None:
    """The host name as an entry of a certificate's subjectAltName; None when it is not a usable host name."""
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        labels = name.split(".")
        usable = len(name) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in labels)
        return f"DNS:{name}" if usable and not labels[-1].isdigit() else None
    bracketed = bare != name
    if bracketed != (address.version == 6) or str(address) != bare:
        return None
    return f"IP:{address}"


def _error_fields(code: str, chinese: str, english: str) -> dict[str, Any]:
    return {"status": "error", "code": code, "error": chinese, "error_en": english}


def _catalog(settings: GatewaySettings, services: list[GatewayService]) -> str:
    """A JavaScript module with what the gateway itself says of the services."""
    paths = [f"/api/{service.name}" for service in services]
    content = {
        "names": [service.name for service in services],
        "information": {
            "message": "DyberPet MCP Gateway",
            "version": settings.version,
            "services": paths,
            "titles": {service.name: service.title for service in services},
        },
        "unknown_service": {
            **_error_fields(
                "unknown_service",
                f"没有这个服务；现有服务：{'、'.join(paths) or '（无）'}",
                f"No such service; services: {', '.join(paths) or '(none)'}",
            ),
            "services": paths,
        },
    }
    return f"export default {json.dumps(content, ensure_ascii=True, indent=2)};\n"


def _errors() -> list[dict[str, Any]]:
    """The table of errors with each one's body."""
    table = json.loads((NGINX_FOLDER / "errors.json").read_text(encoding="utf-8"))
    errors = []
    for code, entry in table.items():
        variables = {"service": "service"} if entry.get("service") else {}
        body = json_body(_error_fields(code, entry["zh"], entry["en"]), **variables, request_id="gateway_request_id")
        errors.append({"early": False, **entry, "code": code, "body": body})
    return errors


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(NGINX_FOLDER / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - not HTML; `quote` and `json_body` do what Nginx needs
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["quote"] = quote
    return environment
