"""Declares the profile `cache`: Redis, its users and passwords, and its exporter for Prometheus."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from infra.components.docker import containers, defaults
from infra.components.docker.images import Image
from infra.components.docker.secret_files import SecretFiles, SecretFilesArgs
from infra.parts import cache as parts
from infra.parts.monitoring import NETWORK as MONITORING_NETWORK
from infra.services.ports import REDIS_PORT
from infra.settings.profiles import CacheSettings

PASSWORD_BYTES = 32


@dataclass(frozen=True, eq=False)
class CacheLogin:
    """A user of Redis. `password` is secret; its hash `sha256` is secret only if a person chose the password."""

    user: str
    password: pulumi.Output[str]
    sha256: pulumi.Output[str]


@dataclass(frozen=True)
class CacheAccessArgs:
    """`image` is the image of Redis; `services` are the names of the services that use it."""

    identity: defaults.StackIdentity
    image: Image
    settings: CacheSettings
    services: Sequence[str]


class CacheAccess(pulumi.ComponentResource):
    """Creates the users of Redis and their passwords: a user for people, one for health checks and the exporter, and
    one for each service, which cannot access the keys of other services.

    The passwords are random, except that the one for people may come from the settings. The password of `metrics` is
    also written to a file that the group CACHE_UID can read. A changed password replaces the services that use it, new
    first. While a service cannot log in, it works without Redis, only slower.
    """

    #: The user `default`, for people.
    people: CacheLogin
    metrics: CacheLogin
    #: By service.
    services: dict[str, CacheLogin]
    #: The path of the file with the password of `metrics`.
    file: pulumi.Output[str]
    volume: docker.Volume
    #: Writes the file; containers that read it depend on this.
    written: docker.Container

    def __init__(self, name: str, args: CacheAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:cache:CacheAccess", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        keepers = {"generation": str(args.settings.generation)}

        def random_login(user: str, resource: str) -> CacheLogin:
            generated = random.RandomBytes(resource, length=PASSWORD_BYTES, keepers=keepers, opts=child)
            password: pulumi.Output[str] = pulumi.Output.secret(generated.hex)
            # The hash of 256 random bits tells nothing about them, and in clear text it keeps previews readable.
            return CacheLogin(user, password, pulumi.Output.unsecret(_hashed(password)))

        if chosen := args.settings.password:
            password = pulumi.Output.secret(chosen.get_secret_value())
            self.people = CacheLogin("default", password, _hashed(password))
        else:
            self.people = random_login("default", f"{name}-password")
        self.metrics = random_login("metrics", f"{name}-metrics-password")
        self.services = {
            service: random_login(parts.service_user(service), f"{name}-password-of-{service}")
            for service in args.services
        }
        files = SecretFiles(
            f"{name}-metrics",
            SecretFilesArgs(
                identity=args.identity,
                image=args.image,
                uid=parts.CACHE_UID,
                owned=parts.PASSWORD_FOLDER,
                folder=parts.PASSWORD_FOLDER,
                contents={"metrics": self.metrics.password},
                processes=parts.MAX_PROCESSES,
            ),
            child,
        )
        self.file, self.volume, self.written = files.file("metrics"), files.volume, files.written
        self.register_outputs({})


def _hashed(password: pulumi.Output[str]) -> pulumi.Output[str]:
    return password.apply(lambda text: hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True)
class CacheArgs:
    """`networks` are the networks of the services that use Redis: their names on the engine, by their names in the
    stack. `publish` is the (port, address) on the host. `data` is the name of the data volume on the engine."""

    identity: defaults.StackIdentity
    image: Image
    settings: CacheSettings
    access: CacheAccess
    networks: Mapping[str, pulumi.Input[str]]
    publish: tuple[int, str]
    data: pulumi.Input[str]


class Cache(pulumi.ComponentResource):
    """Creates Redis, the cache that services share.

    Creates:
    - a network without internet access for the published port and for the exporter
    - Redis, which is also in the network of each service that uses it, so that services do not share a network

    Two containers cannot share the data, so Redis is replaced old first; meanwhile the services work without it. An
    update does not wait for Redis, and its container keeps running even if Redis cannot start (cache/bin/cache-run).
    """

    network: docker.Network
    container: docker.Container

    def __init__(self, name: str, args: CacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:cache:Cache", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.network = containers.declare_network(
            parts.edge(args.identity.subnets),
            args.identity,
            child,
            # The engine does not publish ports of networks that are `internal`.
            options={"com.docker.network.bridge.enable_ip_masquerade": "false"},
        )
        host_port, address = args.publish
        self.container = containers.declare_server(
            parts.redis(args.settings, list(args.networks)),
            args.identity,
            args.image,
            child,
            networks={parts.EDGE: self.network.name, **args.networks},
            volumes={parts.DATA_VOLUME: args.data, parts.PASSWORD_VOLUME: args.access.volume.name},
            environment=[_password_file(args.access)],
            command=self._command(args),
            depends_on=[args.access.written],
            ports=[docker.ContainerPortArgs(internal=REDIS_PORT, external=host_port, ip=address)],
        )
        self.register_outputs({"container": self.container.name})

    def _command(self, args: CacheArgs) -> pulumi.Output[list[str]]:
        access = args.access
        rules = {
            access.people: parts.DATA_USER,
            access.metrics: parts.METRICS_USER,
            **{login: parts.service_rules(service) for service, login in sorted(access.services.items())},
        }
        return pulumi.Output.all(*[login.sha256 for login in rules]).apply(
            lambda hashes: parts.redis_command(
                args.settings.max_data_mib,
                [(login.user, sha256, allowed) for (login, allowed), sha256 in zip(rules.items(), hashes, strict=True)],
            )
        )


@dataclass(frozen=True)
class CacheExporterArgs:
    """`network` is the name of the network of Prometheus on the engine."""

    identity: defaults.StackIdentity
    image: Image
    access: CacheAccess
    cache: Cache
    network: pulumi.Input[str]


class CacheExporter(pulumi.ComponentResource):
    """Creates the container that serves metrics of Redis to Prometheus; it cannot read any key."""

    container: docker.Container

    def __init__(self, name: str, args: CacheExporterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:cache:CacheExporter", name, None, opts)
        self.container = containers.declare_server(
            parts.exporter(MONITORING_NETWORK),
            args.identity,
            args.image,
            pulumi.ResourceOptions(parent=self),
            networks={parts.EDGE: args.cache.network.name, MONITORING_NETWORK: args.network},
            volumes={parts.PASSWORD_VOLUME: args.access.volume.name},
            environment=[_password_file(args.access)],
            depends_on=[args.access.written],
            group_adds=[str(parts.CACHE_UID)],
        )
        self.register_outputs({"container": self.container.name})


def _password_file(access: CacheAccess) -> pulumi.Output[str]:
    return pulumi.Output.concat(f"{parts.PASSWORD_FILE_VARIABLE}=", access.file)
