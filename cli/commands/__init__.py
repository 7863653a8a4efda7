"""The commands: options, messages and exit codes, a module per family."""
