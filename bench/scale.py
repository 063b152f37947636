#!/usr/bin/env python3
"""Measures how time grows with parts and with rows, and reckons what a large corpus takes from it.

    .venv-bench/bin/python bench/scale.py [--parts 100,1000,10000,100000] [--rows 10000,100000,1000000,10000000]

Files of one row, and one file of many distinct short rows, by the tiny model of the tests, so that nearly all time is that
of files and rows; each run is followed by two that find everything finished, and by `strata verify`. The encoder's own
speed is that of the newest race, or `--tokens-per-second`. See bench/README.md.
"""

import argparse
import json
import math
import shutil
import subprocess
import time
from pathlib import Path
from statistics import median

import machine
import plot
import summary
import workload

REPOSITORY = Path(__file__).resolve().parent.parent
STARTS = 5
#: Read aloud: everyone starts and looks at every file; then whoever has the most parts is the last.
FORMULA = "start + files × file + ⌈parts ÷ workers⌉ × (part + rows of a part × (row + tokens of a row ÷ tokens per second))"


def main() -> None:
    options = arguments()
    figures = machine.begin(REPOSITORY, options.threads)
    figures |= {"row_tokens": options.row_tokens, "start": None, "parts": {}, "rows": {}, "corpus": None}
    target = machine.results(options.results, figures, "scale")
    folder = options.data / "scale"
    try:
        one = workload.files_of_one_row(folder / "one", 1)
        figures["start"] = median(run(options, one, folder / f"start-{turn}")["seconds"] for turn in range(STARTS))
        for kind, numbers in (("parts", options.parts), ("rows", options.rows)):
            for number in numbers:
                figures[kind][str(number)] = found = measure(options, made(options, folder, kind, number), folder / "out")
                print(f"{number:,} {kind}: {found}", flush=True)
                save(figures, target)
                shutil.rmtree(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures["corpus"] = corpus(figures, options)
    save(figures, target)
    plot.draw_scale({kind: curve(figures, kind) for kind in ("parts", "rows") if figures[kind]}, target.with_suffix(".svg"))
    page = markdown(figures, target.with_suffix(".svg").name)
    target.with_suffix(".md").write_text(page)
    print(page)


def made(options: argparse.Namespace, folder: Path, kind: str, number: int) -> Path:
    if kind == "parts":
        return workload.files_of_one_row(folder / "files", number)
    return workload.many_rows(folder / "rows.parquet", number, options.row_tokens)


def measure(options: argparse.Namespace, inputs: Path, out: Path) -> dict:
    """A run, the same twice more, and a check of what is there."""
    first, again, once_more = (run(options, inputs, out) for _ in range(3))
    start = time.monotonic()
    subprocess.run([options.strata, "verify", out], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    verify = round(time.monotonic() - start, 2)
    written = sum(file.stat().st_size for file in (out / "data").iterdir())
    return first | {"again": again["seconds"], "once_more": once_more["seconds"], "verify": verify, "bytes": written}


def run(options: argparse.Namespace, inputs: Path, out: Path) -> dict:
    report = out.with_suffix(".json")
    command = [options.strata, "run", "--input", inputs, "--output", out, "--model", workload.TINY_BERT]
    command += ["--text", "text", "--threads", str(options.threads), "--progress", "never", "--report", report]
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = round(time.monotonic() - start, 3)
    told = json.loads(report.read_text())
    busy = {name: stage["busy_seconds"] for name, stage in told["stages"].items()}
    return {"seconds": seconds, "busy": busy, "tokens": told["tokens"], "peak_memory_bytes": told["peak_memory_bytes"]}


def curve(figures: dict, kind: str) -> list[tuple[int, float]]:
    return [(int(number), found["seconds"]) for number, found in figures[kind].items()]


def slope(of_kind: dict, what: str) -> float:
    """Seconds of one more, between the two largest."""
    numbers = list(of_kind)[-2:]
    (few, before), (many, after) = ((int(number), of_kind[number][what]) for number in (numbers[0], numbers[-1]))
    return (after - before) / (many - few) if many > few else after / many


def corpus(figures: dict, options: argparse.Namespace) -> dict | None:
    """Constants, and what a corpus of that many rows takes of so many workers, in seconds."""
    speed = encoder(options)
    if speed is None or not (figures["parts"] and figures["rows"]):
        print("no table of a large corpus: it needs parts, rows, and a race or --tokens-per-second")
        return None
    constants = {
        "start": speed["start"] or figures["start"],
        "file": slope(figures["parts"], "again"),
        "part": slope(figures["parts"], "seconds"),
        "row": slope(figures["rows"], "seconds"),
        "tokens_per_second": speed["tokens_per_second"],
    }
    files = math.ceil(options.corpus_rows / options.file_rows)
    parts = files * math.ceil(options.file_rows / options.part_rows)
    work = {
        "rows": options.corpus_rows, "files": files, "parts": parts, "part_rows": options.part_rows,
        "row_tokens": options.corpus_tokens, "speed_of": speed["of"],
    }
    takes = {}
    for workers in options.workers:
        turns = math.ceil(parts / workers)
        rows = turns * min(options.part_rows, options.file_rows)
        of = {
            "start": constants["start"],
            "files": files * constants["file"],
            "parts": turns * constants["part"],
            "rows": rows * constants["row"],
            "encoder": rows * options.corpus_tokens / constants["tokens_per_second"],
        }
        takes[str(workers)] = of | {"wall": sum(of.values())}
    return {"constants": constants, "work": work, "workers": takes}


def encoder(options: argparse.Namespace) -> dict | None:
    """Tokens per second of the encode stage, and how long starting with that model takes."""
    if options.tokens_per_second:
        return {"tokens_per_second": options.tokens_per_second, "start": None, "of": "as given"}
    raced = summary.newest_race(options.results, texts="documents", model="bert-base")
    if raced is None or "strata" not in raced["contenders"] or not raced["contenders"]["strata"]["runs"]:
        return None
    runs = raced["contenders"]["strata"]["runs"]
    return {
        "tokens_per_second": median(each["tokens"] / each["loop"] for each in runs),
        "start": median(each["whole"] - each["loop"] for each in runs),
        "of": f"BERT-base, float32, the race of {raced['date']} on {raced['machine']['cpu']}, {raced['workload']['threads']} threads",
    }


def save(figures: dict, target: Path) -> None:
    target.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")


def markdown(figures: dict, picture: str) -> str:
    described = figures["machine"]
    lines = [
        f"# Scale, {figures['date']}: {described['cpu']}, {described['cores']} cores\n",
        f"The model `tiny-bert`, {figures['threads']} threads, commit {described['commit']}, load average "
        f"{figures['load_before']} before. A run over one row takes {figures['start']:.2f} s. "
        "Linear is where the time grows as much as the number; *again* finds everything finished and reads the parts, "
        "*once more* knows them.\n",
        f"![seconds against parts and rows]({picture})",
    ]
    for kind, words in (("parts", "Files of one row, a part each"), ("rows", f"One file of distinct rows of {figures['row_tokens']} tokens")):
        if figures[kind]:
            lines += ["", *growth_table(figures[kind], kind, words)]
    if figures["corpus"]:
        lines += ["", *corpus_table(figures["corpus"])]
    return "\n".join(lines) + "\n"


def growth_table(of_kind: dict, kind: str, words: str) -> list[str]:
    lines = [
        f"## {words}\n",
        f"| {kind} | run s | {kind}/s | µs each | number × | time × | again s | once more s | verify s | peak memory | written |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    before = None
    for number, found in of_kind.items():
        count, seconds = int(number), found["seconds"]
        grown = f"{count / before[0]:.1f} | {seconds / before[1]:.1f}" if before else " | "
        lines.append(
            f"| {count:,} | {seconds:.2f} | {count / seconds:,.0f} | {1e6 * seconds / count:,.1f} | {grown} "
            f"| {found['again']:.2f} | {found['once_more']:.2f} | {found['verify']:.2f} "
            f"| {found['peak_memory_bytes'] / 2**20:.0f} MiB | {found['bytes'] / 2**20:,.0f} MiB |"
        )
        before = count, seconds
    return lines


def corpus_table(figures: dict) -> list[str]:
    constants, work = figures["constants"], figures["work"]
    lines = [
        f"## {work['rows']:,} rows, reckoned\n",
        f"{work['row_tokens']} tokens a row, {work['files']:,} files, {work['parts']:,} parts of up to {work['part_rows']:,} rows; "
        f"a worker is a machine like this one. Encoder: {work['speed_of']}.\n",
        f"    {FORMULA}\n",
        "| constant | | measured as |",
        "|---|---|---|",
        f"| start | {constants['start']:.2f} s | a run's time outside the encode stage, the model's loading in it |",
        f"| file | {1e6 * constants['file']:.1f} µs | what one more file adds to a run that finds everything finished |",
        f"| part | {1e6 * constants['part']:.1f} µs | what one more file of one row adds to a run |",
        f"| row | {1e6 * constants['row']:.2f} µs | what one more row adds to a run, the tiny model's own work in it |",
        f"| tokens per second | {constants['tokens_per_second']:,.0f} | {work['speed_of']} |",
        "",
        "| workers | start | files | parts | rows | encoder | wall time | outside the encoder |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for workers, takes in figures["workers"].items():
        cells = [duration(takes[what]) for what in ("start", "files", "parts", "rows", "encoder", "wall")]
        outside = 100 * (1 - takes["encoder"] / takes["wall"])
        lines.append(f"| {int(workers):,} | {' | '.join(cells)} | {outside:.2f} % |")
    return lines


def duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def arguments() -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return sorted(int(number) for number in text.split(",") if number)

    parser = argparse.ArgumentParser(description="Measures how time grows with parts and rows.")
    parser.add_argument("--parts", type=numbers, default="100,1000,10000,100000", help="files of one row; '' for none")
    parser.add_argument("--rows", type=numbers, default="10000,100000,1000000,10000000", help="rows of one file; '' for none")
    parser.add_argument("--row-tokens", type=int, default=25, help="of every row of the one file, 7 to 48")
    parser.add_argument("--tokens-per-second", type=float, help="the encoder's speed (default: of the newest race)")
    parser.add_argument("--workers", type=numbers, default="1,10,1000", help="of the large corpus")
    parser.add_argument("--corpus-rows", type=int, default=10**9)
    parser.add_argument("--corpus-tokens", type=int, default=25, help="of a row of the large corpus")
    parser.add_argument("--file-rows", type=int, default=10**6, help="of a file of the large corpus")
    parser.add_argument("--part-rows", type=int, default=5000, help="of a part; as strata chooses for four layers of 768")
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--strata", type=Path, default=REPOSITORY / "target/release/strata")
    parser.add_argument("--data", type=Path, default=REPOSITORY / "target/bench", help="what is made, and removed again")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "bench/results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
