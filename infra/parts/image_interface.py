"""The number of what this program expects of its own images: gateway, front, cache, monitoring and services.

A stack that gives images by digest says in `imagesInterface` for which number they were built; promotion writes both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.schema.problems import ConfigurationError

if TYPE_CHECKING:
    from infra.settings.stack import StackSettings

#: Raised whenever images of before would no longer work: another command, port, file or variable is expected of them.
#: Images of before there was this number have 0.
INTERFACE = 1


def refuse_other(settings: StackSettings) -> None:
    """Raise ConfigurationError where the stack gives images of the program's parts that this program cannot run."""
    given = [key for key, image in settings.part_images().items() if image]
    if not given or settings.images_interface == INTERFACE:
        return
    source = f"Pulumi.{settings.stack}.yaml"
    said = f"dyber:imagesInterface = {settings.images_interface}"
    if settings.images_interface > INTERFACE:
        raise ConfigurationError(
            f"{source}: {said}: {', '.join(given)} 属于更新的版本（本程序是 {INTERFACE}）；什么都没有改变。先更新程序："
            "./deploy.sh update\n"
            f"{source}: {said}: {', '.join(given)} are of a newer version (this program has {INTERFACE}); nothing was "
            "changed. Update the program first: ./deploy.sh update"
        )
    promote = f"./deploy.sh promote {_SOURCES.get(settings.stack, '<from>')} {settings.stack}"
    raise ConfigurationError(
        f"{source}: {said}: {', '.join(given)} 属于更早的版本（本程序要 {INTERFACE}）；什么都没有改变。先部署来源栈，再重新晋级："
        f"{promote}\n"
        f"{source}: {said}: {', '.join(given)} are of an older version (this program needs {INTERFACE}); nothing was "
        f"changed. Deploy the stack they come from, then promote again: {promote}"
    )


#: Where the images of the usual stacks come from.
_SOURCES = {"test": "dev", "prod": "test"}
