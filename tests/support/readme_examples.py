"""Imports the examples of the kit's README, which tests run as they are printed."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from tests.stand_in.running import SERVERS


def module_of(section: str, folder: Path, name: str) -> ModuleType:
    """Return the only Python example of a section of the README as a module; its file is written to `folder`."""
    text = (SERVERS / "kit" / "README.md").read_text(encoding="utf-8")
    content = text.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    (example,) = re.findall(r"```python\n(.*?)```", content, re.DOTALL)
    file = folder / f"{name}.py"
    file.write_text(example, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
