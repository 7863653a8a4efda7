"""A Pulumi language host for Python: what `pulumi` starts to run a Python program.

Stands in for the official `pulumi-language-python` where that cannot be downloaded. Set-up copies this package into a
virtual environment of its own; nothing here may import the rest of the toolchain.
"""

VERSION = "1.0.0"
