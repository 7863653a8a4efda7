"""The `dyber` command: set-up, deployment and everyday tasks around the Pulumi program."""
