"""Defines the settings of the parts that the profiles `cache` and `monitoring` add."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr, field_validator

from infra.schema.problems import UnusableValue
from infra.schema.strict_settings import StrictSettings
from infra.settings.observing.alerts import AlertsSettings
from messages import mark

CACHE, MONITORING = "cache", "monitoring"
#: The profiles that the program itself provides; all others come from service.yaml files.
BUILT_IN_PROFILES = (CACHE, MONITORING)

_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?")
_HOURS = (365 * 24, 7 * 24, 24, 1, 1 / 60)
_PASSWORD = re.compile(r"[\x21-\x7e]{16,128}")


class CacheSettings(StrictSettings):
    """The settings of Redis, which the profile `cache` adds."""

    memory_mib: int = Field(
        128, ge=64, le=65536, description=mark("The container's memory, in MiB; half of it holds data")
    )
    generation: int = Field(1, ge=1, le=100_000, description=mark("Another number makes another random password"))
    password: SecretStr | None = Field(
        None,
        description=mark("Your own password, 16 to 128 visible characters; unset: a random one"),
    )

    @field_validator("password")
    @classmethod
    def _password_is_long_and_plain(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not _PASSWORD.fullmatch(value.get_secret_value()):
            raise UnusableValue("cache_password")
        return value

    @property
    def max_data_mib(self) -> int:
        """The most data that Redis keeps. It may need as much again while it rewrites its log."""
        return self.memory_mib // 2


class MonitoringSettings(StrictSettings):
    """The settings of Prometheus, which the profile `monitoring` adds."""

    retention: str = Field(
        "15d",
        description=mark("How long samples are kept, from 1h to 10y, such as 15d or 2h30m"),
        json_schema_extra={"pattern": r"^([0-9]+[ywdhm])+$"},
    )
    disk_mib: int = Field(
        2048,
        ge=128,
        le=1_048_576,
        description=mark("How many MiB samples may take; the oldest are deleted first"),
    )
    memory_mib: int = Field(256, ge=128, le=65536, description=mark("The container's memory, in MiB"))
    alerts: AlertsSettings | None = Field(None, description=mark("Where alerts go; unset: they are only shown"))

    @field_validator("retention")
    @classmethod
    def _retention_is_a_duration(cls, value: str) -> str:
        match = _DURATION.fullmatch(value)
        parts = [int(part or 0) for part in match.groups()] if match else []
        if not 1 <= sum(number * hours for number, hours in zip(parts, _HOURS, strict=False)) <= 10 * _HOURS[0]:
            raise UnusableValue("retention")
        return value
