"""Tells which of the stacks' files is not valid YAML, after reading of some file failed."""

from __future__ import annotations

from pathlib import Path

import yaml

from infra.schema.problems import ConfigurationError, Problem


def error_in(root: Path) -> ConfigurationError | None:
    """Return an error that names each stack file in `root` that is not valid YAML, with the line; None if all are.

    The text of the file is not repeated, as it may contain a secret.
    """
    problems = []
    for file in sorted(root.glob("Pulumi*.yaml")):
        try:
            yaml.safe_load(file.read_text(encoding="utf-8-sig"))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            reason = error.problem or error.context or type(error).__name__
            line = None if mark is None else mark.line + 1
            problems.append(Problem("not_yaml", file.name, parameters={"reason": reason}, line=line))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            problems.append(Problem("not_yaml", file.name, parameters={"reason": type(error).__name__}))
        except OSError:
            continue
    return ConfigurationError(*problems) if problems else None
