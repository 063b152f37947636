#!/usr/bin/env python3
"""Makes a virtual environment that holds what a requirements file asks for.

    venv.py FOLDER REQUIREMENTS

The environment keeps a copy of the requirements it was made from. While the two agree nothing is
done; where they differ, or the copy is missing because a call was interrupted, it is made anew.
"""

import subprocess
import sys
from pathlib import Path

STAMP = "strata-requirements.txt"


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, requirements = Path(sys.argv[1]).absolute(), Path(sys.argv[2])
    if not requirements.is_file():
        sys.exit(f"error: there is no requirements file {requirements}")
    wanted = requirements.read_text()
    stamp, python = folder / STAMP, folder / "bin" / "python"
    if stamp.is_file() and stamp.read_text() == wanted and python.exists():
        return

    if folder.exists() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").is_file():
        sys.exit(
            f"error: {folder} is no virtual environment, so it is not replaced by one\n"
            "hint: remove it, or name another folder"
        )

    # Scripts inside an environment name its folder, so it cannot be built elsewhere and renamed:
    # the stamp, written last, is what makes it whole. `--clear` empties an unfinished one first;
    # `-I` keeps this file from standing in for the standard module of its name.
    subprocess.run([sys.executable, "-I", "-m", "venv", "--clear", str(folder)], check=True)
    print(f"installing {requirements} into {folder}", file=sys.stderr)
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--only-binary=:all:", "--requirement", str(requirements)],
        check=True,
    )
    stamp.write_text(wanted)


if __name__ == "__main__":
    main()
