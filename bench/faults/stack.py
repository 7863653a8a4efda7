"""Deploys the stack that the faults hit: a copy of the working tree with its own state, on a separate engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import yaml

from bench.faults import clock
from bench.faults.engine import Engine
from bench.faults.load import Caller

REPOSITORY = Path(__file__).resolve().parents[2]
STACK = "chaos"
OFFSET = 34000
SERVICES = ("template", "xiaohongshu", "ledger")
#: The container of the stand-in site, and its name in xiaohongshu's network.
STAND_IN, STAND_IN_HOST = "dyber-chaos-stand-in", "xhs-stand-in"
MARKER = "mine.txt"
SESSION = "storage_state.json"
READ_LIMIT_SECONDS = 900
#: The type of the resources that are images built by the program.
IMAGE_TYPE = "docker:index/remoteImage:RemoteImage"
#: Settings that name the images of parts that are no services.
IMAGE_SETTINGS = {
    "gateway": "gatewayImage",
    "front": "frontImage",
    "hub": "hubImage",
    "cache": "cacheImage",
    "monitoring": "monitoringImage",
}

#: Variables that belong to this machine, not to a stack.
MACHINE_VARIABLES = (
    "DYBER_HOME",
    "DYBER_APT_MIRROR",
    "DYBER_PIP_INDEX_URL",
    "DYBER_NPM_REGISTRY",
    "DYBER_GOPROXY",
    "DYBER_CA_BUNDLE",
)

Say = Callable[[str], None]


@dataclass
class Stack:
    """The deployed stack. `before`: values that must be the same after each fault."""

    folder: Path
    engine: Engine
    say: Say
    token: str = field(default="", repr=False)
    before: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def root(self) -> Path:
        return self.folder / "dyber"

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{80 + OFFSET}"

    # -- deploying -------------------------------------------------------------------------------------------------

    def copy(self) -> None:
        """Copy the working tree, with the ledger as another service and a link to the virtual environment."""
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=REPOSITORY, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        for name in filter(None, listing.split("\0")):
            parts = Path(name).parts
            is_other_service = parts[0] == "mcp-servers" and len(parts) > 2 and parts[1] not in ("kit", *SERVICES)
            if (REPOSITORY / name).is_file() and not is_other_service:
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, self.root / name)
        shutil.copytree(REPOSITORY / "bench" / "faults" / "ledger", self.root / "mcp-servers" / "ledger")
        (self.root / ".venv").symlink_to(REPOSITORY / ".venv")
        (self.folder / "passphrase").write_text("chaos", encoding="utf-8")
        for name in ("state", "state-of-images"):
            (self.folder / name).mkdir()

    def build_images(self) -> dict[str, str]:
        """Let the program build only its images, on the machine's own engine, which reaches the package registries.

        Returns their references by the name of the service or part.
        """
        self._write_settings({})
        environment = self._environment("state-of-images", docker_host=None)
        script = (
            f'eval "$(./deploy.sh env)"; pulumi stack init {STACK} --non-interactive; '
            f"pulumi up -s {STACK} --yes --skip-preview --non-interactive --target '**BuiltImage**'; "
            f"pulumi stack export -s {STACK} --file images.json"
        )
        self._run(["bash", "-e", "-c", script], environment)
        resources = json.loads((self.root / "images.json").read_text())["deployment"]["resources"]
        (self.root / "images.json").unlink()
        return {
            resource["urn"].rsplit("::", 1)[-1].removesuffix("-image"): resource["outputs"]["name"]
            for resource in resources
            if resource["type"] == IMAGE_TYPE
        }

    def deploy(self, images: dict[str, str]) -> None:
        """Deploy the stack with the ids of images that exist already, and prepare the data that the faults need."""
        pinned = {name: self.engine.docker("image", "inspect", "--format", "{{.Id}}", reference).stdout.strip()
                  for name, reference in images.items()}  # fmt: skip
        self._write_settings(pinned)
        self.deploy_sh(check=True)
        self.token = self.deploy_sh("token", "show", check=True).stdout.strip()
        self._start_stand_in()
        data = self.volume("xiaohongshu")
        (data / MARKER).write_text("mine\n")
        cookie = {
            "name": "web_session", "value": "session-SECRET", "domain": STAND_IN_HOST, "path": "/", "expires": -1,
            "httpOnly": True, "secure": False, "sameSite": "Lax",
        }  # fmt: skip
        session = data / SESSION
        session.write_text(json.dumps({"cookies": [cookie], "origins": []}))
        session.chmod(0o600)
        os.chown(session, data.stat().st_uid, data.stat().st_gid)
        self.before = self.snapshot()

    def _write_settings(self, images: dict[str, str]) -> None:
        services: dict[str, dict[str, Any]] = {
            "template": {"replicas": 2, "maxCallSeconds": 5},
            "ledger": {"replicas": 2, "maxCallSeconds": 5},
            "xiaohongshu": {
                "environment": {
                    "XHS_BASE_URL": f"http://{STAND_IN_HOST}:8100",
                    "XHS_INTERVAL_SECONDS": "0",
                    "XHS_JITTER_SECONDS": "0",
                    "XHS_CACHE_SECONDS": "2",
                    "XHS_DAILY_PAGES": "100000",
                    **({"CHROMIUM_PATH": clock.CHROMIUM} if images else {}),
                },
                "maxCallSeconds": 60,
            },
        }
        for name, image in images.items():
            if name in services:
                services[name]["image"] = image
        config = {
            "gateway": {"portOffset": OFFSET, "limits": {"requestsPerSecond": 1000, "burst": 1000}},
            "profiles": ["dev", "cache", "monitoring"],
            "services": services,
            **({"images": "pinned"} if images else {}),
            **{key: images[name] for name, key in IMAGE_SETTINGS.items() if name in images},
        }
        content = {"config": {f"dyber:{key}": value for key, value in config.items()}}
        (self.root / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")

    def _start_stand_in(self) -> None:
        (server,) = self.containers("xiaohongshu")
        network = next(iter(server["NetworkSettings"]["Networks"]))
        self.engine.docker(
            "run", "--detach", "--restart", "always", "--no-healthcheck", "--name", STAND_IN, "--network", network,
            "--network-alias", STAND_IN_HOST, "--volume", f"{self.root / 'tests'}:/srv/tests:ro",
            "--env", "PYTHONPATH=/srv", "--env", "HOST=0.0.0.0", "--env", "LD_PRELOAD=",
            "--entrypoint", "/opt/venv/bin/python", server["Image"], "-m", "tests.stand_in.platforms.xiaohongshu.site", "--port", "8100",
        )  # fmt: skip

    # -- calls -----------------------------------------------------------------------------------------------------

    def callers(self) -> list[Caller]:
        """Return the clients: reads through the gateway and the direct port, writes, and pages in a browser."""
        template = f"{self.base}/api/template"
        echo = {"tool": "template_echo", "arguments": lambda identity: {"text": identity}}
        add = {"tool": "ledger_add", "arguments": lambda identity: {"entry": identity}}
        search = {"tool": "xhs_search_notes", "arguments": lambda _: {"keyword": "咖啡", "limit": 5}}
        return [
            Caller("get", f"{template}/health", 0.1, expected="healthy"),
            Caller("read", f"{template}/mcp", 0.1, **echo),
            Caller("read", f"{template}/mcp", 0.15, **echo),
            Caller("direct", f"http://127.0.0.1:{8002 + OFFSET}/mcp", 0.2, **echo),
            Caller("write", f"{self.base}/api/ledger/mcp", 0.1, **add),
            Caller("write", f"{self.base}/api/ledger/mcp", 0.15, **add),
            Caller("page", f"{self.base}/api/xiaohongshu/mcp", 1.0, expected='"note_ref"', **search),
        ]

    # -- inspecting ------------------------------------------------------------------------------------------------

    def containers(self, service: str | None = None) -> list[dict[str, Any]]:
        """Return `docker inspect` of the containers that should run, of the stack or of a service."""
        label = f"label=dyber.service={service}" if service else f"label=dyber.stack={STACK}"
        names = self.engine.docker("ps", "--all", "--quiet", "--filter", label).stdout.split()
        containers = json.loads(self.engine.docker("inspect", *names).stdout) if names else []
        return [item for item in containers if item["HostConfig"]["RestartPolicy"]["Name"] not in ("", "no")]

    def all_up(self) -> bool:
        """Tell whether the gateway reports every replica of every service as ready."""
        try:
            details = httpx2.get(f"{self.base}/api/status", timeout=5).json()["details"].values()
        except (httpx2.HTTPError, ValueError, KeyError):
            return False
        return all(detail["replicas"]["ready"] == detail["replicas"]["total"] for detail in details)

    def volume(self, service: str) -> Path:
        """Return the folder on this machine that is /data of a service."""
        mounts = self.containers(service)[0]["Mounts"]
        return next(Path(mount["Source"]) for mount in mounts if mount["Destination"] == "/data")

    @property
    def cache_address(self) -> tuple[str, int]:
        """The published address of Redis."""
        return "127.0.0.1", 6379 + OFFSET

    def cache_password(self) -> str:
        """Return the password of Redis for people."""
        script = f'eval "$(./deploy.sh env)"; pulumi stack output cache_password --show-secrets -s {STACK}'
        return self._run(["bash", "-e", "-c", script], self._environment("state", self.engine.host)).stdout.strip()

    def runs(self) -> Counter[str]:
        """Return how often each write was done."""
        return Counter(file.name.partition(".")[0] for file in self.volume("ledger").iterdir())

    def snapshot(self) -> dict[str, str]:
        """Return the values that must not change: the token, data, the session, the volumes."""
        data = self.volume("xiaohongshu")
        cookies = json.loads((data / SESSION).read_text())["cookies"]
        return {
            "token": self.deploy_sh("token", "show").stdout.strip(),
            "file in the data volume": (data / MARKER).read_text(),
            "session": str(sorted((cookie["name"], cookie["value"]) for cookie in cookies)),
            "volumes": " ".join(sorted(self.engine.docker("volume", "ls", "--quiet").stdout.split())),
        }

    def find_problems(self, may_repair: bool) -> tuple[list[str], list[str]]:
        """Look for all possible problems after a fault.

        Returns the problems, and what a deployment repaired if `may_repair` allows that.
        """
        problems, repairs = [], []
        status = self.deploy_sh("status")
        drift = self.deploy_sh("drift")
        deployed = self.deploy_sh("deploy")
        if deployed.returncode:
            problems.append(f"deploy: {last_line(deployed)}")
        elif "no changes" not in deployed.stdout:
            summary = next((line.strip() for line in deployed.stdout.splitlines() if "Deployed" in line), "changes")
            (repairs if may_repair else problems).append(f"deploy: {summary}")
        if may_repair:
            status, drift = self.deploy_sh("status"), self.deploy_sh("drift")
        if status.returncode:
            problems.append(f"status: exit code {status.returncode}")
            self.say(status.stdout + status.stderr)
        if drift.returncode:
            differences = drift.stdout.strip().splitlines()
            problems.append(f"drift: {len(differences)} differences" if differences else f"drift: {last_line(drift)}")
            self.say(drift.stdout + drift.stderr)
        try:
            now = self.snapshot()
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            problems.append(f"data cannot be read: {error}")
        else:
            problems += [f"{name} has changed" for name, value in self.before.items() if now[name] != value]
        return problems, repairs

    # -- commands --------------------------------------------------------------------------------------------------

    def deploy_sh(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Run `./deploy.sh …` on the separate engine."""
        environment = self._environment("state", docker_host=self.engine.host)
        if check:
            return self._run(["./deploy.sh", *arguments], environment)
        return subprocess.run(
            ["./deploy.sh", *arguments], cwd=self.root, env=environment, capture_output=True, text=True,
            timeout=READ_LIMIT_SECONDS, check=False,
        )  # fmt: skip

    def _run(self, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False,
            timeout=READ_LIMIT_SECONDS,
        )  # fmt: skip
        if result.returncode:
            output = f"{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
            raise RuntimeError(f"{' '.join(command)}: {result.returncode}\n{output}")
        return result

    def _environment(self, state: str, docker_host: str | None) -> dict[str, str]:
        kept = {
            key: value
            for key, value in os.environ.items()
            if key in MACHINE_VARIABLES or not key.startswith(("PULUMI_", "DYBER_", "DOCKER_", "VIRTUAL_ENV"))
        }
        return {
            **kept,
            **({"DOCKER_HOST": docker_host} if docker_host else {}),
            "DYBER_LANG": "en",
            "DYBER_STACK": STACK,
            "PULUMI_BACKEND_URL": f"file://{self.folder / state}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.folder / "passphrase"),
        }


def last_line(result: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of a command's error output, else of its output."""
    lines = (result.stderr.strip() or result.stdout.strip()).splitlines()
    return lines[-1].strip() if lines else f"exit code {result.returncode}"


def wait_for(condition: Callable[[], bool], seconds: float, problem: str) -> None:
    """Wait until `condition` holds. Raises RuntimeError with `problem` if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"after {seconds:.0f} s: {problem}")
        time.sleep(0.1)
