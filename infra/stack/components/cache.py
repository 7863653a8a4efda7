"""The profile `cache`: Redis, the password for it, and what tells Prometheus of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from stack.components import defaults
from stack.components.secret_files import SecretFiles, SecretFilesArgs
from stack.gateway_inputs import REDIS_PORT
from stack.images import Image
from stack.monitoring_config import EXPORTER_HOST, EXPORTER_PORT
from stack.profile_settings import CacheSettings

CACHE_UID, EXPORTER_UID = 26379, 29121
#: Name of Redis on every network it is in.
ALIAS = "cache"
PASSWORD_FOLDER = "/run/dyber-cache"  # noqa: S105 - a folder
PASSWORD_BYTES = 32
MAX_PROCESSES = 128
STOP_SECONDS = 10
EXPORTER_MEMORY_MIB = 64
#: What services and people may do: everything with data, nothing with the server, or through it with others.
DATA_USER = ("~*", "&*", "+@all", "-@admin", "-@dangerous", "+info")
#: What the exporter may do: ask how Redis is.
METRICS_USER = ("+@connection", "+info", "+slowlog|len", "+slowlog|get", "+latency|latest", "+latency|histogram")


@dataclass(frozen=True)
class CacheAccessArgs:
    """`image` is the cache's."""

    owner: defaults.Owner
    image: Image
    settings: CacheSettings


class CacheAccess(pulumi.ComponentResource):
    """The password of Redis. Creates a random one, unless the settings give one, and a file with it, which whoever is
    in the group CACHE_UID can read.

    With another password the services that use it are replaced, new-first. Redis without them, or they without Redis,
    costs them speed only.
    """

    password: pulumi.Output[str]
    #: SHA-256 of the password; a secret if the password is not random.
    sha256: pulumi.Output[str]
    file: pulumi.Output[str]
    mount: docker.ContainerMountArgs
    #: Writes the file: what reads it depends on this.
    written: docker.Container

    def __init__(self, name: str, args: CacheAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:cache:CacheAccess", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        own = args.settings.password
        if own:
            self.password = pulumi.Output.secret(own.get_secret_value())
        else:
            generation = {"generation": str(args.settings.generation)}
            generated = random.RandomBytes(f"{name}-password", length=PASSWORD_BYTES, keepers=generation, opts=child)
            self.password = pulumi.Output.secret(generated.hex)
        sha256 = self.password.apply(lambda password: hashlib.sha256(password.encode()).hexdigest())
        # As with tokens: nothing follows from the hash of 256 random bits, and in clear the preview stays readable.
        self.sha256 = sha256 if own else pulumi.Output.unsecret(sha256)
        files = SecretFiles(
            f"{name}-password",
            SecretFilesArgs(
                owner=args.owner,
                image=args.image,
                uid=CACHE_UID,
                owned=PASSWORD_FOLDER,
                folder=PASSWORD_FOLDER,
                contents={"password": self.password},
                processes=MAX_PROCESSES,
            ),
            child,
        )
        self.file, self.mount, self.written = files.file("password"), files.mount, files.written
        self.register_outputs({})


@dataclass(frozen=True)
class CacheArgs:
    """`networks` are those of the services that use it, `publish` is the (port, address) on the host.
    `keep_data`: the data volume outlives `destroy`."""

    owner: defaults.Owner
    image: Image
    settings: CacheSettings
    access: CacheAccess
    networks: Sequence[pulumi.Input[str]]
    publish: tuple[int, str]
    keep_data: bool


class Cache(pulumi.ComponentResource):
    """Creates:
    - a network of Redis' own, through which its port is published and the exporter asks; nothing gets out of it
    - a data volume
    - Redis, which is also in the network of each service that uses it, so that those stay apart from each other

    Two cannot share the data, so Redis is replaced old-first; meanwhile the services do without.
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
            mounts=[defaults.data_mount(name, args.owner, self, keep=args.keep_data), args.access.mount],
            read_only=True,
            tmpfs=defaults.SMALL_TMP,
            healthcheck=defaults.healthcheck("/usr/local/bin/cache-healthcheck", start_period="30s"),
            wait=True,
            wait_timeout=60,
            stop_signal="SIGTERM",
            stop_timeout=STOP_SECONDS,
            destroy_grace_seconds=STOP_SECONDS,
            restart=defaults.RESTART,
            must_run=True,
            **defaults.confined(
                uid=CACHE_UID, memory_mib=args.settings.memory_mib, cpus=1.0, processes=MAX_PROCESSES
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*args.image.built_by, args.access.written],
                delete_before_replace=True,
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
            ),
        )
        self.register_outputs({"container": self.container.name})

    def _command(self, args: CacheArgs) -> pulumi.Output[list[str]]:
        def command(sha256: str) -> list[str]:
            known = ("on", f"#{sha256}")
            return [
                "redis-server",
                "/etc/dyber/redis.conf",
                *("--maxmemory", f"{args.settings.max_data_mib}mb"),
                *("--user", "default", *known, *DATA_USER),
                *("--user", "metrics", *known, *METRICS_USER),
            ]

        return args.access.sha256.apply(command)


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
            **defaults.confined(
                uid=EXPORTER_UID, memory_mib=EXPORTER_MEMORY_MIB, cpus=0.5, processes=MAX_PROCESSES
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*args.image.built_by, args.access.written],
                delete_before_replace=False,
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
            ),
        )
        self.register_outputs({"container": self.container.name})
