"""`python -m … [options] ENGINE_ADDRESS`: print the port, serve until told to stop."""

import os
import sys

from .server import serve

code = serve(sys.argv[1:])
sys.stdout.flush()
os._exit(code)  # gRPC worker threads still blocked in a call must not hold the engine up
