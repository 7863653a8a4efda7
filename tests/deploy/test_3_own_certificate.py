"""A user's own certificate is served without a reload, refused with its fault named, and not readable in the state."""

from __future__ import annotations

import ssl
import subprocess
import time
from pathlib import Path

from tests.deploy.checkout import OFFSET, Checkout, inspect

NAME = "pet.example"
ADDRESS = ("127.0.0.1", 443 + OFFSET)


def make_pair(folder: Path, number: int) -> tuple[Path, Path]:
    """Make a certificate for NAME and its key, as files."""
    certificate, key = folder / f"{number}.crt", folder / f"{number}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
         "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def use(checkout: Checkout, certificate: Path, key: Path) -> None:
    gateway = {**checkout.configured("gateway"), "serverNames": [NAME]}
    tls = {"source": "files", "certificateFile": str(certificate), "keyFile": str(key)}
    checkout.configure("gateway", {**gateway, "tls": tls})


def served() -> str:
    return ssl.get_server_certificate(ADDRESS)


def test_a_users_certificate_is_served_and_a_wrong_key_is_refused(
    as_is: Checkout, restored: Checkout, tmp_path: Path
) -> None:
    (first, first_key), (second, second_key) = make_pair(tmp_path, 1), make_pair(tmp_path, 2)
    use(restored, first, first_key)
    restored.deploy_sh()
    wait_for(first)
    gateway = inspect("gateway")["Id"]

    use(restored, second, first_key)
    failed = restored.deploy_sh(check=False)
    assert failed.returncode != 0
    assert "私钥" in failed.stderr
    assert served() == first.read_text()

    use(restored, second, second_key)
    restored.deploy_sh()
    wait_for(second)
    assert inspect("gateway")["Id"] == gateway
    assert "没有变化" in restored.deploy_sh().stdout
    secret = "".join(second_key.read_text().splitlines()[1:-1])[:32]
    for file in filter(lambda path: path.is_file(), restored.state.rglob("*")):
        assert secret not in file.read_text(errors="replace"), file


def test_a_missing_file_is_named_before_anything_changes(
    as_is: Checkout, restored_file: Checkout, tmp_path: Path
) -> None:
    use(restored_file, tmp_path / "none.crt", tmp_path / "none.key")
    failed = restored_file.deploy_sh(check=False)
    assert failed.returncode == 2
    assert f"gateway.tls.certificateFile = '{tmp_path / 'none.crt'}'" in failed.stderr


def wait_for(certificate: Path) -> None:
    """Wait until the certificate is served: every worker looks at the file again within ten seconds."""
    deadline = time.monotonic() + 30
    while {served() for _ in range(6)} != {certificate.read_text()}:
        assert time.monotonic() < deadline
        time.sleep(0.5)
