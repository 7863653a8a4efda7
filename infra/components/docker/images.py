"""Declares images, which are built here and named by the hash of their sources, or given by digest.

An image that is built here has the name `dyber-<name>:<content hash>`. Its tag changes exactly when the sources change,
so a preview already shows which containers a change replaces.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_docker as docker

from infra.parts.composition import Composition
from infra.parts.console import CONSOLE, CONSOLE_UID
from infra.parts.gateway import FRONT_UID, GATEWAY_UID
from infra.parts.hub import HUB, HUB_UID
from infra.parts.image_content import IMAGE_SUFFIX, service_content
from infra.schema.problems import ConfigurationError, Problem
from infra.services.catalog import ServiceSpec
from infra.settings.build import BuildSettings
from infra.settings.stack import StackSettings

_IGNORED_PARTS = {"__pycache__", ".pytest_cache", "tests"}
_IGNORED_SUFFIXES = {".pyc", ".md"}
GATEWAY, FRONT = "gateway", "front"
#: The packages of the hub beside those of the kit.
HUB_REQUIREMENTS = "hub/requirements.txt"
CA_BUNDLE_SECRET = "ca_bundle"
#: The plugin writes the output of a build only for a builder with a name; this is that of the engine itself.
LOGGING_BUILDER = "default"
#: The Debian suites of the base images. Only the nginx in the gateway's suite resolves upstreams at run time.
SERVER_SUITE, GATEWAY_SUITE = "trixie", "forky"


def content_hash(root: Path, parts: Iterable[str], build_arguments: Mapping[str, str]) -> str:
    """Return a hash, as 64 hex digits, of the build arguments and of `parts`: files and folders in `root`.

    It covers names, contents and the executable bit, but not documentation, tests and caches, which are not in images.
    Raises ConfigurationError for a part that does not exist.
    """
    digest = hashlib.sha256(json.dumps(dict(build_arguments), sort_keys=True).encode())
    for part in sorted(parts):
        path = root / part
        if not path.exists():
            raise ConfigurationError(Problem("source_missing", parameters={"path": path}))
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        for file in files:
            relative = file.relative_to(root)
            if _IGNORED_PARTS & set(relative.parts) or file.suffix in _IGNORED_SUFFIXES:
                continue
            mode = b"x" if file.stat().st_mode & 0o100 else b"-"
            for field in (relative.as_posix().encode(), mode, file.read_bytes()):
                digest.update(len(field).to_bytes(8, "big") + field)
    return digest.hexdigest()


@dataclass(frozen=True)
class Image:
    """An image. `reference` is its name, which is known before it is built; `image_id` is its id (`sha256:…`);
    containers depend on `built_by`."""

    reference: str
    image_id: pulumi.Input[str]
    built_by: tuple[pulumi.Resource, ...] = ()


class BuiltImage(pulumi.ComponentResource):
    """Creates a docker.RemoteImage that the stack's engine builds from the folder `root` when its sources change.

    `mirrors` are build arguments with the addresses of package mirrors, which are not part of the image's name. `target`
    is the stage of the Dockerfile to build, by default the last. `log` is a file for the output of the build.
    `reference` is a plain string, so containers are replaced when the sources change, but not when only the way of
    building changes.
    """

    reference: str
    image_id: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        root: Path,
        parts: Iterable[str],
        build_arguments: Mapping[str, str],
        build: BuildSettings,
        dockerfile: str = "Dockerfile",
        target: str | None = None,
        mirrors: Mapping[str, str] | None = None,
        log: Path | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("dyber:image:BuiltImage", name, None, opts)
        if build.generation:
            # Dockerfiles declare it before their first RUN, so that no layer comes from a cache.
            build_arguments = {**build_arguments, "BUILD_GENERATION": str(build.generation)}
        tag = content_hash(root, parts, build_arguments)[:16]
        secrets = None
        if build.ca_bundle:
            secrets = [docker.RemoteImageBuildSecretArgs(id=CA_BUNDLE_SECRET, src=build.ca_bundle)]
        self.reference = f"dyber-{name}:{tag}"
        image = docker.RemoteImage(
            f"{name}{IMAGE_SUFFIX}",
            name=self.reference,
            # Otherwise a rebuild would delete the image of running containers.
            keep_locally=True,
            triggers={"content": tag},
            build=docker.RemoteImageBuildArgs(
                context=str(root),
                dockerfile=dockerfile,
                target=target,
                build_args={**build_arguments, **(mirrors or {}), **build.proxy_arguments},
                secrets=secrets,
                builder=LOGGING_BUILDER if log else None,
                build_log_file=str(log) if log else None,
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                # With delete-first Pulumi would also replace every container that depends on the image.
                delete_before_replace=False,
                custom_timeouts=pulumi.CustomTimeouts(create="40m", update="40m"),
            ),
        )
        self.image_id = image.image_id
        self.register_outputs({"reference": self.reference, "imageId": self.image_id})


def stack_images(composition: Composition, root: Path, opts: pulumi.ResourceOptions) -> dict[str, Image]:
    """Return the images of the stack's services by their names, of the gateway, of the front, and of the hub and the
    console if there are any; `root` is the repository."""
    settings = composition.settings
    servers = {spec.name: server_image(spec, settings, root / "mcp-servers", opts) for spec in composition.services}
    hub = {HUB: hub_image(settings, root, HUB_UID, opts)} if composition.hub else {}
    console = {CONSOLE: console_image(settings, root, CONSOLE_UID, opts)} if settings.has_console else {}
    return {
        **servers,
        **hub,
        **console,
        GATEWAY: gateway_image(settings, root / "nginx", GATEWAY_UID, opts),
        FRONT: front_image(settings, root / "nginx", FRONT_UID, opts),
    }


def server_image(spec: ServiceSpec, settings: StackSettings, servers: Path, opts: pulumi.ResourceOptions) -> Image:
    """Return the image of a service: by its digest, or built from `servers` (the folder mcp-servers/).

    It is built with the service's own Dockerfile if there is one, otherwise with the shared Dockerfile. Raises
    ConfigurationError if the locks of its source cannot be used.
    """
    service = settings.services.get(spec.name)
    if service and service.image:
        return Image(reference=service.image, image_id=service.image)
    return built_server_image(spec, settings.build, servers, opts)


def built_server_image(
    spec: ServiceSpec, build: BuildSettings, servers: Path, opts: pulumi.ResourceOptions, log: Path | None = None
) -> Image:
    """Return the image of a service, built from `servers` (the folder mcp-servers/). Raises ConfigurationError."""
    content = service_content(spec)
    mirrors = {
        "PIP_INDEX_URL": build.pip_index_url,
        "NPM_REGISTRY": build.npm_registry,
        "GO_PROXY": build.go_proxy,
    }
    built = BuiltImage(
        spec.name,
        root=servers,
        dockerfile=content.dockerfile,
        target=content.target,
        parts={content.dockerfile, "healthcheck", "kit/dyber_kit", "kit/requirements.txt", *content.parts},
        build_arguments={
            "BASE_IMAGE": build.base(SERVER_SUITE),
            "SERVICE": spec.name,
            "DEBIAN_PACKAGES": " ".join(spec.debian_packages),
            "UID": str(spec.uid),
            "APT_OPTIONS": build.apt_options,
            **content.arguments,
        },
        build=build,
        mirrors={name: mirrors[name] or "" for name in ("PIP_INDEX_URL", *content.mirrors)},
        log=log,
        opts=opts,
    )
    return Image(reference=built.reference, image_id=built.image_id, built_by=(built,))


def gateway_image(
    settings: StackSettings, nginx: Path, uid: int, opts: pulumi.ResourceOptions, log: Path | None = None
) -> Image:
    """Return the image of the gateway: by its digest, or built from `nginx` (the folder nginx/)."""
    parts = {"Dockerfile", "bin", "bootstrap"}
    return _part_image("gateway", settings.gateway_image, settings, nginx, parts, uid, opts, log=log)


def front_image(
    settings: StackSettings, nginx: Path, uid: int, opts: pulumi.ResourceOptions, log: Path | None = None
) -> Image:
    """Return the image of the fronts: by its digest, or built from `nginx`/front."""
    parts = {"Dockerfile", "healthcheck", "nginx.conf"}
    return _part_image("front", settings.front_image, settings, nginx / "front", parts, uid, opts, log=log)


def hub_image(
    settings: StackSettings, root: Path, uid: int, opts: pulumi.ResourceOptions, log: Path | None = None
) -> Image:
    """Return the image of the hub: by its digest, or built from `root` (the repository, of which .dockerignore leaves
    the hub and the kit)."""
    parts = {
        ".dockerignore",
        "hub/Dockerfile",
        "hub/dyber_hub",
        "mcp-servers/healthcheck",
        "mcp-servers/kit/dyber_kit",
        "mcp-servers/kit/requirements.txt",
    }
    return _part_image(
        HUB,
        settings.hub_image,
        settings,
        root,
        parts | ({HUB_REQUIREMENTS} if (root / HUB_REQUIREMENTS).is_file() else set()),
        uid,
        opts,
        SERVER_SUITE,
        dockerfile="hub/Dockerfile",
        mirrors={"PIP_INDEX_URL": settings.build.pip_index_url or ""},
        log=log,
    )


def console_image(
    settings: StackSettings, root: Path, uid: int, opts: pulumi.ResourceOptions, log: Path | None = None
) -> Image:
    """Return the image of the console: by its digest, or built from `root` (the repository, as for the hub)."""
    parts = {
        ".dockerignore",
        "console/Dockerfile",
        "console/dyber_console",
        "console/requirements.txt",
        "mcp-servers/healthcheck",
    }
    return _part_image(
        CONSOLE,
        settings.console_image,
        settings,
        root,
        parts,
        uid,
        opts,
        SERVER_SUITE,
        dockerfile="console/Dockerfile",
        mirrors={"PIP_INDEX_URL": settings.build.pip_index_url or ""},
        log=log,
    )


def cache_image(
    settings: StackSettings, cache: Path, uid: int, opts: pulumi.ResourceOptions, log: Path | None = None
) -> Image:
    """Return the image of Redis: by its digest, or built from `cache` (the folder cache/)."""
    parts = {"Dockerfile", "bin", "redis.conf"}
    return _part_image("cache", settings.cache_image, settings, cache, parts, uid, opts, SERVER_SUITE, log=log)


def monitoring_image(
    settings: StackSettings, monitoring: Path, uid: int, opts: pulumi.ResourceOptions, log: Path | None = None
) -> Image:
    """Return the image of Prometheus and Alertmanager: by its digest, or built from `monitoring` (the folder
    monitoring/)."""
    parts = {".dockerignore", "Dockerfile", "bin", "bootstrap", "dyber_alerts"}
    return _part_image(
        "monitoring", settings.monitoring_image, settings, monitoring, parts, uid, opts, SERVER_SUITE, log=log
    )


def _part_image(
    name: str,
    pinned: str | None,
    settings: StackSettings,
    root: Path,
    parts: set[str],
    uid: int,
    opts: pulumi.ResourceOptions,
    suite: str = GATEWAY_SUITE,
    dockerfile: str = "Dockerfile",
    mirrors: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Image:
    if pinned:
        return Image(reference=pinned, image_id=pinned)
    arguments = {
        "BASE_IMAGE": settings.build.base(suite),
        "UID": str(uid),
        "APT_OPTIONS": settings.build.apt_options,
    }
    built = BuiltImage(
        name,
        root=root,
        parts=parts,
        build_arguments=arguments,
        build=settings.build,
        dockerfile=dockerfile,
        mirrors=mirrors,
        log=log,
        opts=opts,
    )
    return Image(reference=built.reference, image_id=built.image_id, built_by=(built,))
