#!/usr/bin/env python3
"""Measures strata against itself: what a run spends outside the encoder, and what early exit saves.

    .venv-bench/bin/python bench/overhead.py [--rows 5000] [--compute float32,bfloat16]

Every figure comes from `--report` and from the clock around the process. See bench/README.md.
"""

import argparse
import json
from pathlib import Path
from statistics import median

import contenders
import machine
import workload

REPOSITORY = Path(__file__).resolve().parent.parent
DEPTHS = [0, 3, 6, 12]  # 0: the embeddings alone, so hardly anything but the other stages


def main() -> None:
    options = arguments()
    options.data.mkdir(parents=True, exist_ok=True)
    model = workload.model(options.data / "bert-base", options.tokenizer)
    figures = machine.begin(REPOSITORY, options.threads) | {"long": {}, "depths": {}}
    target = machine.results(options.results, figures, "overhead")
    long, short = (
        workload.corpus(options.data, model / "tokenizer.json", rows)
        for rows in (options.rows, options.depth_rows)
    )
    for compute in options.compute.split(","):
        try:
            figures["long"][compute] = run(options, model, compute, [0, 3, 7, 12], long)
            figures["depths"][compute] = depths(options, model, compute, short)
        except contenders.Failed as failure:
            print(f"{compute}: {failure}")
            figures["long"].pop(compute, None)
        target.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    page = markdown(figures, options)
    target.with_suffix(".md").write_text(page)
    print(page)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures what a run spends outside the encoder.")
    parser.add_argument("--rows", type=int, default=5000, help="documents of the long run")
    parser.add_argument("--depth-rows", type=int, default=300, help="documents of the runs to several depths")
    parser.add_argument("--rounds", type=int, default=3, help="turns of every depth")
    parser.add_argument("--compute", default="float32,bfloat16")
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--strata", type=Path, default=REPOSITORY / "target/release/strata")
    parser.add_argument("--tokenizer", type=Path, default=REPOSITORY / ".models/all-MiniLM-L6-v2")
    parser.add_argument("--data", type=Path, default=REPOSITORY / "target/bench", help="corpus and model")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "bench/results")
    return parser.parse_args()


def run(options, model: Path, compute: str, layers: list[int], corpus: Path) -> dict:
    out = options.data / "out"
    out.mkdir(exist_ok=True)
    settings = {"model": str(model), "layers": layers, "threads": options.threads}
    strata = contenders.Strata(f"overhead-{compute}", options.strata, settings, out, compute, {})
    strata.start()
    return strata.run(corpus)


def depths(options, model: Path, compute: str, corpus: Path) -> dict:
    """Runs that stop at several layers, by turns."""
    runs = {depth: [] for depth in DEPTHS}
    for _ in range(options.rounds):
        for depth in DEPTHS:
            runs[depth].append(run(options, model, compute, [depth], corpus))
    return {
        depth: {what: median(r[what] for r in of_depth) for what in ("whole", "loop", "peak_memory_bytes")}
        | {"tokens": of_depth[0]["tokens"], "tokenize": median(r["tokenize"] for r in of_depth)}
        for depth, of_depth in runs.items()
    }


def markdown(figures: dict, options) -> str:
    described = figures["machine"]
    lines = [
        f"# Outside the encoder, {figures['date']}: {described['cpu']}, {described['cores']} cores\n",
        f"BERT-base shapes, {figures['threads']} threads, commit {described['commit']}, load average "
        f"{figures['load_before']} before.\n",
        f"## {options.rows:,} documents, layers 0, 3, 7, 12\n",
        "| | whole s | encode stage s | outside it (wanted: ≤ 5 %) | encode waited s | tokens/s, encoding "
        "| tokens/s, tokenizing beside it | tokenizing ÷ encoding (wanted: ≥ 20) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for compute, r in figures["long"].items():
        encoding, tokenizing = r["tokens"] / r["loop"], r["tokens"] / r["tokenize"]
        lines.append(
            f"| {compute} | {r['whole']:.1f} | {r['loop']:.1f} | {100 * (1 - r['loop'] / r['whole']):.1f} % "
            f"| {r['stages']['encode']['waiting_seconds']:.2f} | {encoding:.0f} | {tokenizing:.0f} "
            f"| {tokenizing / encoding:.0f} |"
        )
    lines += [
        f"\n## `--layers N`, {options.depth_rows} documents, medians of {options.rounds}\n",
        "| | N | whole s | ÷ whole of 12 | encode stage s | ÷ encode of 12 | tokens/s, tokenizing | peak memory |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for compute, of_depth in figures["depths"].items():
        full = of_depth[DEPTHS[-1]]
        lines += [
            f"| {compute} | {depth} | {r['whole']:.2f} | {r['whole'] / full['whole']:.2f} | {r['loop']:.2f} "
            f"| {r['loop'] / full['loop']:.2f} | {r['tokens'] / r['tokenize']:.0f} "
            f"| {r['peak_memory_bytes'] / 2**20:.0f} MiB |"
            for depth, r in of_depth.items()
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
