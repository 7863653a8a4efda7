"""Defines names for modules that should not wait for the import of the settings' models."""

from __future__ import annotations

#: The namespace of this program's keys in a stack's file.
NAMESPACE = "dyber"
#: The client whose token MCP_AUTH_TOKEN is.
MAIN_CLIENT = "desktop-pet"
#: The key with the image of the hub.
HUB_IMAGE = "hubImage"
#: The key with the image of the console.
CONSOLE_IMAGE = "consoleImage"
#: The client in whose name the console calls services; no client of a stack can be called so.
CONSOLE_CLIENT = "console"
#: The name under which programs show the hub, and the beginning of the names of its groups. It is short, because
#: programs put it before the name of each tool, and some of them cut long names.
HUB_NAME = "dyber"


def stack_file(stack: str) -> str:
    """Return the name of a stack's configuration file."""
    return f"Pulumi.{stack}.yaml"


def promotion(stack: str) -> str:
    """Return the command that promotes images into a stack; `<from>` stands for a stack that is not known."""
    return f"./deploy.sh promote {_PROMOTED_FROM.get(stack, '<from>')} {stack}"


#: The stack from which images are promoted, by the stack that they are promoted to.
_PROMOTED_FROM = {"test": "dev", "prod": "test"}
