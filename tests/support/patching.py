"""Replaces functions for the thread of a test only, as the servers of other tests run in threads of the same process."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest


def replace_in_this_thread(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, replacement: Callable[..., Any]
) -> None:
    """Replace a function of a module or class until the test ends; other threads still call the original.

    Args:
        monkeypatch: Undoes the replacement.
        owner: The module or class that has the function.
        name: The function's name there.
        replacement: Takes the same arguments.
    """
    original, thread = getattr(owner, name), threading.get_ident()

    @functools.wraps(original)
    def chosen(*arguments: Any, **named: Any) -> Any:
        return (replacement if threading.get_ident() == thread else original)(*arguments, **named)

    monkeypatch.setattr(owner, name, chosen)
