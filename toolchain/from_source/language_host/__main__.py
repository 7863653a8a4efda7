"""Runs the language host: prints its port and serves until a signal.

Usage: python -m … [options] ENGINE_ADDRESS
"""

import os
import sys

from .server import serve

code = serve(sys.argv[1:])
sys.stdout.flush()
os._exit(code)  # otherwise gRPC threads that are blocked in a call would keep the engine waiting
