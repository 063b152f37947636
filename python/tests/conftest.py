import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import strata

REPOSITORY = Path(__file__).resolve().parents[2]
FIXTURES = REPOSITORY / "tests" / "fixtures"
PROGRAM = Path(sys.executable).parent / "strata"
MINILM = REPOSITORY / ".models" / "all-MiniLM-L6-v2"

# Where a shell has started this in the background, Ctrl-C is nothing to Python.
signal.signal(signal.SIGINT, signal.default_int_handler)

TEXTS = ["The cat sat on the dog.", "", "hello world", "token " * 60, "The dog sat."]


@pytest.fixture
def tiny() -> Path:
    """A model of four layers of 20 values."""
    return FIXTURES / "tiny-bert"


@pytest.fixture
def program():
    """Runs the program that the package has put beside Python; returns what it says on stderr."""
    path = Path(strata.__file__).parent  # For the message only.
    command = shutil.which("strata", path=str(Path(__import__("sys").executable).parent))
    assert command, f"the package in {path} has put no program beside Python"

    def run(*arguments: object) -> str:
        return subprocess.run(
            [command, *map(str, arguments)], check=True, capture_output=True, text=True, cwd=REPOSITORY
        ).stderr

    return run


@pytest.fixture
def by_program(program, tmp_path):
    """The table that `strata run` writes of a table."""

    def run(table, *arguments: object):
        source = tmp_path / "in.parquet"
        pq.write_table(table, source)
        program("run", "--input", source, "--output", tmp_path / "out", *arguments)
        return pq.read_table(tmp_path / "out" / "data")

    return run
