"""What a stack's file says of building images, and what set-up found out about this machine for it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator

from infra.schema.problems import UnusableValue
from infra.schema.strict_settings import StrictSettings
from messages import mark

#: By key of `build`, the environment variable that completes it.
FROM_ENVIRONMENT = {
    "pipIndexUrl": "DYBER_PIP_INDEX_URL",
    "caBundle": "DYBER_CA_BUNDLE",
    "proxy": "DYBER_BUILD_PROXY",
}


class BuildSettings(StrictSettings):
    """How images are built where they are built."""

    base_image: str = Field(
        "dyber-base:{suite}",
        description=mark("The base image; {suite} becomes trixie or forky"),
        json_schema_extra={"pattern": r"\{suite\}"},
    )
    pip_index_url: str | None = Field(None, description=mark("The Python package index that builds use"))
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

    @field_validator("base_image")
    @classmethod
    def _base_image_names_the_suite(cls, value: str) -> str:
        if "{suite}" not in value:
            raise UnusableValue("base_image_without_suite")
        return value

    @property
    def proxy_arguments(self) -> dict[str, str]:
        """Return the proxy build arguments; every Dockerfile knows them, and they change neither an image's name nor
        its content."""
        if not self.proxy:
            return {}
        return dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), self.proxy)

    def base(self, suite: str) -> str:
        """The base image for a Debian suite."""
        return self.base_image.replace("{suite}", suite)


def found_by_set_up(environment: Mapping[str, str]) -> dict[str, str]:
    """What set-up found out about this machine, as keys of `build`."""
    found = {key: environment.get(variable) for key, variable in FROM_ENVIRONMENT.items()}
    return {key: value for key, value in found.items() if value}
