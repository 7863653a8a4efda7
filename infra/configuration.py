"""Reads the settings of the running stack from Pulumi's configuration; nothing else in the program reads it."""

from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret

from infra.settings import env_file
from infra.settings.stack import StackSettings, read_overrides, read_settings


def load_settings(root: Path) -> StackSettings:
    """Settings of the stack that is running this program, of the repository at `root`. Raises ConfigurationError."""
    values = CONFIG.get()
    if taken := env_file.taken(read_overrides(root, pulumi.get_stack()), pulumi.get_stack()):
        pulumi.log.info(taken)
    return read_settings(root, pulumi.get_stack(), values, [key for key in values if is_config_secret(key)])
