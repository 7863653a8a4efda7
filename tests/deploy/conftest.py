"""Deploys a fresh clone of the working tree, with its own stack, state and ports."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.checkout import OFFSET, SERVICES, STACK, TEST_LABEL, Checkout, docker, remove_leftovers

REPOSITORY = Path(__file__).resolve().parents[2]

STACK_FILE = f"""\
config:
  dyber:gateway:
    portOffset: {OFFSET}
  dyber:profiles: [dev]
  dyber:services:
    xiaohongshu:
      environment:
        XHS_BASE_URL: http://xhs-stand-in:8100
        XHS_INTERVAL_SECONDS: "0"
        XHS_JITTER_SECONDS: "0"
        XHS_CACHE_SECONDS: "0"
"""


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Clone the working tree with its uncommitted changes; the clone has its own state and passphrase."""
    folder = tmp_path_factory.mktemp("clone")
    root = folder / "dyber"
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listing.stdout.split("\0")):
        if (REPOSITORY / name).exists() and not _of_an_added_service(Path(name)):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, root / name)
    for file in root.glob("Pulumi.*.yaml"):
        # A salt in the working tree belongs to the passphrase of whoever deployed there.
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text("".join(line for line in lines if not line.startswith("encryptionsalt:")), encoding="utf-8")
    (root / f"Pulumi.{STACK}.yaml").write_text(STACK_FILE)
    (folder / "passphrase").write_text("correct horse battery staple")
    (folder / "state").mkdir()
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "DYBER_"))},
        **{key: os.environ[key] for key in ("DYBER_HOME",) if key in os.environ},
        # Without it this process's virtual environment would answer for the clone's.
        "PATH": os.pathsep.join(
            part for part in os.environ["PATH"].split(os.pathsep) if part != str(Path(sys.executable).parent)
        ),
        "DYBER_LANG": "zh",
        "DYBER_STACK": STACK,
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(folder / "passphrase"),
    }
    environment.pop("VIRTUAL_ENV", None)
    remove_leftovers()
    bystanders = _make_bystanders()
    clone = Checkout(root=root, state=folder / "state", environment=environment, bystanders=bystanders)
    try:
        yield clone
    finally:
        clone.remove_stand_in()
        clone.deploy_sh("destroy", "--yes", check=False)
        remove_leftovers()


@pytest.fixture(scope="session")
def deployed(checkout: Checkout) -> Checkout:
    """Deploy the stack once with `./deploy.sh`, and start the stand-in site for xiaohongshu."""
    checkout.first = checkout.deploy_sh(timeout=1500)
    checkout.start_stand_in()
    return checkout


@pytest.fixture(autouse=True)
def up_to_date(deployed: Checkout, request: pytest.FixtureRequest) -> None:
    """Deploy the stack as its file says before each test that does not use `as_is`."""
    if deployed.behind and "as_is" not in request.fixturenames:
        deployed.deploy_sh()


@pytest.fixture
def as_is(deployed: Checkout) -> Checkout:
    """Give the stack as the test before left it, for tests that deploy first or not at all."""
    return deployed


@pytest.fixture
def restored(deployed: Checkout) -> Iterator[Checkout]:
    """Restore the stack's file after the test; the next test deploys it again."""
    before = deployed.stack_file.read_text()
    yield deployed
    deployed.stack_file.write_text(before)
    deployed.behind = True


@pytest.fixture
def restored_file(deployed: Checkout) -> Iterator[Checkout]:
    """Restore the stack's file after a test that deploys nothing."""
    before = deployed.stack_file.read_text()
    yield deployed
    deployed.stack_file.write_text(before)


def _of_an_added_service(path: Path) -> bool:
    """Say whether a file belongs to a service that a user added; these tests count containers."""
    return path.parts[0] == "mcp-servers" and len(path.parts) > 2 and path.parts[1] not in ("kit", *SERVICES)


def _make_bystanders() -> dict[str, str]:
    """Make things of another project with names like ours; nothing may ever happen to them."""
    # A name of its own for each run: a killed engine may hold on to a network of the run before.
    prefix = f"dyber-bystander-{secrets.token_hex(4)}"
    names = {"container": prefix, "network": f"{prefix}-network", "volume": f"{prefix}-data"}
    docker("volume", "create", "--label", TEST_LABEL, names["volume"])
    docker("network", "create", "--label", TEST_LABEL, names["network"])
    docker(
        "run", "--detach", "--name", names["container"], "--network", names["network"], "--label", TEST_LABEL,
        "--volume", f"{names['volume']}:/data", "dyber-base:trixie", "sleep", "infinity",
    )  # fmt: skip
    return names
