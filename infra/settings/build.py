"""What a stack's file says of building images, and what set-up found out about this machine for it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator

from infra.schema.strict_settings import StrictSettings

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
        description="基础镜像，{suite} 换成 trixie 或 forky / The base image; {suite} becomes trixie or forky",
        json_schema_extra={"pattern": r"\{suite\}"},
    )
    pip_index_url: str | None = Field(None, description="构建时的 Python 软件源 / Python package index inside builds")
    apt_options: str = Field("", description="构建时 apt-get 的其他选项 / More options for apt-get inside builds")
    ca_bundle: str | None = Field(
        None,
        description="构建时信任的证书（PEM 文件），用于有 TLS 代理的网络 / PEM file trusted inside builds, for networks "
        "with a TLS proxy",
    )
    proxy: str | None = Field(
        None,
        pattern=r"^https?://[^@/\s]+/?$",
        description="构建时用的代理，容器要够得着它（不能是 127.0.0.1），地址里不放口令 / Proxy inside builds, at an address that "
        "containers reach (not 127.0.0.1), without a password",
    )
    generation: int = Field(
        0,
        ge=0,
        description="换一个没用过的数，所有镜像就不用缓存重新构建 / A number not used before builds every image anew, "
        "whatever the caches hold",
    )

    @field_validator("base_image")
    @classmethod
    def _base_image_names_the_suite(cls, value: str) -> str:
        if "{suite}" not in value:
            raise ValueError("must contain {suite}, such as dyber-base:{suite} or debian:{suite}-slim")
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
