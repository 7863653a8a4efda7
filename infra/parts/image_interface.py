"""The number of what this program expects of its own images: gateway, front, cache, monitoring and services.

A stack that gives images by digest says in `imagesInterface` for which number they were built; promotion writes both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.schema.problems import ConfigurationError, Problem
from infra.settings.names import NAMESPACE, stack_file

if TYPE_CHECKING:
    from infra.settings.stack import StackSettings

#: Raised whenever images of before would no longer work: another command, port, file or variable is expected of them.
#: Images of before there was this number have 0.
INTERFACE = 2


def refuse_other(settings: StackSettings) -> None:
    """Raise ConfigurationError where the stack gives images of the program's parts that this program cannot run."""
    given = [key for key, image in settings.part_images().items() if image]
    if not given or settings.images_interface == INTERFACE:
        return
    is_newer = settings.images_interface > INTERFACE
    promote = f"./deploy.sh promote {_SOURCES.get(settings.stack, '<from>')} {settings.stack}"
    raise ConfigurationError(
        Problem(
            "images_of_newer_program" if is_newer else "images_of_older_program",
            stack_file(settings.stack),
            (f"{NAMESPACE}:imagesInterface",),
            settings.images_interface,
            {"images": ", ".join(given), "interface": INTERFACE, "promote": promote},
        )
    )


#: Where the images of the usual stacks come from.
_SOURCES = {"test": "dev", "prod": "test"}
