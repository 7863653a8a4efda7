"""Tests that the example of an API platform in the kit's README works as it is printed."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from dyber_kit import ErrorCode, Settings

from tests.stand_in.running import SERVERS


def module_of(folder: Path) -> ModuleType:
    """Return the example of the README as an imported module."""
    text = (SERVERS / "kit" / "README.md").read_text(encoding="utf-8")
    section = text.split("\n## API 平台\n", 1)[1].split("\n## ", 1)[0]
    (example,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    file = folder / "readme_example.py"
    file.write_text(example, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_example_reads_the_list_and_pays_for_it(platform, tmp_path):
    hot_list = module_of(tmp_path).HotList(platform.base, "zhihu-secret", Settings(data_dir=tmp_path))
    topics = await hot_list.read(30)
    assert [topic.Title for topic in topics] == ["热点"]
    assert hot_list.quota.used_today == 1
    await hot_list.api.close()


async def test_the_example_names_the_setting_of_a_refused_key(platform, tmp_path, refusal):
    hot_list = module_of(tmp_path).HotList(platform.base, "wrong", Settings(data_dir=tmp_path))
    error = await refusal(hot_list.read(30))
    assert (error.code, "ZHIHU_ACCESS_SECRET" in error.next_step) == (ErrorCode.LOGIN_EXPIRED, True)
    await hot_list.api.close()
