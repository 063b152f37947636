#!/usr/bin/env python3
"""Measures how long files take to be read, beside Polars and DuckDB.

    .venv-bench/bin/python bench/reading.py [--megabytes 1024] [--rounds 3]

Writes a table as JSON Lines, CSV and Parquet, and reads each with `crates/io/examples/read.rs` (the types found out, the
rows counted, every value read, as a run does), with Polars and with DuckDB (whole, types by their own rules). Each
reader is a process of its own, and they take turns. See bench/README.md.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parent.parent
WORDS = "the quick brown fox jumps over a lazy dog café naïve 猫 data vector model layer token sentence".split()
POLARS = {
    "jsonl": "polars.read_ndjson(path, infer_schema_length=None)",
    "csv": "polars.read_csv(path, infer_schema_length=None)",
    "parquet": "polars.read_parquet(path)",
}
DUCKDB = {
    "jsonl": "duckdb.sql(f\"from read_json('{path}', sample_size=-1)\").fetch_arrow_table()",
    "csv": "duckdb.sql(f\"from read_csv('{path}', sample_size=-1)\").fetch_arrow_table()",
    "parquet": "duckdb.sql(f\"from '{path}'\").fetch_arrow_table()",
}


def main() -> None:
    options = arguments()
    options.data.mkdir(parents=True, exist_ok=True)
    files = write(options.data, options.megabytes)
    # The selection of packages that `make build` has: another would build the dependencies again.
    packages = ["--package", "strata", "--package", "strata-io"]
    subprocess.run(["cargo", "build", "--release", *packages, "--example", "read"], cwd=REPOSITORY, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    reader = str(target / "release" / "examples" / "read")
    seconds = {}
    for _ in range(options.rounds):
        for kind, path in files.items():
            for name in ("strata", "strata, text alone", "polars", "duckdb"):
                seconds.setdefault((kind, name), []).append(once(name, kind, path, reader))
    print("| file | MiB | reader | seconds | MiB/s |\n|---|---|---|---|---|")
    for (kind, name), times in seconds.items():
        size = files[kind].stat().st_size / 2**20
        print(f"| {kind} | {size:.0f} | {name} | {median(times):.2f} | {size / median(times):.0f} |")


def once(name: str, kind: str, path: Path, reader: str) -> float:
    if name.startswith("strata"):
        command = [reader, str(path)] + (["--text", "text"] if "alone" in name else [])
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["all"]
    call = (POLARS if name == "polars" else DUCKDB)[kind]
    program = f"import {name}, sys, time; path = sys.argv[1]; begun = time.perf_counter(); {call}; print(time.perf_counter() - begun)"
    return float(subprocess.run([sys.executable, "-c", program, str(path)], check=True, capture_output=True, text=True).stdout)


def write(folder: Path, megabytes: int) -> dict[str, Path]:
    """The same rows in every format; about as many megabytes of JSON Lines as are asked for."""
    import polars

    files = {kind: folder / f"reading-{megabytes}.{kind}" for kind in POLARS}
    if all(path.exists() for path in files.values()):
        return files
    draw = random.Random(7)
    with files["jsonl"].open("w") as lines:
        number = 0
        while lines.tell() < megabytes << 20:
            text = " ".join(draw.choice(WORDS) for _ in range(draw.randint(5, 120)))
            row = {
                "id": number,
                "text": text if number % 9 else f'{text}, "quoted" and\nbroken',
                "score": draw.random(),
                "label": draw.choice(WORDS),
                "ok": number % 3 == 0,
                "at": f"2024-01-{number % 28 + 1:02} 10:30:{number % 60:02}",
            }
            # Half of the rows as Python writes them, with escapes.
            lines.write(json.dumps(row, ensure_ascii=number % 2 == 0) + "\n")
            number += 1
    table = polars.read_ndjson(files["jsonl"])
    table.write_csv(files["csv"])
    table.write_parquet(files["parquet"])
    return files


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=REPOSITORY / "target" / "bench")
    return parser.parse_args()


if __name__ == "__main__":
    main()
