"""Runs a separate Docker engine, in its own namespaces and with its data on a small file system."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

#: At the root of the cgroup tree, so that it can be removed at the end.
CGROUP = "/dyber-chaos"
DISK_GIB = 12
START_SECONDS = 60
NEEDED = ("unshare", "dockerd", "docker", "mke2fs", "mount", "ip", "fallocate")


def missing_programs() -> list[str]:
    """Return the needed programs that are not on PATH."""
    return [name for name in NEEDED if shutil.which(name) is None]


def isolated(command: list[str]) -> list[str]:
    """Return `command` in separate namespaces of network, mounts and processes.

    Nothing that it starts outlives it, and the networks of other engines are not touched. The shell becomes the parent
    of the processes of containers whose parents are killed.
    """
    flags = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return ["unshare", *flags, "sh", "-c", 'ip link set lo up; "$@"; exit $?', "chaos", *command]


def remove_cgroups() -> None:
    """Remove the empty cgroups that a killed engine leaves."""
    for root in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*/")):
        top = root / CGROUP.strip("/")
        if top.is_dir():
            for folder in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
                folder.rmdir()
            top.rmdir()


class Engine:
    """An engine below `folder`, with its data on a loop device; for use inside `isolated`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.disk = folder / "data"
        self.host = f"unix://{folder / 'docker.sock'}"
        self._daemon: subprocess.Popen[bytes] | None = None
        image = folder / "disk.img"
        with image.open("wb") as file:
            file.truncate(DISK_GIB * 2**30)
        # No blocks are reserved for root, so a full disk is full for all programs.
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", str(image)], check=True, capture_output=True)
        self.disk.mkdir()
        subprocess.run(["mount", "-o", "loop", str(image), str(self.disk)], check=True, capture_output=True)

    def start(self) -> None:
        """Start the daemon and wait until it answers. Raises RuntimeError with the end of its log if it does not."""
        log = self.folder / "dockerd.log"
        options = {
            "data-root": self.disk / "docker",
            "exec-root": self.folder / "exec",
            "pidfile": self.folder / "docker.pid",
            "host": self.host,
            "cgroup-parent": CGROUP,
        }
        (self.folder / "docker.pid").unlink(missing_ok=True)
        with log.open("ab") as output:
            self._daemon = subprocess.Popen(
                ["dockerd", *(f"--{name}={value}" for name, value in options.items())],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd="/",
                env={**os.environ, "TMPDIR": str(self.folder)},
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while self.docker("version", check=False).returncode:
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the second engine does not start:\n" + log.read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill the daemon. Containers keep running, but without anybody to restart them or to hold their ports."""
        assert self._daemon is not None
        self._daemon.kill()
        self._daemon.wait()

    def power_off(self) -> None:
        """Kill the daemon and everything that it started, as if the machine lost power."""
        container_pids = [
            pid
            for pid in map(int, filter(str.isdigit, (entry.name for entry in Path("/proc").iterdir())))
            if _belongs_to_container(pid)
        ]
        self.kill()
        for pid in container_pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `docker …` on this engine. Raises RuntimeError with its error output if it fails."""
        result = subprocess.run(
            ["docker", "--host", self.host, *arguments], capture_output=True, text=True, errors="replace", check=False
        )
        if check and result.returncode:
            raise RuntimeError(f"docker {' '.join(arguments)}: {result.stderr.strip()}")
        return result

    def copy_images(self, references: list[str]) -> None:
        """Copy images from the machine's own engine to this one."""
        with subprocess.Popen(["docker", "save", *references], stdout=subprocess.PIPE) as saving:
            load = ["docker", "--host", self.host, "load", "--quiet"]
            loading = subprocess.run(load, stdin=saving.stdout, capture_output=True, check=False)
        if saving.returncode or loading.returncode:
            raise RuntimeError(f"images cannot be copied: {loading.stderr.decode(errors='replace')}")


def _belongs_to_container(pid: int) -> bool:
    """Tell whether a process is containerd or was started by it."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        groups = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False
    return name == "containerd" or name.startswith("containerd-shim") or CGROUP in groups
