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
#: The stand-in for the site, and what it is called in xiaohongshu's network.
STAND_IN, STAND_IN_HOST = "dyber-chaos-stand-in", "xhs-stand-in"
MARKER = "mine.txt"
SESSION = "storage_state.json"
READ_LIMIT_SECONDS = 900
#: Resources of the program that are images which it builds.
BUILT = "docker:index/remoteImage:RemoteImage"
#: Keys of the stack's file that name images of what is no service.
PARTS = {"gateway": "gatewayImage", "front": "frontImage", "cache": "cacheImage", "monitoring": "monitoringImage"}

#: What is said of this machine, and not of a stack.
OF_THE_MACHINE = ("DYBER_HOME", "DYBER_APT_MIRROR", "DYBER_PIP_INDEX_URL", "DYBER_CA_BUNDLE")

Say = Callable[[str], None]


@dataclass
class Stack:
    """The deployed stack. `before`: what must be the same after each fault."""

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

    # -- getting there ---------------------------------------------------------------------------------------------

    def copy(self) -> None:
        """Copy the working tree, with the ledger as one more service and the virtual environment of the original."""
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=REPOSITORY, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        for name in filter(None, listing.split("\0")):
            parts = Path(name).parts
            other_service = parts[0] == "mcp-servers" and len(parts) > 2 and parts[1] not in ("kit", *SERVICES)
            if (REPOSITORY / name).is_file() and not other_service:
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, self.root / name)
        shutil.copytree(REPOSITORY / "bench" / "faults" / "ledger", self.root / "mcp-servers" / "ledger")
        (self.root / ".venv").symlink_to(REPOSITORY / ".venv")
        (self.folder / "passphrase").write_text("chaos", encoding="utf-8")
        for name in ("state", "state-of-images"):
            (self.folder / name).mkdir()

    def build_images(self) -> dict[str, str]:
        """Let the program build its images, and nothing else, on the machine's own engine, which reaches the package
        registries. Returns their references by the name of the service or part."""
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
            if resource["type"] == BUILT
        }

    def deploy(self, images: dict[str, str]) -> None:
        """Deploy the stack with images that are there already, by their ids, and what the faults need."""
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
        self.before = self.seen()

    def _write_settings(self, images: dict[str, str]) -> None:
        own: dict[str, dict[str, Any]] = {
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
            if name in own:
                own[name]["image"] = image
        config = {
            "gateway": {"portOffset": OFFSET, "limits": {"requestsPerSecond": 1000, "burst": 1000}},
            "profiles": ["dev", "cache", "monitoring"],
            "services": own,
            **({"images": "pinned"} if images else {}),
            **{key: images[name] for name, key in PARTS.items() if name in images},
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
            "--entrypoint", "/opt/venv/bin/python", server["Image"], "-m", "tests.stand_in.xiaohongshu", "--port", "8100",
        )  # fmt: skip

    # -- what clients call -----------------------------------------------------------------------------------------

    def callers(self) -> list[Caller]:
        """The clients: reads through the gateway and the direct port, writes, pages in a browser."""
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

    # -- looking ---------------------------------------------------------------------------------------------------

    def containers(self, service: str | None = None) -> list[dict[str, Any]]:
        """`docker inspect` of the stack's containers that are meant to run, or of those of a service."""
        label = f"label=dyber.service={service}" if service else f"label=dyber.stack={STACK}"
        names = self.engine.docker("ps", "--all", "--quiet", "--filter", label).stdout.split()
        found = json.loads(self.engine.docker("inspect", *names).stdout) if names else []
        return [one for one in found if one["HostConfig"]["RestartPolicy"]["Name"] not in ("", "no")]

    def all_up(self) -> bool:
        """Whether the gateway says that every replica of every service is ready."""
        try:
            details = httpx2.get(f"{self.base}/api/status", timeout=5).json()["details"].values()
        except (httpx2.HTTPError, ValueError, KeyError):
            return False
        return all(one["replicas"]["ready"] == one["replicas"]["total"] for one in details)

    def volume(self, service: str) -> Path:
        """The folder that is /data of a service."""
        mounts = self.containers(service)[0]["Mounts"]
        return next(Path(mount["Source"]) for mount in mounts if mount["Destination"] == "/data")

    @property
    def cache_address(self) -> tuple[str, int]:
        """Where Redis is published."""
        return "127.0.0.1", 6379 + OFFSET

    def cache_password(self) -> str:
        """The password with which people use Redis."""
        script = f'eval "$(./deploy.sh env)"; pulumi stack output cache_password --show-secrets -s {STACK}'
        return self._run(["bash", "-e", "-c", script], self._environment("state", self.engine.host)).stdout.strip()

    def runs(self) -> Counter[str]:
        """How often each write was done."""
        return Counter(file.name.partition(".")[0] for file in self.volume("ledger").iterdir())

    def seen(self) -> dict[str, str]:
        """Return what must not change: the token, data, the session, the volumes."""
        data = self.volume("xiaohongshu")
        cookies = json.loads((data / SESSION).read_text())["cookies"]
        return {
            "token": self.deploy_sh("token", "show").stdout.strip(),
            "file in the data volume": (data / MARKER).read_text(),
            "session": str(sorted((cookie["name"], cookie["value"]) for cookie in cookies)),
            "volumes": " ".join(sorted(self.engine.docker("volume", "ls", "--quiet").stdout.split())),
        }

    def wrong(self, may_mend: bool) -> tuple[list[str], list[str]]:
        """Look for everything that could be wrong after a fault. Returns what is wrong, and what a deployment repaired
        if `may_mend` allows it to."""
        problems, mended = [], []
        status = self.deploy_sh("status")
        drift = self.deploy_sh("drift")
        deployed = self.deploy_sh("deploy")
        if deployed.returncode:
            problems.append(f"deploy: {last_line(deployed)}")
        elif "no changes" not in deployed.stdout:
            told = next((line.strip() for line in deployed.stdout.splitlines() if "Deployed" in line), "changes")
            (mended if may_mend else problems).append(f"deploy: {told}")
        if may_mend:
            status, drift = self.deploy_sh("status"), self.deploy_sh("drift")
        if status.returncode:
            problems.append(f"status: exit code {status.returncode}")
            self.say(status.stdout + status.stderr)
        if drift.returncode:
            told = drift.stdout.strip().splitlines()
            problems.append(f"drift: {len(told)} differences" if told else f"drift: {last_line(drift)}")
            self.say(drift.stdout + drift.stderr)
        try:
            now = self.seen()
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            problems.append(f"data cannot be read: {error}")
        else:
            problems += [f"another {what}" for what, value in self.before.items() if now[what] != value]
        return problems, mended

    # -- commands --------------------------------------------------------------------------------------------------

    def deploy_sh(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """`./deploy.sh …` on the engine apart."""
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
            said = f"{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
            raise RuntimeError(f"{' '.join(command)}: {result.returncode}\n{said}")
        return result

    def _environment(self, state: str, docker_host: str | None) -> dict[str, str]:
        kept = {
            key: value
            for key, value in os.environ.items()
            if key in OF_THE_MACHINE or not key.startswith(("PULUMI_", "DYBER_", "DOCKER_", "VIRTUAL_ENV"))
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
    """The last line that a command said, of its errors if there are any."""
    lines = (result.stderr.strip() or result.stdout.strip()).splitlines()
    return lines[-1].strip() if lines else f"exit code {result.returncode}"


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Returns when `condition` holds. Raises RuntimeError, naming `what`, when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"after {seconds:.0f} s: {what}")
        time.sleep(0.1)
