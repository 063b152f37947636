#!/usr/bin/env python3
"""Measures what many parts cost: a run over files of one row, the same run again, and again once more.

    .venv-readers/bin/python bench/parts.py [--files 1000,2000,10000,20000]

The model is the tiny one of the tests, so that nearly all time is that of files. See bench/README.md.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pyarrow
import pyarrow.parquet

import machine

REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures what many parts cost.")
    parser.add_argument("--files", default="1000,2000,10000,20000")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--strata", type=Path, default=REPOSITORY / "target/release/strata")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "bench/results")
    options = parser.parse_args()
    figures = machine.begin(REPOSITORY, options.threads) | {"files": {}}
    for files in map(int, options.files.split(",")):
        figures["files"][files] = measure(options, files)
        print(files, figures["files"][files], flush=True)
    target = machine.results(options.results, figures, "parts")
    target.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    page = markdown(figures)
    target.with_suffix(".md").write_text(page)
    print(page)


def measure(options: argparse.Namespace, files: int) -> dict:
    folder = Path(tempfile.mkdtemp(prefix="strata-parts-"))
    try:
        (folder / "in").mkdir()
        for number in range(files):
            rows = pyarrow.table({"id": [number], "text": [f"the cat {number} sat on the dog"]})
            pyarrow.parquet.write_table(rows, folder / "in" / f"{number:06}.parquet")
        command = [options.strata, "run", "--input", folder / "in", "--output", folder / "out"]
        command += ["--model", REPOSITORY / "tests/fixtures/tiny-bert", "--threads", str(options.threads)]
        command += ["--progress", "never", "--report", folder / "report.json"]
        seconds, peaks = [], []
        for _ in range(3):
            start = time.monotonic()
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            seconds.append(round(time.monotonic() - start, 2))
            peaks.append(json.loads((folder / "report.json").read_text())["peak_memory_bytes"] >> 20)
        return {"run": seconds[0], "again": seconds[1], "once_more": seconds[2], "peak_mib": max(peaks)}
    finally:
        shutil.rmtree(folder)


def markdown(figures: dict) -> str:
    described = figures["machine"]
    lines = [
        f"# Many parts, {figures['date']}: {described['cpu']}, {described['cores']} cores",
        "",
        f"Files of one row, the model `tiny-bert`, {figures['threads']} threads, commit {described['commit']}, "
        f"load average {figures['load_before']} before.",
        "",
        "| files | run s | ms a part | again s (parts are read) | once more s (parts are known) | peak memory |",
        "|---|---|---|---|---|---|",
    ]
    for files, row in figures["files"].items():
        lines.append(
            f"| {files:,} | {row['run']} | {1000 * row['run'] / files:.1f} | {row['again']} | {row['once_more']} "
            f"| {row['peak_mib']} MiB |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
