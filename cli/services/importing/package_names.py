"""Takes the names of packages apart: npm, PyPI, Go modules and images, with the version that is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement

from cli.services.importing.requests import RefusedError, Remark, remark
from messages import mark

_NPM_NAME = re.compile(r"(@[a-z0-9~][\w.~-]*/)?[a-z0-9~][\w.~-]*", re.IGNORECASE)
_GO_MODULE = re.compile(r"[a-z0-9.-]+\.[a-z]{2,}(/[\w.~-]+)*", re.IGNORECASE)
_IMAGE_PART = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?P<repository>{_IMAGE_PART}(?::\d+(?=/))?(?:/{_IMAGE_PART})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
#: What is not in a registry, so that nothing says by a hash what it contains.
_ELSEWHERE = re.compile(
    r"(?i)^(github|gitlab|bitbucket|gist|git|git\+\w+|ssh|https?|file|link|workspace):|^\.{0,2}[/\\]|^\.{1,2}$|^~|^[a-z]:\\|\.(tgz|tar\.gz|whl|zip)$"
)
_ACCEPTED = remark(
    mark("give a package of a registry: npm:NAME, pypi:NAME, go:MODULE, oci:IMAGE, or the address of a remote server")
)


@dataclass(frozen=True)
class PackageName:
    """A package's name, the version that is asked for ("" for the newest), and extras of a Python package."""

    name: str
    version: str = ""
    extras: tuple[str, ...] = ()


def npm(text: str) -> PackageName:
    """Take `@scope/name@version` apart. Raises RefusedError for what no npm registry has."""
    text = re.sub(r"^[^@]+@npm:", "", text.strip())
    name, _, version = text.rpartition("@") if text.rfind("@") > 0 else (text, "", "")
    if version and _ELSEWHERE.search(version):
        raise not_in_a_registry(text)
    if _ELSEWHERE.search(text) or re.fullmatch(r"[^@/]+/[^/]+", name):
        raise not_in_a_registry(text)
    if not _NPM_NAME.fullmatch(name) or not re.fullmatch(r"[\w.^~<>=|* +-]*", version):
        raise _unreadable(text, "npm:@scope/name@1.2.3")
    return PackageName(name, version)


def pypi(text: str) -> PackageName:
    """Take `name[extra]==1.2` or `name@1.2` apart. Raises RefusedError for what no Python package index has."""
    text = text.strip()
    if _ELSEWHERE.search(text) or re.search(r"@\s*(git\+|\w+://|\.|/)", text):
        raise not_in_a_registry(text)
    name, at, version = text.partition("@")
    version = version.strip()
    try:
        requirement = Requirement(name.strip() if at else text)
    except InvalidRequirement:
        raise _unreadable(text, "pypi:name==1.2.3") from None
    if not at:
        version = str(requirement.specifier)
        if re.fullmatch(r"==[^*,]+", version):
            version = version.removeprefix("==")
    elif not re.fullmatch(r"[\w.!+*-]+", version):
        raise _unreadable(text, "pypi:name==1.2.3")
    return PackageName(requirement.name, version, tuple(sorted(requirement.extras)))


def requirement(text: str) -> str:
    """Return a further requirement of a Python server, such as `mcp<2`. Raises RefusedError."""
    package = pypi(text)
    extras = f"[{','.join(package.extras)}]" if package.extras else ""
    exact = package.version and package.version[0] not in "<>=!~"
    return f"{package.name}{extras}{'==' * bool(exact)}{'' if package.version == 'latest' else package.version}"


def go(text: str) -> PackageName:
    """Take `module/package@v1.2.3` apart. Raises RefusedError."""
    text = text.strip()
    if _ELSEWHERE.search(text):
        raise not_in_a_registry(text)
    name, _, version = text.partition("@")
    if not _GO_MODULE.fullmatch(name.rstrip("/")) or not re.fullmatch(r"[\w.+-]*", version):
        raise _unreadable(text, "go:github.com/owner/module@v1.2.3")
    return PackageName(name.rstrip("/"), version)


def oci(text: str) -> PackageName:
    """Take `registry/image:tag@sha256:…` apart; a digest is the version if there is one. Raises RefusedError."""
    text = text.strip().removeprefix("docker.io/library/")
    match = _IMAGE.fullmatch(text.removeprefix("docker://"))
    if not match:
        raise _unreadable(text, "oci:registry.example/image:1.2.3")
    return PackageName(match["repository"], match["digest"] or match["tag"] or "")


def not_in_a_registry(text: str) -> RefusedError:
    """Return the refusal of a source that is no package of a registry, so that no hash says what it contains."""
    return RefusedError(
        remark(
            mark("{source} is not a package of a registry, so nothing can be locked by its hash"), source=shown(text)
        ),
        _ACCEPTED,
    )


def shown(text: str) -> str:
    """Return a source for a message: without a password, a query or more than a line's worth of text."""
    plain = re.sub(r"//[^/@]*@", "//", re.split(r"[?#]", text.strip())[0])
    plain = "".join(character if character.isprintable() else "�" for character in plain)
    return plain if len(plain) <= 100 else plain[:99] + "…"


def _unreadable(text: str, example: str) -> RefusedError:
    return RefusedError(
        remark(mark("{source!r} is not the name of a package"), source=shown(text)),
        remark(mark("write it like {example}"), example=example),
    )


def accepted_sources() -> Remark:
    """Return the sentence that says which sources there are."""
    return _ACCEPTED
