"""Implements `dyber config …`, which shows a stack's settings and changes them in its file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.text import Text

from cli.commands.reading import AcceptedYesOption, JsonOption, StackOption, print_json
from cli.configuration import config_secrets, settings_reference
from cli.configuration.config_keys import complete_key, complete_key_or_value, parse, typed, write
from cli.configuration.effective import DEFAULT, MISSING, Configuration, KeyPath, Value, masked
from cli.configuration.settings_reference import shown
from cli.system.errors import StackError
from cli.terminal.console import err, fail, out
from cli.terminal.masking import HIDDEN
from cli.terminal.usage import FAILED, examples
from infra.schema.key_paths import dotted
from infra.schema.problems import ConfigurationError, Problem
from messages import tr

config_app = typer.Typer(
    epilog=examples("./deploy.sh config show", "./deploy.sh config set gateway.portOffset 10000"), no_args_is_help=True
)
KEY_HELP = tr("A key, such as gateway.portOffset")
#: Values wider than this do not widen the column, so the source beside them is not aligned.
VALUE_WIDTH = 40


@config_app.command(
    "show",
    help=tr("Show the settings in force, defaults included, and where each comes from; secrets stay hidden"),
    epilog=examples(
        "./deploy.sh config show", "./deploy.sh config show gateway.limits -s test", "./deploy.sh config show --json"
    ),
)
def config_show(
    key: Annotated[str | None, typer.Argument(help=KEY_HELP, autocompletion=complete_key, show_default=False)] = None,
    as_json: JsonOption = False,
    stack: StackOption = "dev",
) -> None:
    """Show the settings in force, and where each comes from."""
    configuration = Configuration(stack)
    path = parse(key, configuration.tree) if key else ()
    rows = [value for at, value in configuration.values().items() if at[: len(path)] == path]
    if not rows:
        raise StackError(
            tr("stack {stack} does not set {key}", stack=stack, key=key),
            tr("set it: ./deploy.sh config set {key} …", key=key),
        )
    if as_json:
        print_json([_as_json(value) for value in rows])
    else:
        default = {DEFAULT: tr("default")}
        _table([(value.key, _text(value), default.get(value.source, value.source)) for value in rows])
        if len(rows) == 1 and rows[0].path == path:
            _describe(configuration, path)
    if configuration.problem:
        fail(configuration.problem.message, configuration.problem.next_step)


@config_app.command(
    "set",
    help=tr("Write settings into the stack's file; all settings are checked first, nothing is deployed"),
    epilog=examples(
        "./deploy.sh config set gateway.limits.requestsPerSecond 20",
        "./deploy.sh config set profiles dev,cache -s test",
        "./deploy.sh config set gateway.tls.source files gateway.tls.certificateFile a.pem gateway.tls.keyFile a.key",
        "./deploy.sh config set cache.password --secret",
    ),
)
def config_set(
    words: Annotated[
        list[str],
        typer.Argument(
            help=tr("A key and its value; may be given several times"),
            metavar="KEY VALUE ...",
            autocompletion=complete_key_or_value,
            show_default=False,
        ),
    ],
    secret: Annotated[
        bool,
        typer.Option(
            "--secret",
            help=tr("A secret: its value is read from stdin or asked for, and encrypted"),
        ),
    ] = False,
    yes: AcceptedYesOption = False,
    stack: StackOption = "dev",
) -> None:
    """Write settings into the stack's file if all settings together can be used."""
    configuration = _readable(stack)
    if secret:
        _set_secret(configuration, words)
        return
    if len(words) % 2:
        raise typer.BadParameter(tr("{words} needs a value", words=words[-1]) + tr("; for a secret use --secret"))
    given: dict[KeyPath, Any] = {}
    for key, text in zip(words[::2], words[1::2], strict=True):
        path = parse(key, configuration.tree)
        setting = configuration.tree.find(path)
        assert setting is not None
        given[path] = typed(text, setting)
        for inner_path, inner_setting, _ in setting.values(given[path], path):
            if inner_setting.secret:
                raise typer.BadParameter(
                    f"{dotted(inner_path)}: "
                    + tr("a secret's value cannot be on a command line: ")
                    + f"./deploy.sh config set {dotted(inner_path)} --secret{_option(stack)}"
                )
    _change(configuration, given)


@config_app.command(
    "unset",
    help=tr("Remove a setting from the stack's file, back to its default"),
    epilog=examples("./deploy.sh config unset gateway.limits", "./deploy.sh config unset cache.password -s test"),
)
def config_unset(
    key: Annotated[str, typer.Argument(help=KEY_HELP, autocompletion=complete_key)],
    yes: AcceptedYesOption = False,
    stack: StackOption = "dev",
) -> None:
    """Remove a setting from the stack's file if the remaining settings can be used."""
    configuration = _readable(stack)
    path = parse(key, configuration.tree)
    if not _is_set(configuration, path):
        name = configuration.file.path.name
        raise StackError(
            tr("{name} does not set {path}", name=name, path=dotted(path)),
            tr("see where its value comes from: ./deploy.sh config show {path}", path=dotted(path)) + _option(stack),
        )
    _change(configuration, {path: None})


@config_app.command(
    "diff",
    help=tr("Show how the settings of two stacks differ; exit code 1 when they do"),
    epilog=examples("./deploy.sh config diff dev test", "./deploy.sh config diff test prod --json"),
)
def config_diff(
    one: Annotated[str, typer.Argument(help=tr("One stack"))],
    other: Annotated[str, typer.Argument(help=tr("The other stack"))],
    as_json: JsonOption = False,
) -> None:
    """Show how the settings of two stacks differ; exit code 1 when they do."""
    configurations = [Configuration(one), Configuration(other)]
    before, after = (configuration.values() for configuration in configurations)
    unreadable = next((item.problem for item in configurations if item.problem), None)
    differing = [
        path
        for path in dict.fromkeys([*before, *after])
        if _plain(before.get(path)) != _plain(after.get(path)) and not _is_unknown(before.get(path), after.get(path))
    ]
    if as_json:
        print_json([_difference(path, {one: before.get(path), other: after.get(path)}) for path in differing])
    elif differing:
        rows = [(dotted(path), *_texts(before.get(path), after.get(path))) for path in differing]
        _table([("", one, other), *rows])
    else:
        out.print(tr("No differences."))
    if unreadable:
        raise StackError(unreadable.message + tr("; secrets were not compared"), unreadable.next_step)
    if differing:
        raise typer.Exit(FAILED)


@config_app.command(
    "reference",
    hidden=True,
    help=tr("Generate the reference of the settings and the JSON Schema in docs/ from the definition of the settings"),
    epilog=examples("./deploy.sh config reference"),
)
def config_reference() -> None:
    """Write the files that are generated from the models of the settings."""
    for path, text in settings_reference.files().items():
        path.write_text(text, encoding="utf-8")
        out.print(tr("written: ") + str(path), markup=False)


def _readable(stack: str) -> Configuration:
    """Return a stack's configuration with its secrets decrypted. Raises StackError if that is not possible."""
    configuration = Configuration(stack)
    if configuration.problem:
        raise configuration.problem
    return configuration


def _set_secret(configuration: Configuration, words: list[str]) -> None:
    if len(words) != 1:
        raise typer.BadParameter(tr("a secret's value is not written on the command line, only its key"))
    path = parse(words[0], configuration.tree)
    key, setting = dotted(path), configuration.tree.find(path)
    if setting is None or not setting.secret:
        known = ", ".join(dotted(leaf) for leaf, leaf_setting in configuration.tree.leaves() if leaf_setting.secret)
        raise typer.BadParameter(
            tr("{key} is not a secret, and would be in clear in the state; secrets: {known}", key=key, known=known)
        )
    value = _ask(key)
    _check(configuration, [path], _problems(configuration), {path: value})
    config_secrets.store(configuration.stack, configuration.root, key, value)
    _report(configuration, [f"{key}: {HIDDEN}"])


def _ask(key: str) -> str:
    """Ask for a value without showing it, or read it from standard input without its line end."""
    if sys.stdin.isatty():
        return str(typer.prompt(key, hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")


def _change(configuration: Configuration, given: Mapping[KeyPath, Any]) -> None:
    """Write the values if all settings together can be used; None removes a setting."""
    lines = []
    present = _problems(configuration)
    for path, value in given.items():
        before = _in_file(configuration, path)
        if value is None or before != value:
            after = MISSING if value is None else value
            old, new = _masked_text(configuration, path, before), _masked_text(configuration, path, after)
            lines.append(f"{dotted(path)}: {old} → {new}")
        write(configuration.file, path, value, configuration.tree)
    still_wrong = _check(configuration, list(given), present)
    if not lines:
        out.print(tr("No changes."))
        return
    configuration.file.save()
    _report(configuration, lines)
    values = {} if still_wrong else configuration.values()
    for path in given:
        if path in values and values[path].source not in (configuration.file.path.name, DEFAULT):
            err.print(Text(f"• {values[path].source} → {dotted(path)}: {_text(values[path])}", style="yellow"))


def _problems(configuration: Configuration, clear: Mapping[KeyPath, str] | None = None) -> list[Problem]:
    """Return all problems of the stack's settings; `clear` are secrets that are not in the file yet."""
    try:
        configuration.check(clear)
    except ConfigurationError as error:
        return list(error.problems)
    return []


def _check(
    configuration: Configuration,
    changed: Sequence[KeyPath],
    present: Sequence[Problem],
    clear: Mapping[KeyPath, str] | None = None,
) -> list[Problem]:
    """Check all settings after a change at the paths `changed`; `present` are the problems from before the change.

    Raises ConfigurationError if the changed settings have a problem, or if the change causes a new one. Prints and
    returns the problems that remain, so that they can be corrected one at a time.
    """
    remaining = _problems(configuration, clear)
    file = configuration.file.path.name
    if any(problem not in present or any(problem.concerns(file, path) for path in changed) for problem in remaining):
        raise ConfigurationError(*remaining, tr("Nothing was written."))
    for problem in remaining:
        err.print(Text(f"• {problem.text()}", style="yellow"))
    return remaining


def _report(configuration: Configuration, lines: list[str]) -> None:
    for line in lines:
        out.print(Text(f"• {configuration.file.path.name}: {line}"))
    out.print(tr("Next: ") + f"./deploy.sh preview{_option(configuration.stack)}", markup=False)


def _in_file(configuration: Configuration, path: KeyPath) -> Any:
    content: Any = configuration.file.values()
    for key in path:
        if not isinstance(content, Mapping) or key not in content:
            return MISSING
        content = content[key]
    return content


def _is_set(configuration: Configuration, path: KeyPath) -> bool:
    parent = _in_file(configuration, path[:-1])
    return _in_file(configuration, path) is not MISSING or (isinstance(parent, list) and path[-1] in parent)


def _describe(configuration: Configuration, path: KeyPath) -> None:
    setting = configuration.tree.find(path)
    assert setting is not None
    kind = settings_reference.kind(setting, tr("en"))
    out.print(Text(f"  {tr(setting.description)}", style="dim"))
    out.print(Text(f"  {kind}{tr('; default ')}{shown(setting.default)}", style="dim"))


def _table(rows: list[tuple[str, str, str]]) -> None:
    keys = max(cell_len(row[0]) for row in rows)
    values = min(max(cell_len(row[1]) for row in rows), VALUE_WIDTH)
    for key, value, source in rows:
        gap = "  " + " " * max(values - cell_len(value), 0)
        out.print(Text.assemble(f"{key}{' ' * (keys - cell_len(key))}  ", (value, "bold"), gap, (source, "dim")))


def _as_json(value: Value) -> dict[str, Any]:
    shown_value = None if value.secret else value.value
    return {"key": value.key, "value": shown_value, "source": value.source, "secret": value.secret}


def _difference(path: KeyPath, values: Mapping[str, Value | None]) -> dict[str, Any]:
    secret = any(value is not None and value.secret for value in values.values())
    by_stack = {} if secret else {stack: value.value if value else None for stack, value in values.items()}
    return {"key": dotted(path), "secret": secret, **by_stack}


def _texts(first: Value | None, second: Value | None) -> tuple[str, str]:
    if (first and first.secret) or (second and second.secret):
        return (HIDDEN, tr("differs"))
    return _text(first), _text(second)


def _plain(value: Value | None) -> Any:
    """Return the value for comparison, where an empty mapping equals no value."""
    return None if value is None or value.value == {} else value.value


def _is_unknown(*values: Value | None) -> bool:
    """Tell whether one of the values is a secret that could not be decrypted."""
    return any(value and value.secret and value.value is None and value.source != DEFAULT for value in values)


def _text(value: Value | None) -> str:
    if value is None:
        return "–"
    return HIDDEN if value.secret and value.source != DEFAULT else shown(value.value)


def _masked_text(configuration: Configuration, path: KeyPath, value: Any) -> str:
    return "–" if value is MISSING else shown(masked(configuration.tree, path, value))


def _option(stack: str) -> str:
    return "" if stack == "dev" else f" -s {stack}"
