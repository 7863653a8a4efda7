"""The commands of the command line: options, messages and exit codes, one module for each family."""
