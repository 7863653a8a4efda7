"""Implements `dyber update`, which gets the newest version, keeps local changes of stack files, and deploys."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import typer
import yaml

from cli import bootstrap
from cli.commands.reading import StackOption, YesOption
from cli.stack_files import salts
from cli.stack_files.stack_file import replace_file
from cli.stack_files.stack_file_merge import MergeConflict, merged
from cli.system import programs
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.system.git import git, git_output
from cli.terminal.console import err, out
from cli.terminal.usage import FAILED, examples
from messages import tr

commands = typer.Typer()
#: The folder in .git that keeps the stack files from before the last update.
KEPT = "dyber-before-update"
_STACK_FILE = re.compile(r"Pulumi\.[^/]+\.yaml")


@commands.command(epilog=examples("./deploy.sh update", "./deploy.sh update --yes"))
def update(yes: YesOption = False, stack: StackOption = "dev") -> None:
    """Get the newest version of this checkout and deploy it (asks first)."""
    check_it_can_follow(ROOT)
    fetch(ROOT)
    news = git_output(ROOT, "log", "--oneline", "--no-decorate", "HEAD..@{upstream}")
    if not news:
        out.print(tr("This is the newest version."))
        return
    salts.remove_from_tracked_files(ROOT)
    changed_here = plan(ROOT)
    err.print(news, markup=False)
    for name in changed_here:
        err.print(tr("• {name}: your changes are kept", name=name), markup=False)
    if not yes and not typer.confirm(tr("Update and deploy?"), default=False, err=True):
        raise typer.Exit(FAILED)
    advance(ROOT, changed_here)
    if changed_here:
        err.print(tr("the files from before the update are in .git/{kept}/", kept=KEPT))
    # The new version deploys itself, as its requirements and code may differ from those of this process.
    raise typer.Exit(deploy(stack))


def check_it_can_follow(root: Path) -> None:
    """Raises StackError if the checkout follows no remote branch."""
    if not git_output(root, "rev-parse", "--git-dir"):
        raise StackError(
            tr("this is not a git clone"),
            tr("copy the new version here and run ./deploy.sh"),
        )
    if git(root, "symbolic-ref", "--quiet", "HEAD").returncode:
        commit = git_output(root, "rev-parse", "--short", "HEAD")
        raise StackError(
            tr("commit {commit} is checked out, so no branch can be updated", commit=commit),
            tr("go to a branch first: git switch main"),
        )
    if not git_output(root, "rev-parse", "--abbrev-ref", "@{upstream}"):
        raise StackError(
            tr("this branch follows no remote branch"),
            tr("run git branch --set-upstream-to=origin/main first"),
        )


def fetch(root: Path) -> None:
    """Fetch the remote branch. Raises StackError with git's message."""
    fetched = git(root, "fetch", "--quiet")
    if fetched.returncode:
        raise StackError(
            _first_errors(fetched) or "git fetch",
            tr("check the network and try again; the present version keeps running"),
        )


def plan(root: Path) -> dict[str, bytes]:
    """Return the locally changed stack files by name, with the content they will have after the update.

    Changes nothing. Raises StackError for everything that would be lost or cannot be merged: commits of this branch,
    files that both sides changed, keys of a stack file that both sides changed, untracked files that the new version
    would overwrite.
    """
    if git(root, "merge-base", "--is-ancestor", "HEAD", "@{upstream}").returncode:
        raise StackError(
            tr("this branch has commits that the remote branch lacks"),
            tr("run git rebase @{upstream} (or git merge) first, then again"),
        )  # fmt: skip
    theirs = _names(root, "diff", "--name-only", "--no-renames", "--relative", "-z", "HEAD", "@{upstream}")
    mine = _names(root, "diff", "--name-only", "--no-renames", "--relative", "-z", "HEAD")
    if in_the_way := sorted(name for name in theirs - mine if _exists_untracked(root, name)):
        raise StackError(
            tr("the new version brings files that already exist here: {in_the_way}", in_the_way=', '.join(in_the_way)),
            tr("rename them or move them away, then run it again"),
        )  # fmt: skip
    if both := sorted(name for name in theirs & mine if not _is_mergeable(root, name)):
        raise StackError(
            tr("changed both here and in the new version: {both}", both=", ".join(both)),
            tr("commit or stash your own changes, then run it again"),
        )
    return {name: _merged(root, name) for name in sorted(theirs & mine)}


def advance(root: Path, changed_here: Mapping[str, bytes]) -> None:
    """Move the branch to the remote's commit, and write the merged stack files (`changed_here`: content by name).

    The previous stack files are kept in .git; if git refuses the merge, they are restored. Raises StackError.
    """
    kept = Path(git_output(root, "rev-parse", "--absolute-git-dir")) / KEPT
    before = {name: (root / name).read_bytes() for name in changed_here}
    for name, content in before.items():
        kept.mkdir(exist_ok=True)
        replace_file(kept / name, content, 0o600)
    try:
        for name in before:
            _require_success(git(root, "checkout", "--quiet", "HEAD", "--", name))
        _require_success(git(root, "merge", "--ff-only", "--quiet", "@{upstream}"))
    except BaseException:
        for name, content in before.items():
            replace_file(root / name, content)
        raise
    for name, content in changed_here.items():
        replace_file(root / name, content)


def deploy(stack: str) -> int:
    """Run the new version's deployment and return its exit code."""
    command = [bootstrap.outer_python(), str(ROOT / "cli" / "bootstrap.py"), "deploy", "--stack", stack]
    return programs.call(command)


def _merged(root: Path, name: str) -> bytes:
    base, theirs = (git(root, "show", f"{revision}:./{name}").stdout for revision in ("HEAD", "@{upstream}"))
    try:
        return merged(base, (root / name).read_bytes().decode(), theirs).encode()
    except MergeConflict as conflict:
        raise StackError(
            tr("{name}: {keys}: changed both here and in the new version", name=name, keys=', '.join(conflict.keys)),
            tr("see the new value: git diff HEAD @{{upstream}} -- {name}; write the same value into the file, "
"or undo your change, then run it again", name=name),
        ) from None  # fmt: skip
    except (yaml.YAMLError, UnicodeDecodeError):
        raise StackError(
            tr("{name}: not valid YAML, so it cannot be merged", name=name),
            tr("correct it and run again"),
        ) from None


def _is_mergeable(root: Path, name: str) -> bool:
    """Tell whether a file is a stack file that exists in both versions and in this folder."""
    in_both_versions = all(_has(root, revision, name) for revision in ("HEAD", "@{upstream}"))
    return bool(_STACK_FILE.fullmatch(name)) and in_both_versions and (root / name).is_file()


def _exists_untracked(root: Path, name: str) -> bool:
    return not _has(root, "HEAD", name) and (root / name).exists()


def _has(root: Path, revision: str, name: str) -> bool:
    return git(root, "cat-file", "-e", f"{revision}:./{name}").returncode == 0


def _names(root: Path, *arguments: str) -> set[str]:
    return set(filter(None, git(root, *arguments).stdout.split("\0")))


def _require_success(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise StackError(
            _first_errors(done) or "git",
            tr("commit or stash your own changes, then run it again"),
        )


def _first_errors(done: subprocess.CompletedProcess[str]) -> str:
    return "\n".join(done.stderr.strip().splitlines()[:5])
