#!/bin/sh
# Finds a Python and runs cli/bootstrap.py, which makes the virtual environment and runs the dyber command. The virtual
# environment's Python comes first, as a system may have a wrapper in front of Python that takes long to start.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
for python in "$here/.venv/bin/python" python3 python3.13 python3.12 python3.11 python3.14; do
    if command -v "$python" >/dev/null 2>&1 &&
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        exec "$python" "$here/cli/bootstrap.py" "$@"
    fi
done
echo "需要 Python 3.11 或更高版本：Debian/Ubuntu 请运行 apt-get install python3 python3-venv" >&2
echo "Python 3.11 or newer is needed: https://www.python.org/downloads/" >&2
exit 2
