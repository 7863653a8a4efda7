"""Declares the profile `cache`: Redis, its users and passwords, and its exporter for Prometheus."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from infra.components.docker import defaults
from infra.components.docker.images import Image
from infra.components.docker.secret_files import SecretFiles, SecretFilesArgs
from infra.rendering.gateway_inputs import REDIS_PORT
from infra.rendering.monitoring_config import EXPORTER_HOST, EXPORTER_PORT
from infra.settings.profiles import CacheSettings

CACHE_UID, EXPORTER_UID = 26379, 29121
#: Name of Redis on every network it is in.
ALIAS = "cache"
PASSWORD_FOLDER = "/run/dyber-cache"
PASSWORD_BYTES = 32
MAX_PROCESSES = 128
STOP_SECONDS = 10
EXPORTER_MEMORY_MIB = 64
#: What people may do with the published port: everything with data, nothing with the server, or through it with others.
DATA_USER = ("~*", "&*", "+@all", "-@admin", "-@dangerous", "+info")
#: What the exporter and the health check may do: ask how Redis is.
METRICS_USER = ("+@connection", "+info", "+slowlog|len", "+slowlog|get", "+latency|latest", "+latency|histogram")
#: What a service may do with its own keys. No command tells of the keys or channels of others, or takes their data
#: along; scripts are left out, as one that does not end stops Redis for everybody.
SERVICE_COMMANDS = (
    *("+@read", "+@write", "+@connection", "+@transaction", "+@pubsub"),
    *("-@dangerous", "-@admin", "-@scripting", "-scan", "-randomkey", "-dbsize", "-pubsub"),
)


def service_user(service: str) -> str:
    """Return the name of a service's user in Redis."""
    return f"service-{service}"


def service_rules(service: str) -> tuple[str, ...]:
    """Return what a service's user may do, as Redis ACL rules: only keys and channels that begin with its prefix."""
    return (f"~dyber:{service}:*", f"&dyber:{service}:*", *SERVICE_COMMANDS)


def redis_command(max_data_mib: int, users: Iterable[tuple[str, str, Sequence[str]]]) -> list[str]:
    """Return the command that runs Redis. `users` are names, SHA-256 of passwords, and Redis ACL rules."""
    command = ["redis-server", "/etc/dyber/redis.conf", "--maxmemory", f"{max_data_mib}mb"]
    for user, sha256, rules in users:
        command += ["--user", user, "on", f"#{sha256}", *rules]
    return command


@dataclass(frozen=True, eq=False)
class CacheLogin:
    """A user of Redis: `password` is a secret; so is `sha256`, its hash, where a person chose the password."""

    user: str
    password: pulumi.Output[str]
    sha256: pulumi.Output[str]


@dataclass(frozen=True)
class CacheAccessArgs:
    """`image` is the cache's; `services` are the names of those that use it."""

    owner: defaults.Owner
    image: Image
    settings: CacheSettings
    services: Sequence[str]


class CacheAccess(pulumi.ComponentResource):
    """The users of Redis and their passwords: one for people, one for whatever asks how Redis is, and one for each
    service, which reaches nothing of the others. Creates random passwords (that of people may come from the settings),
    and a file with that of `metrics`, which whoever is in the group CACHE_UID can read.

    With another password the services that use it are replaced, new-first. Redis without them, or they without Redis,
    costs them speed only.
    """

    #: For people, as the user `default`.
    people: CacheLogin
    metrics: CacheLogin
    #: By service.
    services: dict[str, CacheLogin]
    #: Of the password of `metrics`.
    file: pulumi.Output[str]
    mount: docker.ContainerMountArgs
    #: Writes the file: what reads it depends on this.
    written: docker.Container

    def __init__(self, name: str, args: CacheAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:cache:CacheAccess", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        keepers = {"generation": str(args.settings.generation)}

        def random_login(user: str, resource: str) -> CacheLogin:
            generated = random.RandomBytes(resource, length=PASSWORD_BYTES, keepers=keepers, opts=child)
            password: pulumi.Output[str] = pulumi.Output.secret(generated.hex)
            # As with tokens: nothing follows from the hash of 256 random bits, and in clear the preview stays readable.
            return CacheLogin(user, password, pulumi.Output.unsecret(_hashed(password)))

        if chosen := args.settings.password:
            password = pulumi.Output.secret(chosen.get_secret_value())
            self.people = CacheLogin("default", password, _hashed(password))
        else:
            self.people = random_login("default", f"{name}-password")
        self.metrics = random_login("metrics", f"{name}-metrics-password")
        self.services = {
            service: random_login(service_user(service), f"{name}-password-of-{service}") for service in args.services
        }
        files = SecretFiles(
            f"{name}-metrics",
            SecretFilesArgs(
                owner=args.owner,
                image=args.image,
                uid=CACHE_UID,
                owned=PASSWORD_FOLDER,
                folder=PASSWORD_FOLDER,
                contents={"metrics": self.metrics.password},
                processes=MAX_PROCESSES,
            ),
            child,
        )
        self.file, self.mount, self.written = files.file("metrics"), files.mount, files.written
        self.register_outputs({})


def _hashed(password: pulumi.Output[str]) -> pulumi.Output[str]:
    return password.apply(lambda text: hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True)
class CacheArgs:
    """`networks` are those of the services that use it, `publish` is the (port, address) on the host, `data` is the
    mount of its data volume."""

    owner: defaults.Owner
    image: Image
    settings: CacheSettings
    access: CacheAccess
    networks: Sequence[pulumi.Input[str]]
    publish: tuple[int, str]
    data: docker.ContainerMountArgs


class Cache(pulumi.ComponentResource):
    """The cache that services share.

    Creates:
    - a network of Redis' own, through which its port is published and the exporter asks; nothing gets out of it
    - Redis, which is also in the network of each service that uses it, so that those stay apart from each other

    Two cannot share the data, so Redis is replaced old-first; meanwhile the services do without. An update does not
    wait for Redis, and its container runs on also where Redis cannot start (cache/bin/cache-run).
    """

    network: docker.Network
    container: docker.Container

    def __init__(self, name: str, args: CacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:cache:Cache", name, None, opts)
        self.network = docker.Network(
            f"{name}-edge",
            # Not `internal`, which publishes no ports.
            options={"com.docker.network.bridge.enable_ip_masquerade": "false"},
            **defaults.network_arguments(args.owner, name, args.owner.subnets.part("cache")),
            opts=pulumi.ResourceOptions(parent=self),
        )
        host_port, address = args.publish
        self.container = docker.Container(
            f"{name}-redis",
            image=args.image.reference,
            command=self._command(args),
            envs=[pulumi.Output.concat("CACHE_PASSWORD_FILE=", args.access.file)],
            labels=defaults.container_labels(args.owner, name),
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(name=network, aliases=[ALIAS])
                for network in (self.network.name, *args.networks)
            ],
            ports=[docker.ContainerPortArgs(internal=REDIS_PORT, external=host_port, ip=address)],
            mounts=[args.data, args.access.mount],
            read_only=True,
            tmpfs=defaults.SMALL_TMP,
            healthcheck=defaults.healthcheck("/usr/local/bin/cache-healthcheck", start_period="30s"),
            # Services do without it, so nothing waits for it.
            wait=False,
            stop_signal="SIGTERM",
            stop_timeout=STOP_SECONDS,
            destroy_grace_seconds=STOP_SECONDS,
            restart=defaults.RESTART,
            must_run=True,
            **defaults.confined(uid=CACHE_UID, memory_mib=args.settings.memory_mib, cpus=1.0, processes=MAX_PROCESSES),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*args.image.built_by, args.access.written],
                delete_before_replace=True,
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
            ),
        )
        self.register_outputs({"container": self.container.name})

    def _command(self, args: CacheArgs) -> pulumi.Output[list[str]]:
        access = args.access
        rules = {
            access.people: DATA_USER,
            access.metrics: METRICS_USER,
            **{login: service_rules(service) for service, login in sorted(access.services.items())},
        }
        return pulumi.Output.all(*[login.sha256 for login in rules]).apply(
            lambda hashes: redis_command(
                args.settings.max_data_mib,
                [(login.user, sha256, allowed) for (login, allowed), sha256 in zip(rules.items(), hashes, strict=True)],
            )
        )


@dataclass(frozen=True)
class CacheExporterArgs:
    """`network` is that of Prometheus."""

    owner: defaults.Owner
    image: Image
    access: CacheAccess
    cache: Cache
    network: pulumi.Input[str]


class CacheExporter(pulumi.ComponentResource):
    """Creates the container that tells Prometheus how Redis is; it may read no key."""

    container: docker.Container

    def __init__(self, name: str, args: CacheExporterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:cache:CacheExporter", name, None, opts)
        self.container = docker.Container(
            name,
            image=args.image.reference,
            command=["/usr/local/bin/cache-exporter"],
            envs=[
                f"CACHE_ADDRESS=redis://{ALIAS}:{REDIS_PORT}",
                pulumi.Output.concat("CACHE_PASSWORD_FILE=", args.access.file),
            ],
            labels=defaults.container_labels(args.owner, name),
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(name=args.cache.network.name),
                docker.ContainerNetworksAdvancedArgs(name=args.network, aliases=[EXPORTER_HOST]),
            ],
            mounts=[args.access.mount],
            group_adds=[str(CACHE_UID)],
            read_only=True,
            tmpfs=defaults.SMALL_TMP,
            healthcheck=defaults.healthcheck("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{EXPORTER_PORT}"),
            wait=True,
            wait_timeout=60,
            stop_signal="SIGTERM",
            stop_timeout=STOP_SECONDS,
            destroy_grace_seconds=STOP_SECONDS,
            restart=defaults.RESTART,
            must_run=True,
            **defaults.confined(uid=EXPORTER_UID, memory_mib=EXPORTER_MEMORY_MIB, cpus=0.5, processes=MAX_PROCESSES),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*args.image.built_by, args.access.written],
                delete_before_replace=False,
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
            ),
        )
        self.register_outputs({"container": self.container.name})
