"""Defines the settings for building images, which set-up completes for this machine."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator

from infra.schema.problems import UnusableValue
from infra.schema.strict_settings import StrictSettings
from messages import mark

#: By key of `build`, the environment variable in which set-up puts its value for this machine.
FROM_ENVIRONMENT = {
    "pipIndexUrl": "DYBER_PIP_INDEX_URL",
    "npmRegistry": "DYBER_NPM_REGISTRY",
    "goProxy": "DYBER_GOPROXY",
    "caBundle": "DYBER_CA_BUNDLE",
    "proxy": "DYBER_BUILD_PROXY",
}


class BuildSettings(StrictSettings):
    """How images are built on the engine."""

    base_image: str = Field(
        "dyber-base:{suite}",
        description=mark("The base image; {suite} becomes trixie or forky"),
        json_schema_extra={"pattern": r"\{suite\}"},
    )
    pip_index_url: str | None = Field(None, description=mark("The Python package index that builds use"))
    npm_registry: str | None = Field(None, description=mark("The npm registry that builds use"))
    go_proxy: str | None = Field(
        None, description=mark("The Go module proxies that builds use, in the form of GOPROXY")
    )
    apt_options: str = Field("", description=mark("More options of apt-get in builds"))
    ca_bundle: str | None = Field(
        None,
        description=mark("Certificates that builds trust (PEM file), for networks with a TLS proxy"),
    )
    proxy: str | None = Field(
        None,
        pattern=r"^https?://[^@/\s]+/?$",
        description=mark(
            "The proxy that builds use, at an address that containers reach (not 127.0.0.1), without a password"
        ),
    )
    generation: int = Field(
        0,
        ge=0,
        description=mark("A number that was not used before builds every image anew, without caches"),
    )

    min_age_days: int = Field(
        0,
        ge=0,
        le=3650,
        description=mark(
            "Adding and updating servers of others takes nothing younger than this many days; 0: all ages; the option "
            "--min-age comes first"
        ),
    )

    @field_validator("base_image")
    @classmethod
    def _base_image_names_the_suite(cls, value: str) -> str:
        if "{suite}" not in value:
            raise UnusableValue("base_image_without_suite")
        return value

    @property
    def proxy_arguments(self) -> dict[str, str]:
        """Return the build arguments for the proxy. Docker knows them without an ARG, and they change neither the name
        nor the content of an image."""
        if not self.proxy:
            return {}
        return dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), self.proxy)

    def base(self, suite: str) -> str:
        """Return the name of the base image for a Debian suite."""
        return self.base_image.replace("{suite}", suite)


def from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the keys of `build` that set-up determined for this machine."""
    values = {key: environment.get(variable) for key, variable in FROM_ENVIRONMENT.items()}
    return {key: value for key, value in values.items() if value}
