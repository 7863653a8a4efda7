"""Reads the settings of the stack from Pulumi's configuration; no other module of the program reads it."""

from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret

from infra.settings import env_file
from infra.settings.stack import StackSettings, read_overrides, read_settings


def load_settings(root: Path) -> StackSettings:
    """Return the settings of the stack that runs this program; `root` is the folder of the repository.

    Raises ConfigurationError.
    """
    values = CONFIG.get()
    if notice := env_file.override_notice(read_overrides(root, pulumi.get_stack()), pulumi.get_stack()):
        pulumi.log.info(notice)
    return read_settings(root, pulumi.get_stack(), values, [key for key in values if is_config_secret(key)])
