"""The program on the PATH."""

import sys

from strata import _strata


def main() -> None:
    """Runs the command line; it ends the process with the program's own exit code."""
    _strata.program(["strata", *sys.argv[1:]])
