"""Defines the version of the interface between this program and its images.

A stack with images by digest has in `imagesInterface` the interface that they were built for; promotion writes both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.schema.problems import ConfigurationError, Problem
from infra.settings.names import NAMESPACE, promotion, stack_file

if TYPE_CHECKING:
    from infra.settings.stack import StackSettings

#: Increase it if older images would no longer work because the program expects another command, port, file or variable.
#: Images from before this number was introduced have 0.
INTERFACE = 3
#: The oldest interface whose images still work in a stack without the hub: since 3, services know renamed tools.
WITHOUT_HUB = 2


def refuse_incompatible_images(settings: StackSettings) -> None:
    """Raise ConfigurationError if the stack has images by digest that were built for another interface."""
    given = [key for key, image in settings.part_images().items() if image]
    oldest = INTERFACE if settings.hub.enabled else WITHOUT_HUB
    if not given or oldest <= settings.images_interface <= INTERFACE:
        return
    is_newer = settings.images_interface > INTERFACE
    raise ConfigurationError(
        Problem(
            "images_of_newer_program" if is_newer else "images_of_older_program",
            stack_file(settings.stack),
            (f"{NAMESPACE}:imagesInterface",),
            settings.images_interface,
            {"images": ", ".join(given), "interface": INTERFACE, "promote": promotion(settings.stack)},
        )
    )
