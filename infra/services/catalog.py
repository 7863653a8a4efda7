"""Finds the services: every folder `mcp-servers/<name>/` with a `service.yaml` is a service.

To add a service, add a folder; no other file of the repository names a service.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from infra.schema.forms import Form
from infra.schema.problems import ConfigurationError, Problem, UnusableValue, validation_problems
from infra.schema.setting_tree import Setting
from infra.services import reserved_names
from infra.services.contract import Contract, load_lock
from infra.services.ports import GATEWAY_PORTS
from infra.services.source import AcceptedFinding, Source
from infra.services.source_locks import load_program

SPEC_FILE = "service.yaml"
#: A service that needs more replicas needs several machines, not more containers on one engine.
MAX_REPLICAS = 16
GIVEN_BY_THE_FOLDER = {"name", "folder", "declared_variables", "tools", "once_tools", "contract_sha256"}
NAME_PATTERN = re.compile(r"[a-z][a-z0-9-]{0,30}")
#: Ports that services may have, and the first port of a new service; 8001 and 8002 belong to the first two services.
SERVICE_PORTS = range(8001, 9000)
FIRST_NEW_PORT = 8003
#: A service's containers run as the uid BASE_UID + port, so that services do not share a limit that is counted per
#: user. The limit of processes is such a limit, because Pulumi's Docker provider has no pids limit.
BASE_UID = 20000


def _profile_name(value: str) -> str:
    if value in reserved_names.PROFILE_WORDS:
        raise UnusableValue("profile_word", words=", ".join(reserved_names.PROFILE_WORDS))
    return value


def _secret_name(value: str) -> str:
    if value.startswith("DYBER_") or value.endswith("_FILE"):
        raise UnusableValue("secret_name")
    return value


VariableName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
SecretName = Annotated[VariableName, AfterValidator(_secret_name)]


class ServiceSpec(BaseModel):
    """The content of a `service.yaml`. Sizes are in MiB, `cpus` in cores, times in seconds.

    - `package` is the Python package in the service's folder that its containers run; a service without code of its
      own has a `source` instead, a program of others that runs behind the kit's bridge.
    - `accepted` are the findings of the scan of tools that were reviewed, for a service with a `package`; those of a
      service with a `source` are in it.
    - `tools` tells by name whether a tool only reads; `once_tools` are the reading tools whose calls the gateway must
      not repeat after a failure; `contract_sha256` is the hash of the contract (infra.services.contract). They come
      from the lock file beside service.yaml, and are empty without it, or from the contract promoted into the stack.
    - `declared_variables` are the names in `environment`, without those that a stack adds: the program of a source gets
      only these.
    - `cache`: the service uses Redis if the stack has it.
    - `enforces_scopes`: the service obeys the header X-Dyber-Scope, as every service built on the kit does, and refuses
      requests without it. Clients with a scope of some of its tools may then use any revision of MCP.
    - `accounts`: tools of the service act for accounts that it is given by name, so that clients can be limited to some
      of these.
    - `account_limits`: the service keeps to limits of an account, such as visits per day. Several replicas share them
      through Redis, and on the data volume while Redis is away.
    - `max_replicas` is 1 if two containers would disturb each other (one account, one browser profile).
    - `seccomp` names a profile in infra/components/docker/seccomp that replaces the engine's own.
    - `secrets` tells by name whether the service needs a secret, which it reads with
      dyber_kit.settings.environment_secret. The values are in the stacks' files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Form(r"^[a-z][a-z0-9-]{0,30}$", "service_form")]
    folder: Path
    title: Annotated[str, Field(min_length=1, max_length=60)]
    description: Annotated[str, Field(max_length=200)] = ""
    port: Annotated[int, Field(ge=SERVICE_PORTS.start, lt=SERVICE_PORTS.stop)]
    package: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")] | None = None
    source: Source | None = None
    accepted: tuple[AcceptedFinding, ...] = ()
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
    accounts: bool = False
    account_limits: bool = False
    enforces_scopes: bool = False
    seccomp: Literal["chromium"] | None = None
    environment: dict[VariableName, str] = Field(default_factory=dict)
    secrets: dict[SecretName, Literal["required", "optional"]] = Field(default_factory=dict)
    declared_variables: tuple[str, ...] = ()
    tools: dict[str, bool] = Field(default_factory=dict)
    once_tools: tuple[str, ...] = ()
    contract_sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _bridge_decides(cls, values: Any) -> Any:
        """Complete what follows from a source: the bridge keeps to scopes, and what holds state has one replica."""
        if not isinstance(values, dict) or not isinstance(values.get("source"), dict):
            return values
        is_stateful = bool(values.get("data")) or values["source"].get("child") == "session"
        return {"enforces_scopes": True, **({"max_replicas": 1} if is_stateful else {}), **values}

    @model_validator(mode="after")
    def _has_a_program(self) -> Self:
        if (self.package is None) == (self.source is None):
            raise UnusableValue("package_and_source" if self.package else "no_package_and_no_source")
        if self.source is None:
            return self
        if undeclared := sorted(self.source.wanted_names - set(self.secrets) - set(self.environment)):
            raise UnusableValue("source_names_undeclared", names=", ".join(undeclared))
        if own := sorted({"HOST", "PORT"} & set(self.environment)):
            raise UnusableValue("source_own_address", names=", ".join(own))
        if self.source.listens == self.port:
            raise UnusableValue("source_listens_own_port", port=self.port)
        if self.source.uses_data and not self.data:
            raise UnusableValue("source_data_missing")
        if self.source.kind == "url" and not self.internet:
            raise UnusableValue("source_url_internet")
        if self.source.kind in ("oci", "url") and self.debian_packages:
            raise UnusableValue("source_debian_packages", kind=self.source.kind)
        if self.accounts or self.account_limits:
            raise UnusableValue("source_accounts")
        if self.source.child == "pool" and self.data:
            raise UnusableValue("source_pool_data")
        if self.source.child == "session" and self.max_replicas > 1:
            raise UnusableValue("source_session_replicas")
        return self

    @model_validator(mode="after")
    def _secrets_are_no_environment(self) -> Self:
        if both := sorted(set(self.secrets) & set(self.environment)):
            raise UnusableValue("secret_and_environment", names=", ".join(both))
        return self

    @model_validator(mode="after")
    def _limits_are_kept(self) -> Self:
        if self.account_limits and not self.data:
            raise UnusableValue("account_limits_without_data")
        return self

    def with_contract(self, contract: Contract) -> ServiceSpec:
        """Return the service with the tools of a contract."""
        reviewed = contract.reviewed(self.source.tools) if self.source else contract
        changes = {
            "tools": reviewed.read_only,
            "once_tools": reviewed.once_tools,
            "contract_sha256": reviewed.sha256,
        }
        return self.model_copy(update=changes)

    @property
    def accepted_findings(self) -> tuple[AcceptedFinding, ...]:
        """The findings of the scan of tools that were reviewed."""
        return (*self.accepted, *(self.source.accepted if self.source else ()))

    @property
    def alias(self) -> str:
        """The host name of the service's containers on its network."""
        return f"{self.name}-mcp"

    @property
    def uid(self) -> int:
        """The numeric user and group of the service's containers."""
        return BASE_UID + self.port


def load_catalog(servers: Path, *, locks: bool = True) -> dict[str, ServiceSpec]:
    """Return all services in `servers` (the folder mcp-servers/) by name, in the order of their ports.

    With `locks` false the lock files are not read: the services have no tools, and the locks of sources may be missing.

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
    """Return the service that `file` (mcp-servers/<name>/service.yaml) describes.

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
    environment = given.get("environment")
    given["declared_variables"] = tuple(map(str, environment)) if isinstance(environment, dict) else ()
    try:
        spec = ServiceSpec(name=name, folder=file.parent, **given)
    except ValidationError as error:
        root = Setting.of(ServiceSpec, GIVEN_BY_THE_FOLDER)
        raise ConfigurationError(*validation_problems(error, source, root)) from error
    if locks and (contract := load_lock(file.parent)):
        spec = spec.with_contract(contract)
    if spec.package and not (file.parent / spec.package / "__main__.py").is_file():
        missing = f"mcp-servers/{name}/{spec.package}/__main__.py"
        raise ConfigurationError(Problem("package_missing", source, ("package",), spec.package, {"path": missing}))
    if spec.source and locks:
        load_program(file.parent, spec.source)
    return spec


def declared_secrets(servers: Path) -> dict[str, tuple[str, ...]]:
    """Return by service the names of the secrets that its service.yaml declares; `servers` is the folder mcp-servers/.

    A file that cannot be read counts as declaring none; `load_catalog` reports what is wrong with it.
    """
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
    """Return the port for a new service. Raises ConfigurationError if all are taken."""
    for port in range(FIRST_NEW_PORT, SERVICE_PORTS.stop):
        if port not in taken and port not in GATEWAY_PORTS:
            return port
    raise ConfigurationError(Problem("no_port_left", parameters={"first": FIRST_NEW_PORT, "last": SERVICE_PORTS[-1]}))


def _to_be_renamed(name: str, reason: Problem) -> Problem:
    """Return what is wrong with a service's name, and how a service that was deployed under it keeps its data."""
    parameters = {"name": name, "reason": reason}
    return Problem("service_to_be_renamed", f"mcp-servers/{name}/{SPEC_FILE}", parameters=parameters)


def _name_clashes(specs: list[ServiceSpec]) -> list[Problem]:
    """Return a problem for each name that a service cannot have beside another: on the command line, `weibo-mcp` means
    the service `weibo`, and `weibo-direct` is a part of `weibo`."""
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
