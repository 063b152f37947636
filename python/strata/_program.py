"""The program on the PATH."""

import sys
from collections.abc import Iterator

from strata import _strata


def main() -> None:
    """Runs the command line; it ends the process with the program's own exit code."""
    _strata.program(["strata", *sys.argv[1:]], _on_ray)


def _on_ray(order: str, parts: list[tuple[str, int, int]]) -> Iterator[tuple[int, int, dict[str, str]]]:
    """Has parts made on a Ray cluster. Imports it when it is asked for: all other commands go without."""
    from strata.ray import make

    return make(order, parts)
