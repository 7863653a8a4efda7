"""Errors of the operating system are explained in the user's language."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from infra.schema.problems import ConfigurationError
from infra.schema.system_errors import reason
from infra.settings.env_file import text_of


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EISDIR, errno.EIO, errno.ECONNREFUSED, errno.ENOENT])
def test_usual_errors_have_words_in_both_languages(monkeypatch: pytest.MonkeyPatch, language: str, number: int) -> None:
    monkeypatch.setenv("DYBER_LANG", language)
    text = reason(OSError(number, "the system's words", "/secret/place"))
    assert "system" not in text and "/secret" not in text
    assert text.isascii() is (language == "en")


def test_an_unusual_error_keeps_its_words() -> None:
    assert reason(OSError(errno.EXDEV, "Invalid cross-device link")) == "Invalid cross-device link"
    assert reason(OSError("no number")) == "no number"
    assert reason(ValueError("no error of the system")) == "no error of the system"


def test_an_env_file_that_is_a_folder_is_told_in_the_users_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYBER_LANG", "zh")
    (tmp_path / ".env").mkdir()
    with pytest.raises(ConfigurationError) as raised:
        text_of(tmp_path / ".env")
    assert str(raised.value) == ".env: 读不了：这是一个文件夹"
