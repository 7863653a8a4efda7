"""Chooses the tests that changed files concern, by the folders of the files.

The choice is made with a table. Most tests start containers, servers and commands, and read templates, Dockerfiles and
YAML, which a tool that traces Python within the test's process cannot see.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cli.system.errors import StackError
from cli.system.git import git_output
from messages import tr

#: Branches with which the present branch is compared; the first that exists is used.
MAIN = ("main", "origin/main")
#: Files that every test depends on: all tests run.
SHARED = ("conftest.py", "pyproject.toml", "requirements.txt", "tests/__init__.py", "tests/requirements.txt")
#: The tests of real deployments take as long as all others together, so only changes of their own files choose them.
DEPLOY = "tests/deploy"
SERVERS, GATEWAY = "tests/servers", "tests/gateway"
#: The tests for a file that the table does not cover.
OTHERWISE = "tests/unit"
#: Stands for all tests.
EVERYTHING = "*"
#: The tests for a changed file, by the beginning of its path; the first matching line is used. A place is a folder, a
#: file, or a folder and a word (`folder:word`), which means the files in the folder whose paths contain the word.
PLACES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("tests/stand_in/", (SERVERS,)),
    ("tests/support/", (SERVERS, "tests/toolchain", GATEWAY, DEPLOY)),
    ("cli/__init__.py", ("tests/unit/cli",)),
    ("cli/commands/", ("tests/unit/cli/commands",)),
    ("cli/services/", ("tests/unit/cli", f"{SERVERS}:template_makes_services")),
    ("infra/rendering/monitoring", ("tests/unit/infra", "tests/unit/monitoring", f"{GATEWAY}:monitoring")),
    ("infra/rendering/", ("tests/unit/infra", GATEWAY)),
    ("infra/", ("tests/unit/infra", "tests/unit/policy", "tests/unit/cli/configuration")),
    ("policy/", ("tests/unit/policy",)),
    ("toolchain/", ("tests/unit/toolchain", "tests/unit/cli/test_bootstrap.py", "tests/toolchain")),
    ("deploy.", ("tests/unit/cli/test_bootstrap.py",)),
    ("nginx/", ("tests/unit/nginx", "tests/unit/infra/rendering", GATEWAY)),
    ("monitoring/", ("tests/unit/monitoring", f"{GATEWAY}:monitoring")),
    ("hub/", (f"{SERVERS}:hub", f"{GATEWAY}:hub")),
    ("console/", ("tests/unit/console", "tests/console", "tests/unit/messages")),
    ("cache/", (f"{GATEWAY}:cache", f"{SERVERS}:cache")),
    ("mcp-servers/kit/", (SERVERS, "mcp-servers")),
    ("mcp-servers/Dockerfile", ("tests/unit/infra/components", SERVERS)),
    ("mcp-servers/healthcheck", ("tests/unit/infra/components", SERVERS)),
    ("bench/", ("tests/unit/bench",)),
    (".github/", ("tests/unit/ci",)),
    ("docs/", ("tests/unit/docs",)),
    ("README", ("tests/unit/docs",)),
    ("Pulumi.", ("tests/unit/docs", "tests/unit/infra", "tests/unit/cli/configuration")),
)


@dataclass(frozen=True)
class Repository:
    """The paths of the checkout's test files and the names of its services."""

    test_files: tuple[str, ...]
    services: tuple[str, ...]

    @classmethod
    def at(cls, root: Path) -> Repository:
        """Read the checkout at `root`."""
        files = [*root.glob("tests/**/test_*.py"), *root.glob("mcp-servers/*/tests/**/test_*.py")]
        services = (spec.parent.name for spec in root.glob("mcp-servers/*/service.yaml"))
        return cls(tuple(sorted(file.relative_to(root).as_posix() for file in files)), tuple(sorted(services)))

    def existing(self, place: str) -> list[str]:
        """Return the place if it has tests, or the files that its word means."""
        folder, _, word = place.partition(":")
        if word:
            return [file for file in self.below(folder) if word in file.removeprefix(folder)]
        return [place] if place in self.test_files or self.below(place) else []

    def below(self, folder: str) -> list[str]:
        """Return the test files in a folder and its folders."""
        return [file for file in self.test_files if file.startswith(f"{folder}/")]

    def about_service(self, name: str) -> list[str]:
        """Return the servers' tests without those of the kit and of other services."""
        others = {"kit", *self.services} - {name}
        marks = tuple(f"{before}{other.replace('-', '_')}" for other in others for before in ("/", "test_"))
        return [file for file in self.below(SERVERS) if not any(mark in file for mark in marks)]


def changed_files(root: Path) -> list[str]:
    """Return the paths that changed since the branch left main, with uncommitted changes and new files.

    Raises StackError outside a git checkout, and if the checkout has no main branch.
    """
    bases = (git_output(root, "merge-base", branch, "HEAD") for branch in MAIN)
    base = next(filter(None, bases), "")
    if not base:
        raise StackError(
            tr("{root} has no branch main or origin/main to compare with", root=root),
            tr("run git fetch origin main, or name the tests, such as ./deploy.sh test tests/unit"),
        )
    # Renames are not detected, so that a moved file concerns the tests of its old and of its new place.
    listings = (
        git_output(root, "diff", "--name-only", "--no-renames", "-z", base),
        git_output(root, "ls-files", "--others", "--exclude-standard", "-z"),
    )
    return sorted({path for listing in listings for path in listing.split("\0") if path})


def choose(changed: Iterable[str], repository: Repository) -> dict[str, list[str]]:
    """Choose the folders and files of tests to run, each with the changed files that concern it.

    Where a changed file concerns every test, the only key is EVERYTHING.
    """
    reasons: dict[str, list[str]] = {}
    for path in changed:
        if path in SHARED:
            return {EVERYTHING: [path]}
        for place in _places(path, repository):
            reasons.setdefault(place, []).append(path)
    return {
        place: paths
        for place, paths in sorted(reasons.items())
        if not any(place.startswith(f"{other}/") for other in reasons)
    }


def _places(path: str, repository: Repository) -> list[str]:
    """Return the existing folders and files of tests that one changed file concerns."""
    existing = [place for candidate in _candidates(path, repository) for place in repository.existing(candidate)]
    return existing or [OTHERWISE]


def _candidates(path: str, repository: Repository) -> Iterable[str]:
    """Return the places for one changed file, whether they have tests or not."""
    if path in repository.test_files:
        return [path]
    for beginning, places in PLACES:
        if path.startswith(beginning):
            return places
    parts = path.split("/")
    if parts[0] == "tests" or parts[2:3] == ["tests"]:
        return [path.rpartition("/")[0]]
    if parts[0] == "cli":
        # Commands use all other packages of cli/, so their tests are chosen too.
        tests = f"tests/unit/cli/{parts[1]}"
        return [tests, "tests/unit/cli/commands"] if repository.existing(tests) else ["tests/unit/cli"]
    if parts[0] == "mcp-servers" and len(parts) > 2:
        return [f"mcp-servers/{parts[1]}", *repository.about_service(parts[1])]
    return []


def explanation(places: dict[str, list[str]]) -> list[str]:
    """Return lines for the user that say which tests were chosen, and why."""
    if not places:
        return [tr("Nothing differs from main, so there is no test to run.")]
    if EVERYTHING in places:
        (path,) = places[EVERYTHING]
        return [tr("{path} concerns every test, so all tests run.", path=path)]
    lines = [tr("The changed files concern these tests:")]
    for place, paths in places.items():
        more = tr(" and {others} more", others=len(paths) - 1) if len(paths) > 1 else ""
        lines.append(f"  {place} ← {paths[0]}{more}")
    if not any(place.startswith(DEPLOY) for place in places):
        lines.append(
            tr(
                "The tests of real deployments are not among them; run them with ./deploy.sh test {deploy}",
                deploy=DEPLOY,
            )
        )
    return lines
