"""Chooses the version of an npm package that was published before a moment, by npm's own rules."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cli.services.sources import ages, builders
from cli.services.sources.packages import SourceError
from messages import tr

#: Reads what npm knows of a package from a file, and prints the version that npm would install.
_SCRIPT = """
const [pick, file, wanted, before] = process.argv.slice(1);
const known = JSON.parse(require("fs").readFileSync(file));
const versions = Object.fromEntries([].concat(known.versions).map((version) => [version, { version }]));
const about = { name: known.name, versions, time: known.time, "dist-tags": known["dist-tags"] || {} };
console.log(require(pick)(about, wanted, { before: new Date(before) }).version);
"""


def chosen(npm: Sequence[str], about: Mapping[str, Any], wanted: str, before: datetime) -> str:
    """Return the version that npm takes for `wanted`, a version, range or tag, of what was published until `before`.

    `about` is what the registry says: `name`, `versions`, `time` and `dist-tags`. Raises SourceError.
    """
    name = str(about.get("name"))
    if not isinstance(about.get("time"), Mapping):
        raise ages.too_young(tr("the registry does not say when {package} was published", package=name), before)
    picker = Path(npm[1]).parents[1] / "node_modules" / "npm-pick-manifest"
    with tempfile.TemporaryDirectory(prefix="dyber-npm-") as temporary:
        file = Path(temporary) / "about.json"
        file.write_text(json.dumps(about), encoding="utf-8")
        command = [npm[0], "-e", _SCRIPT, str(picker), str(file), wanted, ages.written(before)]
        try:
            return builders.run(command, builders.npm_environment(), what=name).strip()
        except SourceError:
            message = tr("no version of {package} is old enough", package=f"{name}@{wanted}")
            raise ages.too_young(message, before) from None
