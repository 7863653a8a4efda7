"""Finds the container engine, or installs and starts Debian's Docker. An engine that runs is never changed."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from messages import tr
from toolchain import debian, proxies
from toolchain.damage import make_room_for_file
from toolchain.errors import SetupError
from toolchain.home import DyberHome
from toolchain.processes import is_root, output_of, stream
from toolchain.progress import Progress
from toolchain.versions import Versions, version_tuple

#: The variables that decide which engine is looked for, and how.
CHOOSING_VARIABLES = (
    "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
    "PATH", "HOME", "XDG_RUNTIME_DIR",
)  # fmt: skip
#: By the values of those variables: the engine that answered, and the addresses before it that did not.
_answered: dict[tuple[str | None, ...], tuple[Engine, list[Unanswered]]] = {}
DEFAULT_SOCKET = Path("/var/run/docker.sock")
ANSWER_SECONDS = 4.0
START_SECONDS = 60.0
NEEDED_DISK_BYTES = 4 * 1024**3
#: dockerd's own configuration.
DAEMON_FILE = Path("/etc/docker/daemon.json")
# Each service has a network. dockerd makes two of these ranges, which are the first that it uses, and about 30 of all.
NETWORK_POOLS = ("base=172.17.0.0/16,size=24", "base=172.18.0.0/16,size=24")
# dockerd and its containerd refuse to start when the process id in these files is that of any running process.
PID_FILES = {Path("/var/run/docker.pid"): "dockerd", Path("/var/run/docker/containerd/containerd.pid"): "containerd"}


@dataclass(frozen=True)
class Engine:
    """An engine that answered.

    host: its address in the form of DOCKER_HOST. source: where the address comes from, `environment`, `context` or
    `default`. rootless: it runs as an ordinary user.
    """

    host: str
    version: str
    api_version: str
    source: str
    data_folder: Path | None = None
    rootless: bool = False

    def environment(self) -> dict[str, str]:
        """Return the variables with which `docker` and Pulumi's Docker plugin reach this engine."""
        return {} if self.source == "default" else {"DOCKER_HOST": self.host}


@dataclass(frozen=True)
class Unanswered:
    """An address at which no engine answered. denied: this user may not connect to it."""

    host: str
    reason: str
    denied: bool = False


def find_engine(env: Mapping[str, str] | None = None) -> Engine | None:
    """Return the first engine that answers: of DOCKER_HOST, of the current docker context, or at the usual sockets."""
    engine, _ = look_for_engine(os.environ if env is None else env)
    return engine


def look_for_engine(env: Mapping[str, str]) -> tuple[Engine | None, list[Unanswered]]:
    """Return the first engine that answers, and the addresses tried before it.

    An engine that answered once is not asked again by the same process.
    """
    chosen = tuple(env.get(name) for name in CHOOSING_VARIABLES)
    if chosen in _answered:
        return _answered[chosen]
    unanswered: list[Unanswered] = []
    for host, source in candidates(env):
        answer = ask(host, source, env)
        if isinstance(answer, Engine):
            _answered[chosen] = answer, unanswered
            return answer, unanswered
        unanswered.append(answer)
    return None, unanswered


def candidates(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (address, source) of each place to try. An address that the user chose is the only one."""
    if env.get("DOCKER_HOST"):
        yield env["DOCKER_HOST"], "environment"
        return
    docker = shutil.which("docker", path=env.get("PATH"))
    if docker:
        host = output_of([docker, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], env=dict(env))
        if host and host != f"unix://{DEFAULT_SOCKET}":
            yield host, "context"
            if env.get("DOCKER_CONTEXT"):
                return
    home = Path(env.get("HOME") or Path.home())
    yield f"unix://{DEFAULT_SOCKET}", "default"
    sockets = [
        home / ".docker/run/docker.sock",
        home / ".colima/default/docker.sock",
        home / ".orbstack/run/docker.sock",
        home / ".rd/docker.sock",
    ]
    if env.get("XDG_RUNTIME_DIR"):
        sockets.insert(0, Path(env["XDG_RUNTIME_DIR"], "docker.sock"))
    for socket in sockets:
        if socket.exists():
            yield f"unix://{socket}", "context"
    if sys.platform == "win32":
        yield "npipe:////./pipe/docker_engine", "default"


def ask(host: str, source: str, env: Mapping[str, str]) -> Engine | Unanswered:
    """Ask the engine for its version: over HTTP, or through the docker command for addresses that only it can reach."""
    scheme = urlsplit(host).scheme
    if scheme in ("unix", "tcp", "http", "https"):
        try:
            with api_client(host, env) as client:
                version = client.get("/version").raise_for_status().json()
                about = client.get("/info").raise_for_status().json() if scheme == "unix" else {}
            folder = about.get("DockerRootDir")
            rootless = any("rootless" in str(option) for option in about.get("SecurityOptions") or ())
            return Engine(
                host, version["Version"], version["ApiVersion"], source, Path(folder) if folder else None, rootless
            )
        except (httpx2.HTTPError, OSError, ValueError, KeyError) as error:
            denied = "ermission denied" in str(error)
            return Unanswered(host, str(error) or type(error).__name__, denied)
    docker = shutil.which("docker", path=env.get("PATH"))
    command = [docker, "version", "--format", "{{json .Server}}"] if docker else None
    server_json = command and output_of(command, env={**env, "DOCKER_HOST": host})
    try:
        server = json.loads(server_json or "null")
        return Engine(host, server["Version"], server["ApiVersion"], source)
    except (ValueError, TypeError, KeyError):
        return Unanswered(host, tr("the docker command gets no answer"))


def api_client(host: str, env: Mapping[str, str]) -> httpx2.Client:
    """Return an HTTP client for the engine at a unix:// or tcp:// address. TLS is set up as in the docker command."""
    timeout = httpx2.Timeout(ANSWER_SECONDS)
    address = urlsplit(host)
    if address.scheme == "unix":
        return httpx2.Client(
            # Without `verify` the transport would read all certificates of the machine, which takes 0.15 s.
            transport=httpx2.HTTPTransport(uds=address.path, verify=False),
            base_url="http://docker",
            timeout=timeout,
        )
    scheme = "https" if env.get("DOCKER_TLS_VERIFY") else "http"
    # The docker command too uses a proxy, unless the engine is on this machine.
    proxy = proxies.for_address(f"{scheme}://{address.netloc}", env)
    if scheme == "http":
        return httpx2.Client(base_url=f"http://{address.netloc}", timeout=timeout, proxy=proxy, trust_env=False)
    certificates = Path(env.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    return httpx2.Client(
        verify=context, base_url=f"https://{address.netloc}", timeout=timeout, proxy=proxy, trust_env=False
    )


def require_new_enough(engine: Engine, versions: Versions) -> None:
    """Raise SetupError if the engine's API is older than the program needs."""
    if version_tuple(engine.api_version) < version_tuple(versions.docker_minimum_api):
        raise SetupError(
            tr(
                "The Docker engine {version} ({host}) is too old: API {api_version}, {docker_minimum_api} or "
                "newer is needed.",
                version=engine.version,
                host=engine.host,
                api_version=engine.api_version,
                docker_minimum_api=versions.docker_minimum_api,
            ),
            tr("Upgrade to Docker 20.10 or newer."),
            exit_code=2,
        )


def require_disk(engine: Engine) -> None:
    """Raise SetupError if an engine on this machine has too little space for images."""
    free = free_disk(engine)
    if free is not None and free < NEEDED_DISK_BYTES:
        raise SetupError(
            tr(
                "{data_folder}, where Docker keeps its data, has {value:.1f} GB left; {value_2:.0f} GB are needed.",
                data_folder=engine.data_folder,
                value=free / 1000000000.0,
                value_2=NEEDED_DISK_BYTES / 1000000000.0,
            ),
            tr("Free some space (images you no longer need, for example) and try again."),
            exit_code=2,
        )


def free_disk(engine: Engine) -> int | None:
    """Return the free bytes where the engine keeps images; None when that is not on this machine."""
    if engine.data_folder is None or not engine.data_folder.exists():
        return None
    return shutil.disk_usage(engine.data_folder).free


def ensure_engine(home: DyberHome, versions: Versions, progress: Progress) -> Engine:
    """Return an engine that is new enough; the engine and the docker command are installed where they are missing."""
    env = os.environ
    engine, unanswered = look_for_engine(env)
    if engine is None:
        engine = _install_and_start(home, unanswered, progress)
    require_new_enough(engine, versions)
    require_disk(engine)
    if not shutil.which("docker"):
        debian.install(["docker-cli" if debian_has("docker-cli") else "docker.io"], progress)
    return engine


def _install_and_start(home: DyberHome, unanswered: list[Unanswered], progress: Progress) -> Engine:
    if any(attempt.denied for attempt in unanswered):
        raise SetupError(
            tr("Docker is running, but this user may not use it."),
            tr("Run `sudo usermod -aG docker $USER`, log in again and retry."),
            exit_code=2,
        )
    if os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT"):
        raise SetupError(
            tr(
                "The chosen Docker engine does not answer: {host} ({reason})",
                host=unanswered[0].host,
                reason=unanswered[0].reason,
            ),
            tr("Start it, or unset DOCKER_HOST / DOCKER_CONTEXT."),
            exit_code=2,
        )
    if not debian.can_install() and not (is_root() and shutil.which("dockerd")):
        raise SetupError(tr("No Docker engine answers."), installation_advice(), exit_code=2)
    if not shutil.which("dockerd") or not shutil.which("iptables"):
        packages = ["docker.io", "iptables"] + (["docker-cli"] if debian_has("docker-cli") else [])
        debian.install(packages, progress)
    with progress.phase(tr("Starting the Docker engine"), 10):
        return start(home, progress)


def installation_advice() -> str:
    """Return what the user has to install on this kind of machine."""
    if sys.platform == "win32":
        return tr("Install and start Docker Desktop: winget install Docker.DockerDesktop")
    if sys.platform == "darwin":
        return tr("Install and start Docker Desktop (brew install --cask docker), OrbStack or Colima.")
    if shutil.which("apt-get"):
        command = debian.install_command(["docker.io", "iptables"])
        return tr("Run: {command} && sudo usermod -aG docker $USER, log in again and retry.", command=command)
    return tr("Install Docker 20.10 or newer with your distribution's package manager, and start it.")


def start(home: DyberHome, progress: Progress) -> Engine:
    """Start the installed engine, through systemd where that runs, and wait until it answers."""
    log = home.logs / "dockerd.log"
    if Path("/run/systemd/system").is_dir():
        stream(["systemctl", "start", "docker"], progress, what="systemctl start docker")
        log_place = "journalctl -u docker"
    elif _daemon_is_running():
        log_place = str(log)  # starting or hanging; either way set-up does not end a process that it did not start
    else:
        remove_stale_pid_files(PID_FILES)
        make_room_for_file(log)
        with log.open("ab") as output:
            subprocess.Popen(
                ["dockerd", "--host", f"unix://{DEFAULT_SOCKET}", *network_options(DAEMON_FILE)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
            )
        log_place = str(log)
    return wait_until_it_answers(START_SECONDS, log_place)


def network_options(daemon_file: Path) -> list[str]:
    """Return the options with which dockerd has addresses for about 500 networks instead of 30.

    Empty when dockerd's configuration may say something else about addresses, as dockerd refuses to start with both.
    """
    if daemon_file.exists() and "default-address-pool" in daemon_file.read_text(encoding="utf-8", errors="replace"):
        return []
    return [word for pool in NETWORK_POOLS for word in ("--default-address-pool", pool)]


def wait_until_it_answers(seconds: float, log_place: str, host: str = f"unix://{DEFAULT_SOCKET}") -> Engine:
    """Return the engine at `host` as soon as it answers. Raises SetupError when it does not within `seconds`."""
    no_answer = retry_if_result(lambda answer: not isinstance(answer, Engine))
    try:
        answer = Retrying(stop=stop_after_delay(seconds), wait=wait_fixed(0.3), retry=no_answer)(
            ask, host, "default", os.environ
        )
    except RetryError as error:
        raise SetupError(
            tr("The Docker engine did not answer within {seconds:.0f} s.", seconds=seconds),
            tr("See its log: {log_place}", log_place=log_place),
        ) from error
    assert isinstance(answer, Engine)
    return answer


def remove_stale_pid_files(files: Mapping[Path, str]) -> list[Path]:
    """Remove the pid files whose process is gone or is another program by now; returns the removed files."""
    removed = []
    for path, program in files.items():
        pid = _read_pid(path)
        if path.exists() and not (pid and program_of(pid) == program):
            path.unlink(missing_ok=True)
            removed.append(path)
    return removed


def program_of(pid: int) -> str | None:
    """Return the short name of a running process (Linux); None when there is none."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return None


def debian_has(package: str) -> bool:
    """Tell whether Debian's package lists have a package of this name."""
    return debian.can_install() and output_of(["apt-cache", "show", "--no-all-versions", package]) not in (None, "")


def _daemon_is_running() -> bool:
    pid = _read_pid(Path("/var/run/docker.pid"))
    return pid is not None and program_of(pid) == "dockerd"


def _read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None
