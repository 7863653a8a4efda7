"""Asks people about foreign servers that are added, and shows them what a server is and what its tools do."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.table import Table
from rich.text import Text

from cli.commands.operation.status import print_table
from cli.services.adding import service_files, tool_kinds
from cli.services.adding.adding import Candidate, Decisions
from cli.services.importing.requests import Question, RefusedError, Remark, SourceRequest, remark
from cli.system.errors import StackError
from cli.terminal.console import err, out
from cli.terminal.usage import FAILED, INTERRUPTED
from infra.services import scan
from infra.services.contract import Contract
from infra.services.scan import Finding, Level
from infra.services.scan.codes import CODES
from messages import mark, tr

#: A finding that is accepted on the command line: its code and the reason.
_ACCEPTED = re.compile(r"(?P<code>[A-Z]\d{2})=(?P<reason>.*)")
#: How many characters a reason has.
SHORTEST_REASON, LONGEST_REASON = 5, 500
#: Is accepted on the command line: a remote server in a private network.
PRIVATE_ADDRESS = "private-address"
#: So many prompts and resources of each kind are listed; the others are counted.
MOST_OFFERS = 20
#: How old packages have to be; None: as old as the stack's build settings say.
MinAgeOption = Annotated[
    int | None,
    typer.Option(
        "--min-age",
        min=0,
        max=3650,
        metavar="DAYS",
        help=tr("Take nothing younger than this many days; build.minAgeDays of the stack when left out"),
        show_default=False,
    ),
]
_STYLES = {tool_kinds.READ: "green", tool_kinds.WRITE: "yellow", tool_kinds.OFF: "dim"}


class MissingValues(typer.BadParameter):
    """Values that only the user knows were not given, and nobody can be asked."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._options = " ".join(f"--set {question.key}=…" for question in questions)
        self._reasons = "".join(f"\n  {_why(question)}" for question in questions if question.placeholder)
        super().__init__(tr("values are missing; give them: {options}", options=self._options) + self._reasons)

    def refusal(self) -> RefusedError:
        """Return the same as the refusal of one server among several."""
        return RefusedError(
            remark(mark("values are missing{reasons}"), reasons=self._reasons),
            remark(mark("give them: {options}"), options=self._options),
        )


@dataclass(frozen=True)
class Reviewer:
    """Shows a candidate to a person, and returns what is decided about its tools and findings.

    `yes`: nobody is asked. `read`, `write`, `off` and `accepted` are decisions from the command line.
    """

    yes: bool
    read: Sequence[str] = ()
    write: Sequence[str] = ()
    off: Sequence[str] = ()
    accepted: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, candidate: Candidate) -> Decisions:
        """Show the candidate and return the decisions; raises typer.Exit where it is not accepted."""
        given = tool_kinds.decisions(candidate.contract, read=self.read, write=self.write, off=self.off)
        if names := tool_kinds.unknown(candidate.contract, [*self.read, *self.write, *self.off]):
            raise typer.BadParameter(
                tr(
                    "the server has no tool {names}; its tools: {known}",
                    names=", ".join(names),
                    known=", ".join(candidate.contract.tools),
                )
            )
        show_package(candidate)
        known = {kind.name: kind.kind for kind in candidate.kinds if kind.origin == tool_kinds.DECIDED}
        show_tools(tool_kinds.kinds(candidate.contract, {**known, **given}))
        show_offers(candidate.contract)
        accepted = self.accepted_findings(candidate.findings)
        undecided = [
            kind.name for kind in candidate.kinds if kind.origin == tool_kinds.NO_HINT and kind.name not in given
        ]
        if undecided and not self.yes:
            given |= _ask_kinds(candidate, undecided)
        return Decisions(given, accepted)

    def accepted_findings(self, findings: Sequence[Finding]) -> list[dict[str, str]]:
        """Show findings, and return the acceptances of those that would stop the service.

        Raises typer.Exit for a finding that is not accepted.
        """
        show_findings(findings)
        blocking = scan.blocking(findings)
        reasons = dict(self.accepted)
        missing = list(dict.fromkeys(finding.code for finding in blocking if finding.code not in reasons))
        while missing and not self.yes and len(reason := _ask_reason(missing[0])) >= SHORTEST_REASON:
            reasons[missing.pop(0)] = reason
        if missing:
            options = " ".join(f"--accept '{code}={tr('REASON')}'" for code in missing)
            err.print(
                tr("Not added: {codes} would stop it. To accept: {options}", codes=", ".join(missing), options=options),
                markup=False,
            )
            raise typer.Exit(FAILED)
        return [
            {"code": item.code, "tool": item.tool, "sha256": item.sha256, "reason": reasons[item.code]}
            for item in blocking
        ]


def acceptances(words: Collection[str]) -> tuple[bool, dict[str, str]]:
    """Return whether a private address is accepted, and the accepted findings by code. Raises typer.BadParameter."""
    findings: dict[str, str] = {}
    for word in words:
        if word == PRIVATE_ADDRESS:
            continue
        match = _ACCEPTED.fullmatch(word.strip())
        if not match:
            raise typer.BadParameter(
                tr("--accept takes {private} or CODE=REASON, such as 'T01=checked by hand'", private=PRIVATE_ADDRESS)
            )
        if match["code"] not in CODES:
            raise typer.BadParameter(
                tr("--accept: there is no finding {code}; known: {known}", code=match["code"], known=", ".join(CODES))
            )
        if not SHORTEST_REASON <= len(match["reason"].strip()) <= LONGEST_REASON:
            raise typer.BadParameter(
                tr(
                    "--accept {code}: a reason has {least} to {most} characters, and stands in service.yaml for others",
                    code=match["code"],
                    least=SHORTEST_REASON,
                    most=LONGEST_REASON,
                )
            )
        findings[match["code"]] = match["reason"].strip()
    return PRIVATE_ADDRESS in words, findings


def answered(
    request: Callable[[Mapping[str, str]], SourceRequest], given: Mapping[str, str], *, yes: bool
) -> SourceRequest:
    """Return a request without open questions; asks a person unless `yes`.

    Raises RefusedError, MissingValues, and typer.Exit without an answer.
    """
    answers = dict(given)
    while True:
        made = request(answers)
        open_questions = [question for question in made.questions if question.key not in answers]
        if not open_questions:
            return made
        missing = [question for question in open_questions if yes and not question.default]
        if missing:
            raise MissingValues(missing)
        for question in open_questions:
            answers[question.key] = question.default if yes else _answer(question)


def ask_secrets(request: SourceRequest, *, yes: bool) -> dict[str, SecretStr]:
    """Return the values of the request's secrets: those that it has, and those that a person types unseen."""
    values = {name: secret.value for name, secret in request.secrets.items() if secret.value}
    if yes or not sys.stdin.isatty():
        return values
    for name, secret in request.secrets.items():
        if name in values:
            continue
        about = f" ({_plain(secret.description)})" if secret.description else ""
        typed = typer.prompt(
            tr("Secret {name}{about} (empty: later)", name=name, about=about),
            default="",
            hide_input=True,
            show_default=False,
            err=True,
        )
        if typed:
            values[name] = SecretStr(str(typed))
    return values


def ask_internet(request: SourceRequest, *, yes: bool) -> bool:
    """Return whether the server may reach the Internet, where the command line does not say it.

    A server that wants a secret gets it for something on the Internet.
    """
    if request.internet is not None:
        return request.internet
    if request.secrets:
        return True
    if yes:
        return False
    return confirmed(tr("May it reach the Internet? (y/N): "))


def confirmed(question: str) -> bool:
    """Ask for a yes."""
    err.print(question, end="", markup=False)
    return answer().lower() in ("y", "yes")


def answer() -> str:
    """Return the next line of the input. Raises typer.Exit at its end: nobody is there to answer."""
    text = line()
    if text is None:
        err.print(tr("\nNo answer; nothing was changed. Without a terminal, --yes answers for you."), markup=False)
        raise typer.Exit(FAILED)
    return text


def line() -> str | None:
    """Return the next line of the input, or None at its end. Raises typer.Exit if it is interrupted."""
    try:
        text = sys.stdin.readline()
    except KeyboardInterrupt:
        err.print(tr("\nCancelled; nothing was changed."))
        raise typer.Exit(INTERRUPTED) from None
    return text.strip() if text else None


def show_package(candidate: Candidate) -> None:
    """Print what is known of a package: version, publisher, age, licence, sizes, scripts, and warnings."""
    package, report, details = candidate.package, candidate.report, candidate.details
    facts = [package.reference]
    if details and details.publisher:
        facts.append(tr("by {publisher}", publisher=_plain(details.publisher)[:60]))
    if details and details.published:
        facts.append(_age(details.published))
    if package.license:
        facts.append(tr("licence {licence}", licence=_plain(package.license)[:60]))
    if report.packages:
        facts.append(tr("{count} packages", count=report.packages))
    if candidate.image_bytes:
        facts.append(tr("image of {size} MiB", size=round(candidate.image_bytes / 2**20)))
    out.print(Text(" · ".join(facts), style="bold"))
    if package.description:
        out.print(Text(f"  {_plain(package.description)[:200]}"))
    if package.deprecated:
        out.print(Text(tr("  deprecated: {words}", words=_plain(package.deprecated)[:200]), style="yellow"))
    if report.install_scripts:
        names = ", ".join(report.install_scripts)
        out.print(Text(tr("  scripts for installing that never run here: {names}", names=names), style="yellow"))
    for text in (*report.warnings, *candidate.remarks):
        out.print(Text(f"  {text}", style="yellow"))


def _age(published: datetime) -> str:
    moment = published if published.tzinfo else published.replace(tzinfo=UTC)
    days = (datetime.now(UTC) - moment).days
    return tr("published on {date}, {days} days ago", date=f"{published:%Y-%m-%d}", days=max(days, 0))


def show_tools(kinds: Sequence[tool_kinds.ToolKind]) -> None:
    """Print what each tool does, and where that comes from."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in (tr("tool"), tr("does"), tr("says")):
        table.add_column(column, overflow="fold")
    for kind in kinds:
        table.add_row(kind.name, Text(service_files.kind_word(kind.kind), style=_STYLES[kind.kind]), tr(kind.origin))
    print_table(table)


def show_offers(contract: Contract) -> None:
    """Print the names of what a server offers beside tools."""
    titles = {
        "prompts": tr("prompts"),
        "resources": tr("resources"),
        "resource_templates": tr("templates of resources"),
    }
    for kind, title in titles.items():
        names = [_plain(name) for name in contract.others.get(kind, ())]
        if names:
            more = f" … (+{len(names) - MOST_OFFERS})" if len(names) > MOST_OFFERS else ""
            out.print(Text(f"{title} ({len(names)}): {', '.join(names[:MOST_OFFERS])}{more}"))


def show_findings(findings: Sequence[Finding]) -> None:
    """Print the findings of the scan."""
    styles = {Level.BLOCK: "red", Level.WARN: "yellow", Level.INFO: "dim"}
    for finding in findings:
        for text in finding.lines():
            out.print(Text(text, style=styles[finding.level]))


def show_remarks(remarks: Sequence[Remark], indent: str = "") -> None:
    """Print remarks about a request."""
    for item in remarks:
        err.print(Text(f"{indent}• {item.text()}", style="yellow"))


def refused(refusal: RefusedError) -> StackError:
    """Return the error of the command line for a refusal."""
    return StackError(refusal.reason.text(), refusal.next_step.text())


def _answer(question: Question) -> str:
    choices = f" [{', '.join(question.choices)}]" if question.choices else ""
    offered = tr(" (empty: {default})", default=question.default) if question.default else ""
    about = f": {_plain(question.description)}" if question.description else ""
    if question.placeholder:
        err.print(Text(_why(question), style="dim"))
    err.print(f"{question.key}{about}{choices}{offered}: ", end="", markup=False)
    return answer() or question.default


def _why(question: Question) -> str:
    """Return why what is written for a value is not taken."""
    return tr(
        "{key}: {text!r} is written there, which looks like a placeholder and not like a value",
        key=question.key,
        text=_plain(question.placeholder),
    )


def _ask_reason(code: str) -> str:
    """Ask why a finding is acceptable, again where the answer is too short; empty: it is not."""
    while True:
        err.print(
            tr("Why is {code} acceptable here? (empty: do not add the service) ", code=code), end="", markup=False
        )
        reason = answer()
        if not reason or len(reason) >= SHORTEST_REASON:
            return reason
        err.print(tr("a reason has at least {least} characters", least=SHORTEST_REASON))


def _ask_kinds(candidate: Candidate, undecided: Sequence[str]) -> dict[str, str]:
    """Ask which tools without a hint only read; an empty answer leaves them as writing."""
    while True:
        err.print(
            tr(
                "Which tools without a hint only read? Names, get_* or * for all, empty for none ({names}): ",
                names=", ".join(undecided),
            ),
            end="",
            markup=False,
        )
        names = re.split(r"[\s,，、]+", answer())
        names = [name for name in names if name]
        if not (wrong := [name for name in names if not tool_kinds.matching(undecided, [name])]):
            return tool_kinds.decisions(candidate.contract, read=tool_kinds.matching(undecided, names))
        err.print(tr("there is no such tool: {names}", names=", ".join(wrong)), markup=False)


def _plain(text: str) -> str:
    """Return a publisher's words as one line of printable characters."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())
