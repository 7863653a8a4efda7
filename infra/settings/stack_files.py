"""Names the files of the stacks and the namespace of their keys."""

NAMESPACE = "dyber"


def stack_file(stack: str) -> str:
    """Return the name of a stack's configuration file."""
    return f"Pulumi.{stack}.yaml"
