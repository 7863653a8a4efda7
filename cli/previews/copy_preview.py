"""Previews a commit on a copy of a stack's state without secrets, which `dyber state-copy` writes.

The program of a pull request runs during a preview. Here it gets placeholders in place of secrets, a state in a folder
that is deleted afterwards, and no credentials. Placeholders differ from what was deployed, so the base of the change is
previewed in the same way, and the result is the difference between the two previews.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cli.deployment import policies
from cli.deployment.state.without_secrets import is_secret
from cli.system import programs
from cli.system.errors import StackError
from infra.schema.key_paths import dotted
from infra.settings.names import stack_file
from infra.settings.secrets import encrypted_paths, is_encrypted
from messages import COMPILED, FOLDER, tr

#: The passphrase of the temporary state, which has placeholders only.
PASSPHRASE = "placeholder"
#: Prefixes of variables that give access to states, keys or accounts.
CREDENTIALS = ("PULUMI_", "AWS_", "AZURE_", "ARM_", "GOOGLE_", "VAULT_", "PG", "ACTIONS_", "GITHUB_TOKEN", "GH_TOKEN")
_PROVIDER_KEYS = ("encryptionsalt:", "secretsprovider:", "encryptedkey:")


class Failed(Exception):
    """A preview failed; `document` is its JSON output, if there is any, and `errors` its standard error."""

    def __init__(self, document: dict[str, Any] | None, errors: str) -> None:
        super().__init__(errors)
        self.document, self.errors = document, errors


def preview(root: Path, stack: str, copy: Path, base: str) -> dict[str, Any]:
    """Preview the checked-out commit on a copy of the state, without the changes that a preview of `base` has too.

    Raises Failed if a preview fails, and StackError if there is no copy or a revision cannot be read.
    """
    if not copy.is_file():
        raise StackError(
            tr("the state copy {copy} does not exist", copy=copy),
            tr("run ./deploy.sh state-copy -s {stack} on the machine that deploys it, and put the file here", stack=stack),
        )  # fmt: skip
    if not isinstance((_json(copy.read_text(encoding="utf-8", errors="replace")) or {}).get("deployment"), dict):
        raise StackError(
            tr("{copy} is not a copy of a state, or is damaged", copy=copy),
            tr("make a new copy on the machine that deploys {stack}: ./deploy.sh state-copy -s {stack}", stack=stack),
        )  # fmt: skip
    documents = []
    with tempfile.TemporaryDirectory(prefix="dyber-preview-") as folder:
        for revision in (base, "HEAD"):
            # Both commits use the same folder, as resources contain paths, which must not differ.
            tree, state = Path(folder, "dyber"), Path(folder, "state")
            documents.append(_preview_of(root, revision, tree, state, stack, copy))
            shutil.rmtree(tree)
            shutil.rmtree(state)
    return compared(*documents)


def compared(base: Mapping[str, Any], head: Mapping[str, Any]) -> dict[str, Any]:
    """Return the preview of `head` without the steps that `base` has too.

    The old state of a step is the resource that `base` would make.
    """
    before, after = _by_resource(_with_known_names(base)), _by_resource(_with_known_names(head))
    steps = []
    for urn, head_steps in after.items():
        base_steps = before.get(urn, [])
        if _operations(head_steps) == _operations(base_steps) and _inputs(head_steps) == _inputs(base_steps):
            continue
        base_inputs = _inputs(base_steps)
        for step in head_steps:
            step = dict(step)
            if base_inputs is not None:
                step["oldState"] = {**(step.get("oldState") or {}), "inputs": base_inputs}
                for key in ("replaceReasons", "diffReasons"):
                    step[key] = _reasons(step.get(key) or [], base_inputs, _inputs(head_steps) or {})
            steps.append(step)
    return {**head, "steps": _masked(steps)}


def _with_known_names(document: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the random names that Pulumi gives new resources by stable names, so that two previews can be
    compared."""
    random_names = set()
    for step in document.get("steps") or ():
        inputs = (step.get("newState") or {}).get("inputs") or {}
        if "name" in inputs.get("__defaults", ()) and step["op"] in ("create", "replace", "create-replacement"):
            random_names.add(str(inputs["name"]))
    text = json.dumps(document)
    for name in random_names:
        text = text.replace(name, f"{name.rpartition('-')[0]}-new")
    return dict(json.loads(text))


def _by_resource(document: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    by_resource: dict[str, list[Mapping[str, Any]]] = {}
    for step in document.get("steps") or ():
        by_resource.setdefault(str(step["urn"]), []).append(step)
    return by_resource


def _operations(steps: list[Mapping[str, Any]]) -> set[str]:
    return {str(step["op"]) for step in steps} - {"same", "refresh"}


def _inputs(steps: list[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the inputs of a resource after the steps; None if it is deleted or does not exist."""
    for step in steps:
        if step.get("newState") and step["op"] not in ("delete", "delete-replaced"):
            return dict(step["newState"].get("inputs") or {})
    return None


def _reasons(keys: list[str], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the keys whose values differ, or all keys if no value differs."""
    return [key for key in keys if before.get(key) != after.get(key)] or keys


def _masked(value: Any) -> Any:
    """Replace each secret in a value by the text that Pulumi prints for secrets."""
    if is_secret(value):
        return "[secret]"
    if isinstance(value, Mapping):
        return {key: _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _preview_of(root: Path, revision: str, tree: Path, state: Path, stack: str, copy: Path) -> dict[str, Any]:
    _check_out(root, revision, tree)
    # The virtual environment belongs to this checkout, and without PYTHONPATH its packages would be imported.
    environment = {**isolated(os.environ, state), "PYTHONPATH": str(tree)}
    secrets = _without_encrypted_values(tree / stack_file(stack))

    def pulumi(*arguments: str, given: str = "") -> str:
        done = programs.run(
            ["pulumi", *arguments, "--non-interactive", "--color=never"],
            cwd=tree, env=environment, input=given, capture_output=True, text=True, errors="replace",
        )  # fmt: skip
        if done.returncode:
            raise Failed(_json(done.stdout), done.stderr)
        printed: str = done.stdout
        return printed

    # `stack init` selects the new stack, so the following commands use it.
    pulumi("stack", "init", stack)
    empty = json.loads(pulumi("stack", "export"))
    content = json.loads(copy.read_text(encoding="utf-8"))
    content["deployment"]["secrets_providers"] = empty["deployment"].get("secrets_providers")
    pulumi("stack", "import", given=json.dumps(content))
    for path, value in secrets.items():
        pulumi("config", "set", "--path", "--secret", dotted(path), given=value)
    printed = pulumi("preview", "--json", "--show-secrets", "--show-replacement-steps", "--policy-pack", policies.PACK)
    document = _json(printed)
    if document is None:
        raise Failed(None, printed)
    return document


def isolated(environment: Mapping[str, str], state: Path) -> dict[str, str]:
    """Return the environment without access to states, keys or accounts; its state is in the folder `state`."""
    state.mkdir(parents=True)
    harmless = {name: value for name, value in environment.items() if not name.startswith(CREDENTIALS)}
    harmless.pop("DYBER_SECRETS_PROVIDER", None)
    harmless |= {name: environment[name] for name in ("PULUMI_HOME", "PULUMI_SKIP_UPDATE_CHECK") if name in environment}
    return {
        **harmless,
        "PULUMI_BACKEND_URL": f"file://{state.as_posix()}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def _check_out(root: Path, revision: str, tree: Path) -> None:
    archived = programs.run(["git", "archive", revision], cwd=root, capture_output=True)
    if archived.returncode:
        raise StackError(
            tr("the git revision {revision} cannot be read", revision=revision),
            archived.stderr.decode(errors="replace").strip(),
        )
    tree.mkdir()
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as archive:
        archive.extractall(tree, filter="data")
    # Both commits run in the virtual environment of this process.
    (tree / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    # Git does not keep the compiled messages, without which the program would speak English to everybody.
    compiled = tree / COMPILED.relative_to(FOLDER.parent)
    if COMPILED.is_file() and compiled.parent.is_dir():
        shutil.copy2(COMPILED, compiled)


def _without_encrypted_values(file: Path) -> dict[tuple[str, ...], str]:
    """Remove encrypted values and encryption settings from a stack's file; return placeholders by path.

    Different ciphertexts get different placeholders, so that a changed secret shows as a change.
    """
    if not file.is_file():
        return {}
    content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    config = content.get("config") or {}
    placeholders = {}
    for path in list(encrypted_paths(config)):
        mapping = config
        for key in path[:-1]:
            mapping = mapping[key]
        ciphertext = str(mapping.pop(path[-1])["secure"])
        placeholders[path] = _placeholder(ciphertext)
    kept = {key: value for key, value in content.items() if f"{key}:" not in _PROVIDER_KEYS}
    file.write_text(yaml.safe_dump(kept, allow_unicode=True), encoding="utf-8")
    return placeholders


def with_placeholders(value: Any) -> Any:
    """Return a value of a stack's file with placeholders in place of its encrypted parts."""
    if is_encrypted(value):
        return _placeholder(str(value["secure"]))
    if isinstance(value, Mapping):
        return {key: with_placeholders(item) for key, item in value.items()}
    return [with_placeholders(item) for item in value] if isinstance(value, list) else value


def _placeholder(ciphertext: str) -> str:
    return "placeholder-" + hashlib.sha256(ciphertext.encode()).hexdigest()[:32]


def _json(text: str) -> dict[str, Any] | None:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        return None
