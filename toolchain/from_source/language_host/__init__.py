"""A Pulumi language host for Python: the program that `pulumi` starts to run a Python program.

It replaces the official `pulumi-language-python` where that cannot be downloaded. Set-up copies this package into a
separate virtual environment, so nothing here may import the rest of the toolchain.
"""

VERSION = "1.0.0"
