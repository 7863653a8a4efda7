"""Makes text of the problems of a configuration, in Chinese and English; every message is in the table here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.schema.problems import Problem

#: The message of a problem that brings its own words.
WORDS = "words"
#: By message: one text with both languages, or a line in Chinese and one in English.
MESSAGES: dict[str, str | tuple[str, str]] = {
    WORDS: "{words}",
    # Files
    "not_readable": "读不了这个文件 / cannot be read: {reason}",
    "not_yaml": "不是有效的 YAML / not valid YAML: {reason}",
    # A stack's file
    "no_such_service": "没有这个服务 / no such service; 可用 / known: {known}",
    "no_such_profile": "{profile!r}: 没有这个配置档 / no such profile; 可用 / known: {known}",
    "no_such_client": "没有这个客户端 / no such client; 可用 / known: {known}",
    "no_such_tool": "{tool!r}: 没有这个工具 / no such tool; 可用 / known: {known}",
    "tools_unknown": (
        "服务没有 tools.lock.json，不知道有哪些工具；只能写 all / "
        "the service has no tools.lock.json, so its tools are unknown; only all is possible"
    ),
    "pinned_image_missing": (
        "images 为 pinned 时必须给出摘要 / needed while images is pinned, such as sha256:<64 hex digits>"
    ),
    "pinned_part_image_missing": "images 为 pinned 时必须给出摘要 / needed while images is pinned",
    "too_many_replicas": (
        "这个服务最多 {most} 个（mcp-servers/{service}/service.yaml 的 max_replicas）/ at most {most}, says its "
        "service.yaml"
    ),
    "contract_missing": (
        "contracts 为 enforced 时必须有；写入它 / needed while contracts is enforced; write it: "
        "./deploy.sh tools lock {service}"
    ),
    "no_service_enabled": "没有启用任何服务 / no service is enabled",
    "token_in_stack_file": "没有这个键；令牌写在 {env_file} / no such key; tokens belong into {env_file}",
    "stack_is_given": "由 Pulumi 的栈名决定，请删除 / given by the stack's name, remove it",
    "token_without_client": (
        "{stack_file} 的 clients 里没有 {client} / there is no {client} among the clients of {stack_file}"
    ),
    "host_name": (
        "主机名 {name!r} 不可用：请写主机名或 IP 地址，不带端口，如 pet.example.com、192.168.1.5",
        "host name {name!r} is unusable: a host name or an IP address without a port, such as pet.example.com, "
        "192.168.1.5 or [fd00::5]",
    ),
    "web_origin": (
        "网页来源 {origin!r} 不可用：请写成 https://pet.example.com、http://localhost:6274、app://obsidian.md 或 null，小写，"
        "不带路径",
        "web origin {origin!r} is unusable; write it like https://pet.example.com, http://localhost:6274, "
        "app://obsidian.md or null, lower case, without a path",
    ),
    # Secrets
    "secret_in_clear": (
        "机密是明文；从文件中删除，换掉它，再运行（值从标准输入读）/ a secret in clear text; delete it there, change it where "
        "it is from, then run (it reads the value from its input): {command}"
    ),
    "secret_not_declared": (
        "没有声明在 mcp-servers/{service}/service.yaml 的 secrets / not declared in the secrets of its service.yaml; "
        "可用 / known: {known}"
    ),
    "secret_name_misspelt": (
        "没有声明在 mcp-servers/{service}/service.yaml 的 secrets / not declared in the secrets of its service.yaml; "
        "是不是 / did you mean {near}"
    ),
    "secret_missing": (
        "服务需要这个机密；写入它（从标准输入读）/ needed by the service; write it (it reads the value from its input): "
        "{command}"
    ),
    "secret_in_environment": (
        "这是机密，删除它，换掉它，再运行 / a secret; delete it there, change it where it is from, then run: {command}"
    ),
    # .env
    "env_unasked": (
        "会盖过审阅过的 {reviewed}，所以没有采用，什么也没有改变；确实要用：在 {reviewed} 写 dyber:localEnv: true；不用：清空这些键，"
        "写进 {reviewed} / would win over {reviewed}, which was reviewed, so nothing was changed; to use them write "
        "dyber:localEnv: true in {reviewed}; else empty these keys and say it in {reviewed}"
    ),
    "env_not_readable": "读不了 / cannot be read: {reason}",
    "env_not_text": (
        "有不是 UTF-8 文本的字节：用编辑器改好这一行，或把文件另存为 UTF-8；整个文件坏了就移走它，换上备份 / has bytes that are no "
        "UTF-8 text: mend this line in an editor, or save the file as UTF-8; if the whole file is damaged, move it away "
        "and put back a copy"
    ),
    "env_no_pair": "读不懂，应为 键=值 / not understood; write KEY=value",
    "env_key_misspelt": "没有这个键，是不是 / no such key, did you mean {near}",
    "env_value": "{chinese} / {english}",
    # service.yaml
    "no_catalog": "找不到服务目录 {folder} / no such folder: {folder}",
    "service_folder_name": (
        "服务目录名 {name!r} 不可用，请用小写字母、数字和连字符（最多 31 个字符，字母开头）",
        "folder name {name!r} cannot be used: lower-case letters, digits and hyphens, a letter first, at most 31 "
        "characters",
    ),
    "service_no_mapping": "应为键值对，如 port: 8003 / must be keys and values, such as port: 8003",
    "given_by_the_folder": "由目录决定，请删除 / given by the folder, remove it",
    "package_missing": ("缺少文件 {path}", "file {path} is missing"),
    "no_port_left": "{first} 到 {last} 的端口都已用完 / no port is left",
    "service_to_be_renamed": (
        "{chinese}。已经部署过：改目录名（port 不变）再部署；数据仍在数据卷 dyber-<栈>-{name}-data，搬过去见 docs/recovery.md 的"
        "“改服务名”",
        "{english}. Where it was deployed: rename the folder (same port) and deploy; its data is still in the volume "
        "dyber-<stack>-{name}-data, see “Rename a service” in docs/recovery.en.md for bringing it along",
    ),
    "service_called_like_another": (
        "{name} 是服务 {other} 的另一个名字，请换一个 / {name} is another name of the service {other}; choose another"
    ),
    "port_taken": ("已被 {owner} 使用，可改为 {free}", "taken by {owner}; {free} is free"),
    # Images and volumes
    "source_missing": "缺少文件 {path} / file is missing: {path}",
    "images_of_newer_program": (
        "{images} 属于更新的版本（本程序是 {interface}）；什么都没有改变。先更新程序：./deploy.sh update",
        "{images} are of a newer version (this program has {interface}); nothing was changed. Update the program first: "
        "./deploy.sh update",
    ),
    "images_of_older_program": (
        "{images} 属于更早的版本（本程序要 {interface}）；什么都没有改变。先部署来源栈，再重新晋级：{promote}",
        "{images} are of an older version (this program needs {interface}); nothing was changed. Deploy the stack they "
        "come from, then promote again: {promote}",
    ),
    "volumes_unknown": (
        "无法从 Docker 引擎得知有哪些数据卷，什么都没有改变；运行 ./deploy.sh doctor：{reason}",
        "The Docker engine did not tell its data volumes; nothing was changed. Run ./deploy.sh doctor: {reason}",
    ),
    "volume_of_another_stack": (
        "数据卷 {volume} 属于栈 {other_stack} 的 {other_service}，栈 {stack} 的 {service} 不能用它。给其中一个服务改名，或先备份"
        "并删除那个卷：./deploy.sh clean -s {other_stack}",
        "Volume {volume} holds the data of {other_service} in stack {other_stack}; {service} in stack {stack} cannot use "
        "it. Rename one of the services, or back that volume up and delete it: ./deploy.sh clean -s {other_stack}",
    ),
    # tools.lock.json
    "contract_not_readable": (
        "读不懂，请重新生成：./deploy.sh tools lock",
        "cannot be read; write it anew: ./deploy.sh tools lock",
    ),
    "contract_changed_by_hand": (
        "与其中的工具不符（手工改过？），请重新生成：./deploy.sh tools lock",
        "is not that of the tools in it (edited by hand?); write it anew: ./deploy.sh tools lock",
    ),
}
# Pydantic's error types (https://docs.pydantic.dev/latest/errors/validation_errors/) that people meet here.
_CHINESE = {
    "extra_forbidden": "没有这个键",
    "missing": "缺少这个键",
    "int_parsing": "应为整数",
    "int_type": "应为整数",
    "float_parsing": "应为数字",
    "float_type": "应为数字",
    "bool_parsing": "应为 true 或 false",
    "bool_type": "应为 true 或 false",
    "string_type": "应为文字",
    "string_pattern_mismatch": "格式不对",
    "list_type": "应为列表",
    "tuple_type": "应为列表",
    "dict_type": "应为键值对",
    "model_type": "应为键值对",
    "literal_error": "不是可选的值",
    "string_too_short": "太短",
    "string_too_long": "太长",
    "greater_than_equal": "太小",
    "greater_than": "太小",
    "less_than_equal": "太大",
    "less_than": "太大",
}


def text(problem: Problem) -> str:
    """Return a problem in words: where it is and what is there, what is wrong, and what to write instead."""
    place = _place(problem)
    if problem.message in MESSAGES:
        words = _words(problem.message, problem.parameters)
    else:
        words = [f"{_CHINESE.get(problem.message, '不可用')} / {problem.parameters['words']}"]
    lines = [f"{place}: {line}" if place else line for line in words]
    if problem.instead:
        lines += ["  应写 / write:", *(f"    {line}" for line in problem.instead)]
    if problem.known_keys:
        lines.append(f"  可用的键 / known keys: {', '.join(problem.known_keys)}")
    return "\n".join(lines)


def filled_in(message: str, parameters: Mapping[str, Any]) -> str:
    """Return a message with its parameters, without a place."""
    return "\n".join(_words(message, parameters))


def listed(names: Iterable[str]) -> str:
    """Return names as messages list them; a dash for none."""
    return ", ".join(names) or "-"


def _words(message: str, parameters: Mapping[str, Any]) -> list[str]:
    template = MESSAGES[message]
    return [line.format(**parameters) for line in ([template] if isinstance(template, str) else template)]


def _place(problem: Problem) -> str:
    where = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
    key = _key(problem)
    return f"{where}: {key}" if where and key else where or key


def _key(problem: Problem) -> str:
    value = ""
    if problem.shows_value:
        # An address may hold a user and a password.
        value = re.sub(r"(://)[^/@\s]+@", r"\1****@", f" = {problem.value!r}")
    path = ".".join(problem.path)
    if not path and problem.message not in MESSAGES:
        path = "(root)"
    return f"{path}{value}"
