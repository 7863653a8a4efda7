"""Measures preview, up, changes and destroy of stacks with 10, 30 and 100 services of a trivial image.

    eval "$(./deploy.sh env)"
    .venv/bin/python bench/scale.py [--services 10,30,100]

Each size is a separate stack, deployed from a copy of the working tree with its own state, and removed afterwards.
Times are wall-clock seconds. Memory is the largest sum of resident memory of pulumi and all processes that it started,
without the engine. Seconds depend on the machine and its other work; compare them within one run only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
STACK = "scale"
IMAGE = "dyber-scale-trivial"
FIRST_PORT = 8101
#: Answers every request with 200; perl is in the base image.
SERVER = """\
use IO::Socket::INET;
$SIG{TERM} = sub { exit 0 };
my $listener = IO::Socket::INET->new(LocalPort => $ENV{PORT}, Listen => 16, ReuseAddr => 1) or die "no port: $@";
while (1) {
  my $caller = $listener->accept or next;
  while (my $line = <$caller>) { last if $line =~ /^\\r?\\n$/ }
  print $caller "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok";
  close $caller;
}
"""
HEALTHCHECK = """\
#!/usr/bin/perl
use IO::Socket::INET;
exit(IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ENV{PORT}", Timeout => 2) ? 0 : 1);
"""
DOCKERFILE = """\
FROM dyber-base:trixie
COPY server.pl healthcheck /opt/dyber/
RUN chmod -R 0755 /opt/dyber
USER 10001:10001
CMD ["perl", "/opt/dyber/server.pl"]
"""
SERVICE = """\
title: Trivial {number}
port: {port}
package: trivial
cpus: 0.1
memory_mib: 64
max_call_seconds: 5
"""
STACK_FILE = """\
config:
  dyber:networkPool: 10.234.0.0/15
  dyber:gateway:
    portOffset: 23500
  dyber:services:
{services}
"""


class PeakMemory:
    """A context that measures the largest sum of resident memory of a process and its descendants, as `mib`."""

    def __init__(self, root: int) -> None:
        self.root, self.mib = root, 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self.mib = max(self.mib, _resident_mib(self.root))


def _resident_mib(root: int) -> float:
    parents: dict[int, int] = {}
    pages: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            pages[int(folder.name)] = int((folder / "statm").read_text().split()[1])
        except OSError:
            continue
    total, family = 0, {root}
    for process in sorted(parents):
        if process == root or parents[process] in family:
            family.add(process)
            total += pages[process]
    return total * os.sysconf("SC_PAGE_SIZE") / 2**20


class Fleet:
    """A copy of the working tree whose stack has `count` trivial services."""

    def __init__(self, folder: Path, count: int, image: str) -> None:
        self.root, self.count, self.image = folder / "dyber", count, image
        self._copy()
        (folder / "state").mkdir()
        (folder / "passphrase").write_text("scale", encoding="utf-8")
        self.environment = {
            **os.environ,
            "DYBER_STACK": STACK,
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(folder / "passphrase"),
        }
        for name in self.services:
            service = self.root / "mcp-servers" / name
            (service / "trivial").mkdir(parents=True)
            (service / "trivial" / "__main__.py").touch()
            (service / "requirements.txt").touch()
            port = FIRST_PORT + int(name[1:])
            (service / "service.yaml").write_text(SERVICE.format(number=name, port=port), encoding="utf-8")
        self.write()

    @property
    def services(self) -> list[str]:
        return [f"s{number:03d}" for number in range(self.count)]

    def write(self, **environment: str) -> None:
        """Write the stack file; `environment` is that of the first service."""
        lines = []
        for name in self.services:
            lines += [f"    {name}:", f"      image: {self.image}"]
            if environment and name == self.services[0]:
                lines += ["      environment:", *(f"        {key}: {value!r}" for key, value in environment.items())]
        text = STACK_FILE.format(services="\n".join(lines))
        (self.root / f"Pulumi.{STACK}.yaml").write_text(text, encoding="utf-8")

    def run(self, *command: str, check: bool = True) -> tuple[float, float]:
        """Run a command and return its seconds and its MiB."""
        begun = time.perf_counter()
        with subprocess.Popen(
            command, cwd=self.root, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            with PeakMemory(process.pid) as peak:
                output, _ = process.communicate()
        if check and process.returncode:
            raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}\n{output[-6000:]}")
        return time.perf_counter() - begun, peak.mib

    def pulumi(self, *arguments: str) -> tuple[float, float]:
        return self.run("pulumi", *arguments, "-s", STACK, "--non-interactive")

    def _copy(self) -> None:
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=REPOSITORY, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        for name in filter(None, listing.split("\0")):
            parts = Path(name).parts
            is_part_of_service = parts[0] == "mcp-servers" and len(parts) > 2 and parts[1] != "kit"
            if not is_part_of_service and (REPOSITORY / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, self.root / name)


@contextmanager
def fleet(count: int, image: str) -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="dyber-scale-") as folder:
        built = Fleet(Path(folder), count, image)
        try:
            # Makes the copy's virtual environment, which is not measured.
            built.run("./deploy.sh", "help")
            built.pulumi("stack", "init")
            yield built
        finally:
            built.run("pulumi", "destroy", "--yes", "--skip-preview", "-s", STACK, "--non-interactive", check=False)


def measure(built: Fleet) -> dict[str, tuple[float, float]]:
    """Return seconds and MiB of each step, by its name."""
    apply = ("up", "--yes", "--skip-preview")
    results = {"preview": built.pulumi("preview"), "up": built.pulumi(*apply)}
    results["up, nothing to do"] = built.pulumi(*apply, "--expect-no-changes")
    results["up --refresh, nothing to do"] = built.pulumi(*apply, "--refresh", "--expect-no-changes")
    results["./deploy.sh, nothing to do"] = built.run("./deploy.sh")
    built.write(CHANGED="yes")
    results["up, one service changed"] = built.pulumi(*apply)
    results["destroy"] = built.pulumi("destroy", "--yes", "--skip-preview")
    return results


def trivial_image() -> str:
    """Build the image and return its id."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("server.pl", SERVER), ("healthcheck", HEALTHCHECK), ("Dockerfile", DOCKERFILE)):
            (Path(folder) / name).write_text(text, encoding="utf-8")
        subprocess.run(["docker", "build", "--quiet", "--tag", IMAGE, folder], check=True, capture_output=True)
    return subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Id}}", IMAGE], check=True, capture_output=True, text=True
    ).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--services", default="10,30,100", help="numbers of services, separated by commas")
    sizes = [int(size) for size in parser.parse_args().services.split(",")]
    image = trivial_image()
    results = {}
    for size in sizes:
        with fleet(size, image) as built:
            results[size] = measure(built)
    print("| s (MiB) | " + " | ".join(f"{size} services" for size in sizes) + " | s per service, last/first |")
    print("|---|" + "---|" * (len(sizes) + 1))
    for step in next(iter(results.values())):
        cells = [f"{results[size][step][0]:.1f} ({results[size][step][1]:.0f})" for size in sizes]
        first, last = (results[size][step][0] / size for size in (sizes[0], sizes[-1]))
        print(f"| {step} | " + " | ".join(cells) + f" | {last / first:.2f} |")


if __name__ == "__main__":
    main()
