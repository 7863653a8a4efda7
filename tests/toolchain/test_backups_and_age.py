"""Tests that backups and the program `age` can read each other's files."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import shutil
import subprocess
import tarfile
import termios
from pathlib import Path

import pytest

from cli.recovery import age_encryption, archive
from cli.recovery.age_encryption import CHUNK_BYTES

REPOSITORY = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse 口令"
NOTE = "volumes/dyber-test-notes-data/./笔记.txt"


@pytest.fixture(scope="module")
def age(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of `age`, which is taken from Debian's package if it is not installed."""
    installed = shutil.which("age")
    if installed:
        return installed
    folder = tmp_path_factory.mktemp("age")
    fetch = ["apt-get", "download", "age"]
    if subprocess.run(fetch, cwd=folder, capture_output=True, check=False).returncode:
        subprocess.run(["apt-get", "update"], capture_output=True, check=False)
        if subprocess.run(fetch, cwd=folder, capture_output=True, check=False).returncode:
            pytest.skip("Debian's package age cannot be fetched here")
    (package,) = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
    return str(folder / "usr/bin/age")


def at_terminal(script: str, folder: Path, age: str, *typed: str) -> subprocess.CompletedProcess[bytes]:
    """Run a script in `folder` with a terminal at which these lines were `typed`, as `age` asks only at a terminal."""
    controller, terminal = pty.openpty()
    try:
        os.write(controller, "".join(f"{line}\n" for line in typed).encode())
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
            env={**os.environ, "LC_ALL": "C.UTF-8", "PATH": f"{Path(age).parent}:{os.environ['PATH']}"}, check=False,
            timeout=120, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(terminal, termios.TIOCSCTTY, 0),
        )  # fmt: skip
    finally:
        os.close(controller)
        os.close(terminal)


def fill(tar: tarfile.TarFile) -> None:
    for name, content in {"manifest.json": b"{}", NOTE: "早上好\n".encode()}.items():
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("page", ["docs/recovery.md", "docs/recovery.en.md"])
def test_a_backup_is_opened_as_the_documentation_says(age: str, tmp_path: Path, page: str) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (REPOSITORY / page).read_text(encoding="utf-8"), re.DOTALL)
    (script,) = [block for block in blocks if "age --decrypt" in block]
    archive.write(tmp_path / "dyber.tar.age", PASSWORD, fill)
    done = at_terminal(script, tmp_path, age, *[PASSWORD] * script.count("age --decrypt"))
    assert done.returncode == 0, done.stderr
    assert NOTE.encode() in done.stdout
    assert (tmp_path / "copy" / NOTE).read_text(encoding="utf-8") == "早上好\n"


def test_age_refuses_another_password_and_a_truncated_backup(age: str, tmp_path: Path) -> None:
    path = tmp_path / "dyber.tar.age"
    archive.write(path, PASSWORD, fill)
    assert b"incorrect passphrase" in at_terminal(f"age --decrypt {path}", tmp_path, age, "wrong horse").stderr
    path.write_bytes(path.read_bytes()[:-1])
    assert at_terminal(f"age --decrypt {path}", tmp_path, age, PASSWORD).returncode


def test_a_file_that_age_encrypted_is_read_as_a_backup(age: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "plain.tar", "w") as tar:
        fill(tar)
    done = at_terminal("age --passphrase < plain.tar > new.tar.age", tmp_path, age, PASSWORD, PASSWORD)
    assert done.returncode == 0, done.stderr
    with archive.reading(tmp_path / "new.tar.age", PASSWORD) as tar:
        assert [member.name for member in tar] == ["manifest.json", NOTE]


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
def test_each_reads_data_of_any_length_that_the_other_wrote(
    age: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    data = os.urandom(size)
    (tmp_path / "data").write_bytes(data)
    done = at_terminal("age --passphrase < data > of-age", tmp_path, age, PASSWORD, PASSWORD)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "of-age").open("rb") as file:
        assert age_encryption.Decrypting(file, PASSWORD).read() == data

    monkeypatch.setattr(age_encryption, "WORK_FACTOR", 10)
    with (tmp_path / "ours").open("wb") as file:
        sink = age_encryption.Encrypting(file, PASSWORD)
        sink.write(data)
        sink.finish()
    done = at_terminal("age --decrypt ours", tmp_path, age, PASSWORD)
    assert (done.returncode, done.stdout) == (0, data), done.stderr
