"""Tests that the example of an API platform in the kit's README works as it is printed."""

from __future__ import annotations

from dyber_kit import ErrorCode, Settings

from tests.support.readme_examples import module_of


async def test_the_example_reads_the_list_and_pays_for_it(platform, tmp_path):
    hot_list = module_of("API 平台", tmp_path, "readme_example").HotList(
        platform.base, "zhihu-secret", Settings(data_dir=tmp_path)
    )
    topics = await hot_list.read(30)
    assert [topic.Title for topic in topics] == ["热点"]
    assert hot_list.quota.used_today == 1
    await hot_list.api.close()


async def test_the_example_names_the_setting_of_a_refused_key(platform, tmp_path, refusal):
    hot_list = module_of("API 平台", tmp_path, "readme_example").HotList(
        platform.base, "wrong", Settings(data_dir=tmp_path)
    )
    error = await refusal(hot_list.read(30))
    assert (error.code, "ZHIHU_ACCESS_SECRET" in error.next_step) == (ErrorCode.LOGIN_EXPIRED, True)
    await hot_list.api.close()
