"""Inspects, plans and sets up what a deployment needs on this machine. The command line uses this module only."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from messages import tr
from toolchain import debian, proxies, versions
from toolchain.damage import set_aside
from toolchain.engine import base_image
from toolchain.engine import installation as engine
from toolchain.engine.base_image import BaseImage
from toolchain.engine.installation import Engine
from toolchain.errors import SetupError
from toolchain.from_source import go_build
from toolchain.home import DyberHome
from toolchain.mirrors import Mirrors
from toolchain.progress import Progress
from toolchain.pulumi import backend, pulumi_cli
from toolchain.pulumi.pulumi_cli import BUILT, SYSTEM, Tool
from toolchain.versions import version_tuple

LANGUAGE_HOST_SECONDS = 25.0
BASE_IMAGE_SECONDS = 30.0
ENGINE_SECONDS = 60.0


@dataclass(frozen=True)
class Finding:
    """A line of `dyber doctor`. advice: what to do if not ok; if ok, a note, if there is any."""

    key: str
    title: str
    ok: bool
    version: str = ""
    origin: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Step:
    """A step that set_up will take. statement: what it installs, and where."""

    title: str
    statement: str
    expected_seconds: float


@dataclass(frozen=True)
class Environment:
    """The state of a machine that is set up. variables: what to add to the environment of `pulumi` and `docker`."""

    variables: dict[str, str]
    engine: Engine
    base_images: dict[str, BaseImage]
    cli: Tool


def inspect_all(home: DyberHome) -> list[Finding]:
    """Return what `dyber doctor` shows of set-up. Changes nothing and waits at most for the engine's timeout."""
    pinned = versions.load()
    found_engine, unanswered = engine.look_for_engine(os.environ)
    cli = pulumi_cli.find_cli(home, pinned)
    findings = [_python(pinned), _engine(found_engine, unanswered, pinned), _disk(home, found_engine)]
    findings.append(_tool("pulumi", "Pulumi CLI", cli))
    findings.append(
        _tool(
            "language-host",
            tr("Pulumi's Python language host"),
            pulumi_cli.find_language_host(home, pinned, cli),
        )
    )
    findings += [
        _tool(
            f"plugin-{name}",
            tr("Pulumi plugin {name}", name=name),
            pulumi_cli.find_plugin(home, pinned, name),
        )
        for name in pinned.plugins
    ]
    mirrors = Mirrors.from_environment()
    findings += [_base_image(suite, found_engine, mirrors) for suite in pinned.base_suites]
    findings.append(_backend(home, os.environ))
    findings += _proxies(os.environ)
    return findings


def plan(home: DyberHome) -> list[Step]:
    """Return the steps that set_up would take now, in order; empty if nothing is missing."""
    pinned = versions.load()
    steps = []
    found_engine = engine.find_engine()
    if found_engine is None:
        statement = (
            tr("Installs the Debian packages docker.io and iptables, and starts Docker")
            if debian.can_install()
            else engine.installation_advice()
        )
        steps.append(Step(tr("Docker engine"), statement, ENGINE_SECONDS))
    missing = pulumi_cli.missing(home, pinned)
    built = [name for name in missing if name != "language-host"]
    if built:
        names = ", ".join(f"{name} {pinned.pulumi_cli if name == 'pulumi' else pinned.plugins[name]}" for name in built)
        statement = tr(
            "{names} → {root} (faster where Pulumi's own download can be reached; else built from Go "
            "modules, with 5 GB of disk meanwhile)",
            names=names,
            root=home.root,
        )
        steps.append(Step(tr("Pulumi and its plugins"), statement, go_build.expected_seconds(home, built)))
    if "language-host" in missing:
        statement = tr("A Python virtual environment of its own → {tools}", tools=home.tools)
        steps.append(Step(tr("Pulumi's Python language host"), statement, LANGUAGE_HOST_SECONDS))
    mirrors = Mirrors.from_environment()
    for suite in pinned.base_suites:
        if not _base_image(suite, found_engine, mirrors).ok:
            statement = tr("Docker image {image_name}, about 85 MB", image_name=base_image.image_name(suite))
            steps.append(Step(tr("Base image {suite}", suite=suite), statement, BASE_IMAGE_SECONDS))
    if not _user_sets_passphrase(os.environ) and not _backend(home, os.environ).ok:
        statement = tr("A random passphrase in {passphrase_file} (0600)", passphrase_file=home.passphrase_file)
        if not backend.configured(home).origin:
            statement += tr(", local state in {state}", state=home.state)
        steps.append(Step(tr("State and passphrase"), statement, 1.0))
    return steps


def set_up(home: DyberHome, progress: Progress) -> Environment:
    """Install whatever is missing. Raises SetupError.

    Phases of `progress` may run in two threads at once, as images are made while Pulumi is built.
    """
    pinned = versions.load()
    mirrors = Mirrors.from_environment()
    if not _python(pinned).ok:
        raise SetupError(
            tr(
                "Python {python_minimum} or newer is needed, this is {split}.",
                python_minimum=pinned.python_minimum,
                split=sys.version.split()[0],
            ),
            tr("Install a newer Python and try again."),
            exit_code=2,
        )
    home.create()
    _ensure_backend(home)
    os.environ.update(proxies.loopback_bypass(os.environ))
    running = engine.ensure_engine(home, pinned, progress)

    def make_base_images() -> dict[str, BaseImage]:
        return {suite: base_image.ensure(home, suite, mirrors, running, progress) for suite in pinned.base_suites}

    with ThreadPoolExecutor(max_workers=1) as executor:
        images = executor.submit(make_base_images)
        pulumi_cli.install(home, pinned, mirrors, progress)
        base_images = images.result()
    cli = pulumi_cli.find_cli(home, pinned)
    assert cli is not None
    return Environment(environment(home), running, base_images, cli)


def environment(home: DyberHome, env: Mapping[str, str] | None = None, *, ask_engine: bool = True) -> dict[str, str]:
    """Return the variables to add to `env` (default: this process's) for `pulumi` and `docker`.

    Variables that the user set stay as they are. The variables are PATH, PULUMI_HOME, PULUMI_BACKEND_URL,
    PULUMI_CONFIG_PASSPHRASE_FILE, PULUMI_SKIP_UPDATE_CHECK and DYBER_HOME; where they apply,
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION, PULUMI_IGNORE_AMBIENT_PLUGINS, DOCKER_HOST, DYBER_CA_BUNDLE,
    DYBER_PIP_INDEX_URL, DYBER_NPM_REGISTRY and DYBER_GOPROXY; and if a proxy is set, no_proxy, NO_PROXY and no_grpc_proxy, so that loopback bypasses it.
    """
    env = os.environ if env is None else env
    pinned = versions.load()
    cli = pulumi_cli.find_cli(home, pinned)
    user_path = pulumi_cli.path_without(home, env)
    installed_here = cli is None or cli.origin != SYSTEM
    variables = {
        "DYBER_HOME": str(home.root),
        "PATH": os.pathsep.join([str(home.bin), user_path] if installed_here else [user_path, str(home.bin)]),
        "PULUMI_HOME": str(home.pulumi_home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        **proxies.loopback_bypass(env),
    }
    if not env.get(backend.VARIABLE):
        variables[backend.VARIABLE] = backend.configured(home, env).url
    if not _user_sets_passphrase(env):
        variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(home.passphrase_file)
    if installed_here:
        # Otherwise a pulumi-resource-* that happens to be on PATH would be used instead of the pinned plugins.
        variables["PULUMI_IGNORE_AMBIENT_PLUGINS"] = "true"
    plugins = [pulumi_cli.find_plugin(home, pinned, name) for name in pinned.plugins]
    if any(plugin and plugin.origin == BUILT for plugin in plugins):
        variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    found_engine = engine.find_engine(env) if ask_engine else None
    if found_engine:
        variables.update(found_engine.environment())
    mirrors = Mirrors.from_environment(env)
    if mirrors.ca_bundle:
        variables["DYBER_CA_BUNDLE"] = str(mirrors.ca_bundle)
    if mirrors.pip_index_url:
        variables["DYBER_PIP_INDEX_URL"] = mirrors.pip_index_url
    if mirrors.npm_registry:
        variables["DYBER_NPM_REGISTRY"] = mirrors.npm_registry
    if mirrors.goproxy:
        variables["DYBER_GOPROXY"] = mirrors.goproxy
    return variables


# -- findings ---------------------------------------------------------------------------------------------------------


def _python(pinned: versions.Versions) -> Finding:
    ok = sys.version_info[:2] >= version_tuple(pinned.python_minimum)
    advice = "" if ok else tr("Install Python {python_minimum} or newer", python_minimum=pinned.python_minimum)
    return Finding("python", "Python", ok, sys.version.split()[0], sys.executable, advice)


def _engine(found: Engine | None, unanswered: list[engine.Unanswered], pinned: versions.Versions) -> Finding:
    title = tr("Docker engine")
    if found is None:
        tried = "; ".join(f"{attempt.host}: {attempt.reason}" for attempt in unanswered)
        if debian.can_install():
            return Finding("engine", title, False, "", tried, tr("`dyber setup` installs it"))
        return Finding("engine", title, False, "", tried, engine.installation_advice())
    try:
        engine.require_new_enough(found, pinned)
    except SetupError as error:
        return Finding("engine", title, False, found.version, found.host, error.next_step)
    return Finding("engine", title, True, f"{found.version} (API {found.api_version})", found.host)


def _disk(home: DyberHome, found: Engine | None) -> Finding:
    """Report the free space where the engine keeps images and where DYBER_HOME is, whichever has less."""
    title = tr("Disk space")
    place = next(folder for folder in (home.root, *home.root.parents) if folder.exists())
    free = {str(place): shutil.disk_usage(place).free}
    engine_free = engine.free_disk(found) if found else None
    if found and engine_free is not None:
        free[str(found.data_folder)] = engine_free
    least = min(free, key=lambda folder: free[folder])
    ok = free[least] >= engine.NEEDED_DISK_BYTES
    advice = "" if ok else tr("Free some space on {least}: at least 4 GB", least=least)
    return Finding("disk", title, ok, f"{free[least] / 1e9:.0f} GB", least, advice)


def _tool(key: str, title: str, tool: Tool | None) -> Finding:
    if tool is None:
        return Finding(key, title, False, advice=tr("`dyber setup` installs it"))
    return Finding(key, title, True, tool.version, f"{tool.origin}: {tool.path}")


def _base_image(suite: str, found: Engine | None, mirrors: Mirrors) -> Finding:
    key, title = f"base-image-{suite}", tr("Base image {suite}", suite=suite)
    image = base_image.find(suite, found) if found and shutil.which("docker") else None
    if image is None or image.key != base_image.content_key(suite, mirrors):
        return Finding(key, title, False, advice=tr("`dyber setup` makes it"))
    relaxed = tr(", accepts expired Release files") if image.valid_until_relaxed else ""
    return Finding(key, title, True, image.key, f"{image.origin}{relaxed}")


def _backend(home: DyberHome, env: Mapping[str, str]) -> Finding:
    title = tr("State and passphrase")
    chosen = backend.configured(home, env)
    address = backend.masked(chosen.url)
    try:
        chosen.check()
    except SetupError as error:
        return Finding("backend", title, False, address, chosen.origin, error.next_step)
    if "PULUMI_CONFIG_PASSPHRASE" in env:
        return Finding("backend", title, True, address, tr("passphrase from the environment"))
    user_file = env.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    file = Path(user_file) if user_file else home.passphrase_file
    if not file.exists() or file.stat().st_size == 0 or not (user_file or home.has_passphrase()):
        advice = tr("`dyber setup` makes it")
        if user_file:
            advice = _user_file_advice()
        elif _has_stacks(home):
            advice = _lost_passphrase(home).next_step
        return Finding("backend", title, False, address, str(file), advice)
    if os.name == "posix" and not user_file and file.stat().st_mode & 0o077:
        return Finding("backend", title, False, address, str(file), f"chmod 600 {file}")
    return Finding("backend", title, True, address, str(file))


def _proxies(env: Mapping[str, str]) -> list[Finding]:
    """Return the finding about the proxy that downloads use, if the environment names one."""
    named = {name: env[name] for name in env if name.lower() in proxies.PROXY_VARIABLES and env[name].strip()}
    if not named:
        return []
    shown = ", ".join(f"{name}={proxies.without_password(value)}" for name, value in sorted(named.items()))
    notes = [proxies.left_out_message(env)]
    if proxies.on_loopback(env):
        notes.append(
            tr(
                "containers that build images cannot reach a proxy on this machine's loopback; if builds need "
                "it, let it listen on an address of the network too, and set DYBER_BUILD_PROXY"
            )
        )
    return [Finding("proxies", tr("Proxy"), True, "", shown, "\n    ".join(filter(None, notes)))]


def _user_sets_passphrase(env: Mapping[str, str]) -> bool:
    # An empty PULUMI_CONFIG_PASSPHRASE is a passphrase too: the empty one.
    return "PULUMI_CONFIG_PASSPHRASE" in env or bool(env.get("PULUMI_CONFIG_PASSPHRASE_FILE"))


def _user_file_advice() -> str:
    return tr("write the passphrase into this file, or unset PULUMI_CONFIG_PASSPHRASE_FILE")


def _has_stacks(home: DyberHome) -> bool:
    return any((home.state / ".pulumi" / "stacks").rglob("*.json*"))


def _ensure_backend(home: DyberHome) -> None:
    backend.configured(home).check()
    if _user_sets_passphrase(os.environ):
        user_file = os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
        if "PULUMI_CONFIG_PASSPHRASE" not in os.environ and user_file and not Path(user_file).is_file():
            raise SetupError(
                tr("PULUMI_CONFIG_PASSPHRASE_FILE: no file {own}", own=user_file),
                _user_file_advice(),
                exit_code=2,
            )
        return
    if not home.has_passphrase():
        if _has_stacks(home):
            raise _lost_passphrase(home)
        if home.passphrase_file.exists():
            set_aside(home.passphrase_file)
    home.ensure_passphrase()


def _lost_passphrase(home: DyberHome) -> SetupError:
    return SetupError(
        tr(
            "There is state in {state}, but its passphrase file {passphrase_file} is gone or damaged.",
            state=home.state,
            passphrase_file=home.passphrase_file,
        ),
        tr(
            "Restore {passphrase_file} from a backup; without one, move {state} away and deploy anew.",
            passphrase_file=home.passphrase_file,
            state=home.state,
        ),
    )
