import subprocess
import sys
from pathlib import Path

import strata

PROGRAM = Path(sys.executable).parent / "strata"


def test_the_program_is_beside_python_and_tells_its_version():
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[0] == f"strata {strata.__version__}"
    assert "libtorch: none" in said


def test_its_exit_codes_and_messages_come_through(tmp_path):
    done = subprocess.run([PROGRAM, "inspect", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 78 and done.stderr.startswith("error: ")


def test_a_signal_ends_it_as_the_program_says(tmp_path):
    child = subprocess.Popen(
        [PROGRAM, "run", "--input", "-", "--model", "tests/fixtures/tiny-bert", "--output", tmp_path / "out"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    import time

    time.sleep(2)
    child.terminate()
    assert child.wait(timeout=30) == 128 + 15
    child.stdin.close()
    assert b"interrupted by SIGTERM" in child.stderr.read()
