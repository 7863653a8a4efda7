"""Defines the version of the interface between this program and its images.

A stack with images by digest has in `imagesInterface` the interface that they were built for; promotion writes both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.schema.problems import ConfigurationError, Problem
from infra.settings.names import NAMESPACE, promotion, stack_file
from infra.settings.profiles import MONITORING

if TYPE_CHECKING:
    from infra.settings.stack import StackSettings

#: Increase it if older images would no longer work because the program expects another command, port, file or variable.
#: Images from before this number was introduced have 0.
INTERFACE = 4
#: The oldest interfaces whose images still work: in a stack that sends alerts, as since 4 the image of monitoring has
#: Alertmanager; in one with the hub, as since 3 services know renamed tools; and in any other stack.
WITH_ALERTS, WITH_HUB, PLAIN = 4, 3, 2


def refuse_incompatible_images(settings: StackSettings) -> None:
    """Raise ConfigurationError if the stack has images by digest that were built for another interface."""
    given = [key for key, image in settings.part_images().items() if image]
    oldest = _oldest(settings)
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


def _oldest(settings: StackSettings) -> int:
    if settings.has(MONITORING) and settings.monitoring.alerts:
        return WITH_ALERTS
    return WITH_HUB if settings.hub.enabled else PLAIN
