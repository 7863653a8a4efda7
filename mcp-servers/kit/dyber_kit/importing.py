"""Makes the import of the SDK shorter and smaller, which is most of a service's start and of its memory.

The SDK has no settings for this. Its version is pinned, and tests check the effects.
"""

from __future__ import annotations

import gc
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.errors import PydanticUserError

_SDK = "mcp"
# Packages whose own modules import much that is used late or never.
_USED_LATER = (_SDK, "httpx2")
_SEALING = f"{_SDK}.server.request_state"
# What the module that seals states takes of `cryptography`.
_CIPHERS = {
    "cryptography.exceptions": "InvalidTag",
    "cryptography.hazmat.primitives.ciphers.aead": "AESGCM",
    "cryptography.hazmat.primitives.hashes": "SHA256",
    "cryptography.hazmat.primitives.kdf.hkdf": "HKDF",
}


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import the SDK inside this context: much of what it prepares is prepared when it is used, or never.

    - The garbage collector pauses. Imports leave almost no garbage, but the collector would search all that they make
      again and again, also later; so it is told to leave that out.
    - Pydantic's models get their validators when they are used: the SDK has hundreds, and a service uses a few.
    - The SDK's client is imported by who uses it, and `cryptography` when a state is sealed.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for package in _USED_LATER:
            if package not in sys.modules:
                _import_package_when_used(package)
        with _models_built_when_used():
            if _SEALING not in sys.modules:
                _import_sealing()
            yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextmanager
def _models_built_when_used() -> Iterator[None]:
    make = TypeAdapter.__init__

    def make_deferred(
        self: Any, of: Any, *, config: ConfigDict | None = None, _parent_depth: int = 2, module: Any = None
    ) -> None:
        try:
            make(
                self, of, config={"defer_build": True, **(config or {})}, _parent_depth=_parent_depth + 1, module=module
            )
        except PydanticUserError:  # The adapter of a model has the model's configuration.
            make(self, of, config=config, _parent_depth=_parent_depth + 1, module=module)

    TypeAdapter.__init__ = make_deferred  # type: ignore[method-assign, assignment]
    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]
        TypeAdapter.__init__ = make  # type: ignore[method-assign]


def _import_package_when_used(name: str) -> None:
    """Make a package importable whose own module, which imports much, runs when something of it is used."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.loader is not None, f"{name} is installed"
    package, loader = importlib.util.module_from_spec(spec), spec.loader

    def load(wanted: str) -> Any:
        if wanted.startswith("__"):
            raise AttributeError(wanted)
        del package.__getattr__
        loader.exec_module(package)
        return getattr(package, wanted)

    package.__getattr__ = load  # type: ignore[method-assign]
    sys.modules[name] = package


def _import_sealing() -> None:
    """Import the module that seals states with stand-ins for its ciphers, which import the real ones when called."""
    stand_ins = {name: ModuleType(name) for name in _CIPHERS if name not in sys.modules}
    for name, module in stand_ins.items():
        setattr(module, _CIPHERS[name], _cipher(_CIPHERS[name]))
    sys.modules.update(stand_ins)
    try:
        importlib.import_module(_SEALING)
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _cipher(name: str) -> Callable[..., Any]:
    def make(*arguments: Any, **named: Any) -> Any:
        sealing = sys.modules[_SEALING]
        for module, used in _CIPHERS.items():
            setattr(sealing, used, getattr(importlib.import_module(module), used))
        return getattr(sealing, name)(*arguments, **named)

    return make
