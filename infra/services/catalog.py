"""Service discovery: every folder `mcp-servers/<name>/` with a `service.yaml` is a service.

Adding a service is adding a folder; nothing else in the repository names a service.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from infra.schema.problems import ConfigurationError, Problem, validation_problems
from infra.schema.setting_tree import Setting
from infra.services import reserved_names
from infra.services.contract import load_lock
from infra.services.ports import GATEWAY_PORTS

SPEC_FILE = "service.yaml"
#: More would ask for an engine per machine, not for more containers on one.
MAX_REPLICAS = 16
GIVEN_BY_THE_FOLDER = {"name", "folder", "tools", "once_tools", "contract_sha256"}
NAME_PATTERN = re.compile(r"[a-z][a-z0-9-]{0,30}")
#: Ports that services may have, and the first one for a new service; the two below it are taken by tradition.
SERVICE_PORTS = range(8001, 9000)
FIRST_NEW_PORT = 8003
#: First uid of the containers' users; a service runs as BASE_UID + port, so that limits counted per user
#: (the engine's provider has no pids limit) never span services.
BASE_UID = 20000


def _profile_name(value: str) -> str:
    if value in reserved_names.PROFILE_WORDS:
        words = " or ".join(reserved_names.PROFILE_WORDS)
        raise ValueError(f"a profile is not called {words}: these are words of --profile")
    return value


def _secret_name(value: str) -> str:
    if value.startswith("DYBER_") or value.endswith("_FILE"):
        raise ValueError("a secret's name neither begins with DYBER_ nor ends with _FILE")
    return value


VariableName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
SecretName = Annotated[VariableName, AfterValidator(_secret_name)]


class ServiceSpec(BaseModel):
    """What `service.yaml` says of one service. Sizes are MiB, `cpus` cores, times seconds.

    `tools`, `once_tools` and `contract_sha256` come from the lock file beside it, empty without that file, or from what
    was promoted into the stack: by name, whether the tool only reads; which of those may not be called again after a
    failure; and which contract that is (infra.services.contract).
    `cache`: the service uses Redis where the stack has it.
    `enforces_scopes`: it keeps to the header X-Dyber-Scope, as everything does that is built on the kit, and then takes
    no request without it. Clients of some of its tools may speak any revision of MCP then.
    `max_replicas` is 1 where two containers would be in each other's way (one account, one browser profile).
    `seccomp` names a profile of stack/seccomp that its containers have in place of the engine's own.
    `secrets`: by name, what it reads with dyber_kit.settings.environment_secret, and whether it can do without; the
    values are in the stacks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    folder: Path
    title: Annotated[str, Field(min_length=1, max_length=60)]
    description: Annotated[str, Field(max_length=200)] = ""
    port: Annotated[int, Field(ge=SERVICE_PORTS.start, lt=SERVICE_PORTS.stop)]
    package: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")]
    profile: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$"), AfterValidator(_profile_name)] | None = None
    debian_packages: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]+$")], ...] = ()
    cpus: Annotated[float, Field(gt=0, le=64)] = 0.5
    memory_mib: Annotated[int, Field(ge=64, le=65536)] = 256
    tmp_mib: Annotated[int, Field(ge=1, le=8192)] = 64
    max_call_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] = 1
    max_replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] = MAX_REPLICAS
    data: bool = False
    internet: bool = False
    cache: bool = False
    enforces_scopes: bool = False
    seccomp: Literal["chromium"] | None = None
    environment: dict[VariableName, str] = Field(default_factory=dict)
    secrets: dict[SecretName, Literal["required", "optional"]] = Field(default_factory=dict)
    tools: dict[str, bool] = Field(default_factory=dict)
    once_tools: tuple[str, ...] = ()
    contract_sha256: str = ""

    @model_validator(mode="after")
    def _secrets_are_no_environment(self) -> Self:
        if both := sorted(set(self.secrets) & set(self.environment)):
            raise ValueError(f"{', '.join(both)}: a secret, so not in environment as well")
        return self

    @property
    def alias(self) -> str:
        """Host name of the service's containers on its network."""
        return f"{self.name}-mcp"

    @property
    def uid(self) -> int:
        """Numeric user and group of the service's containers."""
        return BASE_UID + self.port


def load_catalog(servers: Path, *, locks: bool = True) -> dict[str, ServiceSpec]:
    """All services under `servers` (the folder mcp-servers/), by name, in order of their ports; without their tools
    where `locks` says so.

    Raises ConfigurationError naming every file that cannot be used, or a port that two services claim.
    """
    if not servers.is_dir():
        raise ConfigurationError(Problem("no_catalog", parameters={"folder": servers}))
    specs: list[ServiceSpec] = []
    problems: list[Problem] = []
    for file in sorted(servers.glob(f"*/{SPEC_FILE}")):
        try:
            specs.append(load_spec(file, locks=locks))
        except ConfigurationError as error:
            problems += error.problems
    problems += _port_clashes(specs) + _name_clashes(specs)
    if problems:
        raise ConfigurationError(*problems)
    return {spec.name: spec for spec in sorted(specs, key=lambda spec: spec.port)}


def load_spec(file: Path, *, locks: bool = True) -> ServiceSpec:
    """The service that `file` (mcp-servers/<name>/service.yaml) describes.

    Raises ConfigurationError for YAML that cannot be read, unknown keys, wrong values, or a missing package folder.
    """
    source = f"mcp-servers/{file.parent.name}/{file.name}"
    name = file.parent.name
    if not NAME_PATTERN.fullmatch(name):
        raise ConfigurationError(Problem("service_folder_name", source, parameters={"name": name}))
    if reason := reserved_names.problem(name):
        raise ConfigurationError(_to_be_renamed(name, reason))
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(Problem("not_yaml", source, parameters={"reason": str(error)})) from error
    if not isinstance(content, dict):
        raise ConfigurationError(Problem("service_no_mapping", source))
    reserved = sorted(GIVEN_BY_THE_FOLDER & set(content))
    if reserved:
        raise ConfigurationError(*(Problem("given_by_the_folder", source, (key,)) for key in reserved))
    given = {str(key): value for key, value in content.items()}
    if locks and (contract := load_lock(file.parent)):
        given.update(tools=contract.read_only, once_tools=contract.once, contract_sha256=contract.sha256)
    try:
        spec = ServiceSpec(name=name, folder=file.parent, **given)
    except ValidationError as error:
        root = Setting.of(ServiceSpec, GIVEN_BY_THE_FOLDER)
        raise ConfigurationError(*validation_problems(error, source, root)) from error
    if not (file.parent / spec.package / "__main__.py").is_file():
        missing = f"mcp-servers/{name}/{spec.package}/__main__.py"
        raise ConfigurationError(Problem("package_missing", source, ("package",), spec.package, {"path": missing}))
    return spec


def declared_secrets(servers: Path) -> dict[str, tuple[str, ...]]:
    """By service under `servers`, the names of the secrets that its service.yaml declares. A file that cannot be used
    declares none: `load_catalog` says what is wrong with it."""
    declared = {}
    for file in sorted(servers.glob(f"*/{SPEC_FILE}")):
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError, UnicodeDecodeError):
            content = None
        secrets = content.get("secrets") if isinstance(content, dict) else None
        declared[file.parent.name] = tuple(map(str, secrets)) if isinstance(secrets, dict) else ()
    return declared


def lowest_free_port(taken: Collection[int]) -> int:
    """The port for a new service. Raises ConfigurationError when all are taken."""
    for port in range(FIRST_NEW_PORT, SERVICE_PORTS.stop):
        if port not in taken and port not in GATEWAY_PORTS:
            return port
    raise ConfigurationError(Problem("no_port_left", parameters={"first": FIRST_NEW_PORT, "last": SERVICE_PORTS[-1]}))


def _to_be_renamed(name: str, reason: reserved_names.Reason) -> Problem:
    """Return what is wrong with a service's name, and how a service that was deployed under it goes on with its
    data."""
    chinese, english = reason
    parameters = {"name": name, "chinese": chinese, "english": english}
    return Problem("service_to_be_renamed", f"mcp-servers/{name}/{SPEC_FILE}", parameters=parameters)


def _name_clashes(specs: list[ServiceSpec]) -> list[Problem]:
    """Return a problem for each name that a service cannot have beside another. The command line takes `weibo-mcp` for
    the service `weibo`, and `weibo-direct` is a part of it."""
    names = {spec.name for spec in specs}
    parts = [
        _to_be_renamed(spec.name, reason)
        for spec in specs
        if (reason := reserved_names.problem_beside(spec.name, names))
    ]
    return parts + [
        Problem(
            "service_called_like_another",
            f"mcp-servers/{spec.name}/{SPEC_FILE}",
            parameters={"name": spec.name, "other": other},
        )
        for spec in specs
        if (other := spec.name.removesuffix("-mcp")) != spec.name and other in names
    ]


def _port_clashes(specs: list[ServiceSpec]) -> list[Problem]:
    owners: dict[int, str] = {}
    problems = []
    taken = {spec.port for spec in specs}
    for spec in specs:
        owner = owners.setdefault(spec.port, spec.name)
        if owner != spec.name:
            file = f"mcp-servers/{spec.name}/{SPEC_FILE}"
            parameters = {"owner": owner, "free": lowest_free_port(taken)}
            problems.append(Problem("port_taken", file, ("port",), spec.port, parameters))
    return problems
