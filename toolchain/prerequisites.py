"""What a deployment needs on this machine: looked at, planned, set up. The command line calls nothing else in here."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from toolchain import debian, proxies, versions
from toolchain.damage import set_aside
from toolchain.engine import base_image
from toolchain.engine import installation as engine
from toolchain.engine.base_image import BaseImage
from toolchain.engine.installation import Engine
from toolchain.errors import SetupError
from toolchain.from_source import go_build
from toolchain.home import DyberHome
from toolchain.language import tr
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
    """One line of `dyber doctor`. advice: what to do when not ok; when ok, what is good to know, if anything."""

    key: str
    title: str
    ok: bool
    version: str = ""
    origin: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Step:
    """Something that set_up will do. statement: what comes onto the machine, and where."""

    title: str
    statement: str
    expected_seconds: float


@dataclass(frozen=True)
class Environment:
    """A machine that is ready. variables: what to add to the environment of `pulumi` and `docker`."""

    variables: dict[str, str]
    engine: Engine
    base_images: dict[str, BaseImage]
    cli: Tool


def inspect_all(home: DyberHome) -> list[Finding]:
    """Look, change nothing, take no longer than an unanswered socket does."""
    pinned = versions.load()
    found_engine, unanswered = engine.look_for_engine(os.environ)
    cli = pulumi_cli.find_cli(home, pinned)
    findings = [_python(pinned), _engine(found_engine, unanswered, pinned), _disk(home, found_engine)]
    findings.append(_tool("pulumi", "Pulumi CLI", cli))
    findings.append(
        _tool(
            "language-host",
            tr("Pulumi Python 语言主机", "Pulumi's Python language host"),
            pulumi_cli.find_language_host(home, pinned, cli),
        )
    )
    findings += [
        _tool(
            f"plugin-{name}",
            tr(f"Pulumi 插件 {name}", f"Pulumi plugin {name}"),
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
    """What set_up would do now, in order; empty when everything is there."""
    pinned = versions.load()
    steps = []
    found_engine = engine.find_engine()
    if found_engine is None:
        statement = (
            tr(
                "安装 Debian 软件包 docker.io、iptables 并启动 Docker",
                "Installs the Debian packages docker.io and iptables, and starts Docker",
            )
            if debian.can_install()
            else engine.installation_advice()
        )
        steps.append(Step(tr("Docker 引擎", "Docker engine"), statement, ENGINE_SECONDS))
    missing = pulumi_cli.missing(home, pinned)
    built = [name for name in missing if name != "language-host"]
    if built:
        names = ", ".join(f"{name} {pinned.pulumi_cli if name == 'pulumi' else pinned.plugins[name]}" for name in built)
        statement = tr(
            f"{names} → {home.root}（官方下载可用时几分钟内完成；否则从 Go 模块构建，临时占用约 5 GB）",
            f"{names} → {home.root} (faster where Pulumi's own download can be reached; else built from Go modules, with 5 GB of disk meanwhile)",
        )
        steps.append(
            Step(tr("Pulumi 与插件", "Pulumi and its plugins"), statement, go_build.expected_seconds(home, built))
        )
    if "language-host" in missing:
        statement = tr(
            f"独立的 Python 虚拟环境 → {home.tools}", f"A Python virtual environment of its own → {home.tools}"
        )
        steps.append(
            Step(tr("Pulumi Python 语言主机", "Pulumi's Python language host"), statement, LANGUAGE_HOST_SECONDS)
        )
    mirrors = Mirrors.from_environment()
    for suite in pinned.base_suites:
        if not _base_image(suite, found_engine, mirrors).ok:
            statement = tr(
                f"Docker 镜像 {base_image.image_name(suite)}，约 85 MB",
                f"Docker image {base_image.image_name(suite)}, about 85 MB",
            )
            steps.append(Step(tr(f"基础镜像 {suite}", f"Base image {suite}"), statement, BASE_IMAGE_SECONDS))
    if not _own_passphrase(os.environ) and not _backend(home, os.environ).ok:
        statement = tr(
            f"随机口令文件 {home.passphrase_file}（0600）", f"A random passphrase in {home.passphrase_file} (0600)"
        )
        if not backend.configured(home).origin:
            statement += tr(f"，本地状态目录 {home.state}", f", local state in {home.state}")
        steps.append(Step(tr("状态与口令", "State and passphrase"), statement, 1.0))
    return steps


def set_up(home: DyberHome, progress: Progress) -> Environment:
    """Install whatever is missing; does nothing where nothing is. Raises SetupError.

    Phases of `progress` may run in two threads at once: images are made while Pulumi is built.
    """
    pinned = versions.load()
    mirrors = Mirrors.from_environment()
    if not _python(pinned).ok:
        raise SetupError(
            tr(
                f"需要 Python {pinned.python_minimum} 以上，当前是 {sys.version.split()[0]}。",
                f"Python {pinned.python_minimum} or newer is needed, this is {sys.version.split()[0]}.",
            ),
            tr("安装新版 Python 后重试。", "Install a newer Python and try again."),
            exit_code=2,
        )
    home.create()
    _ensure_backend(home)
    os.environ.update(proxies.loopback_bypass(os.environ))
    running = engine.ensure_engine(home, pinned, progress)

    def make_base_images() -> dict[str, BaseImage]:
        return {suite: base_image.ensure(home, suite, mirrors, running, progress) for suite in pinned.base_suites}

    with ThreadPoolExecutor(max_workers=1) as second:
        images = second.submit(make_base_images)
        pulumi_cli.install(home, pinned, mirrors, progress)
        base_images = images.result()
    cli = pulumi_cli.find_cli(home, pinned)
    assert cli is not None
    return Environment(environment(home), running, base_images, cli)


def environment(home: DyberHome, env: Mapping[str, str] | None = None, *, ask_engine: bool = True) -> dict[str, str]:
    """Variables to add to `env` (default: this process's) for `pulumi` and `docker`. What the user set stays.

    PATH, PULUMI_HOME, PULUMI_BACKEND_URL, PULUMI_CONFIG_PASSPHRASE_FILE, PULUMI_SKIP_UPDATE_CHECK, DYBER_HOME, and where
    they apply PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION, PULUMI_IGNORE_AMBIENT_PLUGINS, DOCKER_HOST, DYBER_CA_BUNDLE,
    DYBER_PIP_INDEX_URL; beside a proxy no_proxy, NO_PROXY and no_grpc_proxy, so that loopback is reached directly.
    """
    env = os.environ if env is None else env
    pinned = versions.load()
    cli = pulumi_cli.find_cli(home, pinned)
    rest = pulumi_cli.path_without(home, env)
    own = cli is None or cli.origin != SYSTEM
    variables = {
        "DYBER_HOME": str(home.root),
        "PATH": os.pathsep.join([str(home.bin), rest] if own else [rest, str(home.bin)]),
        "PULUMI_HOME": str(home.pulumi_home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        **proxies.loopback_bypass(env),
    }
    if not env.get(backend.VARIABLE):
        variables[backend.VARIABLE] = backend.configured(home, env).url
    if not _own_passphrase(env):
        variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(home.passphrase_file)
    if own:
        # A pulumi-resource-* that happens to be on PATH would win over the pinned plugins.
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
    return variables


# -- findings ---------------------------------------------------------------------------------------------------------


def _python(pinned: versions.Versions) -> Finding:
    ok = sys.version_info[:2] >= version_tuple(pinned.python_minimum)
    advice = (
        ""
        if ok
        else tr(f"安装 Python {pinned.python_minimum} 以上", f"Install Python {pinned.python_minimum} or newer")
    )
    return Finding("python", "Python", ok, sys.version.split()[0], sys.executable, advice)


def _engine(found: Engine | None, unanswered: list[engine.Unanswered], pinned: versions.Versions) -> Finding:
    title = tr("Docker 引擎", "Docker engine")
    if found is None:
        tried = "; ".join(f"{one.host}: {one.reason}" for one in unanswered)
        if debian.can_install():
            return Finding(
                "engine", title, False, "", tried, tr("运行 dyber setup 自动安装", "`dyber setup` installs it")
            )
        return Finding("engine", title, False, "", tried, engine.installation_advice())
    try:
        engine.require_new_enough(found, pinned)
    except SetupError as error:
        return Finding("engine", title, False, found.version, found.host, error.next_step)
    return Finding("engine", title, True, f"{found.version} (API {found.api_version})", found.host)


def _disk(home: DyberHome, found: Engine | None) -> Finding:
    """Room for images where the engine keeps them, and for work where we keep ours."""
    title = tr("磁盘空间", "Disk space")
    place = next(folder for folder in (home.root, *home.root.parents) if folder.exists())
    free = {str(place): shutil.disk_usage(place).free}
    engine_free = engine.free_disk(found) if found else None
    if found and engine_free is not None:
        free[str(found.data_folder)] = engine_free
    least = min(free, key=lambda folder: free[folder])
    ok = free[least] >= engine.NEEDED_DISK_BYTES
    advice = "" if ok else tr(f"清理 {least}，至少要 4 GB", f"Free some space on {least}: at least 4 GB")
    return Finding("disk", title, ok, f"{free[least] / 1e9:.0f} GB", least, advice)


def _tool(key: str, title: str, tool: Tool | None) -> Finding:
    if tool is None:
        return Finding(key, title, False, advice=tr("运行 dyber setup 安装", "`dyber setup` installs it"))
    return Finding(key, title, True, tool.version, f"{tool.origin}: {tool.path}")


def _base_image(suite: str, found: Engine | None, mirrors: Mirrors) -> Finding:
    key, title = f"base-image-{suite}", tr(f"基础镜像 {suite}", f"Base image {suite}")
    image = base_image.find(suite, found) if found and shutil.which("docker") else None
    if image is None or image.key != base_image.content_key(suite, mirrors):
        return Finding(key, title, False, advice=tr("运行 dyber setup 生成", "`dyber setup` makes it"))
    relaxed = tr("，接受过期的 Release 文件", ", accepts expired Release files") if image.valid_until_relaxed else ""
    return Finding(key, title, True, image.key, f"{image.origin}{relaxed}")


def _backend(home: DyberHome, env: Mapping[str, str]) -> Finding:
    title = tr("状态与口令", "State and passphrase")
    chosen = backend.configured(home, env)
    address = backend.masked(chosen.url)
    try:
        chosen.check()
    except SetupError as error:
        return Finding("backend", title, False, address, chosen.origin, error.next_step)
    if "PULUMI_CONFIG_PASSPHRASE" in env:
        return Finding("backend", title, True, address, tr("口令来自环境变量", "passphrase from the environment"))
    own = env.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    file = Path(own) if own else home.passphrase_file
    if not file.exists() or file.stat().st_size == 0 or not (own or home.has_passphrase()):
        advice = tr("运行 dyber setup 生成", "`dyber setup` makes it")
        if own:
            advice = _own_file_advice()
        elif _has_stacks(home):
            advice = _lost_passphrase(home).next_step
        return Finding("backend", title, False, address, str(file), advice)
    if os.name == "posix" and not own and file.stat().st_mode & 0o077:
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
                "构建镜像的容器够不着这台机器回环地址上的代理；构建需要代理时，让它也监听局域网地址，并设置 DYBER_BUILD_PROXY",
                "containers that build images cannot reach a proxy on this machine's loopback; if builds need it, let "
                "it listen on an address of the network too, and set DYBER_BUILD_PROXY",
            )
        )
    return [Finding("proxies", tr("代理", "Proxy"), True, "", shown, "\n    ".join(filter(None, notes)))]


def _own_passphrase(env: Mapping[str, str]) -> bool:
    # An empty PULUMI_CONFIG_PASSPHRASE is a passphrase too: the empty one.
    return "PULUMI_CONFIG_PASSPHRASE" in env or bool(env.get("PULUMI_CONFIG_PASSPHRASE_FILE"))


def _own_file_advice() -> str:
    return tr(
        "把口令写进这个文件，或去掉 PULUMI_CONFIG_PASSPHRASE_FILE",
        "write the passphrase into this file, or unset PULUMI_CONFIG_PASSPHRASE_FILE",
    )


def _has_stacks(home: DyberHome) -> bool:
    return any((home.state / ".pulumi" / "stacks").rglob("*.json*"))


def _ensure_backend(home: DyberHome) -> None:
    backend.configured(home).check()
    if _own_passphrase(os.environ):
        own = os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
        if "PULUMI_CONFIG_PASSPHRASE" not in os.environ and own and not Path(own).is_file():
            raise SetupError(
                tr(f"PULUMI_CONFIG_PASSPHRASE_FILE: 没有文件 {own}", f"PULUMI_CONFIG_PASSPHRASE_FILE: no file {own}"),
                _own_file_advice(),
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
            f"{home.state} 里已有部署状态，但口令文件 {home.passphrase_file} 不见了或损坏了。",
            f"There is state in {home.state}, but its passphrase file {home.passphrase_file} is gone or damaged.",
        ),
        tr(
            f"从备份恢复 {home.passphrase_file}；没有备份时，把 {home.state} 移走后重新部署。",
            f"Restore {home.passphrase_file} from a backup; without one, move {home.state} away and deploy anew.",
        ),
    )
