"""Makes the import of the SDK shorter, which is most of a service's start."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import the SDK inside this context: the garbage collector pauses, and some of its models are built when used.

    These are the SDK's models of single protocol versions, hundreds, of which a service uses a few. Imports leave
    almost no garbage, but the collector would search all that they make again and again, also later; so it is told to
    leave that out.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        # The SDK has no setting for this; its version is pinned, and a test checks the effect.
        from mcp_types._wire_base import WireModel

        WireModel.model_config["defer_build"] = True
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
