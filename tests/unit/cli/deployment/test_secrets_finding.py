"""The line of `doctor` about the encryption of secrets has one word for each provider, in the user's language."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.deployment.state import health


@pytest.mark.parametrize(
    ("language", "expected"),
    [("zh", "dev, tryb：口令；prod：awskms://alias/x"), ("en", "dev, tryb: passphrase; prod: awskms://alias/x")],
)
def test_stacks_with_a_passphrase_are_listed_together(
    language: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYBER_LANG", language)
    monkeypatch.delenv("DYBER_SECRETS_PROVIDER", raising=False)
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.tryb.yaml").write_text("encryptionsalt: v1:abc\n")
    (tmp_path / "Pulumi.prod.yaml").write_text("secretsprovider: awskms://alias/x\n")
    assert health.secrets(tmp_path).version == expected
