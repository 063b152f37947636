#!/usr/bin/env python3
"""Measures one build of strata against another: the same runs, in turn.

    .venv-readers/bin/python bench/against.py --before PROGRAM --after PROGRAM [--rows 100] [--rounds 5]

Documents are those of the race, the model has BERT-base's shapes and random weights. `long` runs are whole runs from
start to exit and the encoder's share of them, `short` ones a single row: what starting and ending cost. See
bench/README.md.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.parquet as pq

import machine
import workload

REPOSITORY = Path(__file__).resolve().parent.parent
BERT_BASE = {
    "model_type": "bert", "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 12, "vocab_size": 30522, "max_position_embeddings": 512, "type_vocab_size": 2,
    "layer_norm_eps": 1e-12, "hidden_act": "gelu", "pad_token_id": 0,
}  # fmt: skip


def main() -> None:
    options = arguments()
    figures = machine.begin(REPOSITORY, options.threads) | {"rounds": []}
    folder = Path(tempfile.mkdtemp(prefix="strata-against-"))
    try:
        model = folder / "model"
        model.mkdir()
        (model / "config.json").write_text(json.dumps(BERT_BASE))
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(options.tokenizer / name, model)
        inputs = {"long": workload.corpus(folder, model / "tokenizer.json", options.rows), "short": folder / "one.parquet"}
        pq.write_table(pa.table({"text": ["The cat sat on the mat."]}), inputs["short"])
        for turn in range(options.rounds):
            order = ["before", "after"] if turn % 2 == 0 else ["after", "before"]
            figures["rounds"].append({})
            for compute in options.compute.split(","):
                for kind, corpus in inputs.items():
                    for name in order:
                        seconds = run(getattr(options, name), folder, model, corpus, compute, options.threads)
                        figures["rounds"][-1][f"{compute} {kind} {name}"] = seconds
    finally:
        shutil.rmtree(folder)
    target = machine.results(options.results, figures, "against")
    target.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    page = markdown(figures, options)
    target.with_suffix(".md").write_text(page)
    print(page)


def run(program: Path, folder: Path, model: Path, corpus: Path, compute: str, threads: int) -> dict:
    out, report = folder / "out", folder / "report.json"
    shutil.rmtree(out, ignore_errors=True)
    command = [program, "run", "--input", corpus, "--model", model, "--random-weights", "7", "--output", out]
    command += ["--layers", "0,3,7,12", "--compute", compute, "--threads", str(threads), "--progress", "never"]
    command += ["--report", report]
    start = time.monotonic()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - start
    stages = json.loads(report.read_text())["stages"]
    return {"whole": round(seconds, 3), "encode": round(stages["encode"]["busy_seconds"], 3)}


def markdown(figures: dict, options: argparse.Namespace) -> str:
    described = figures["machine"]
    lines = [
        f"# One build against another, {figures['date']}: {described['cpu']}, {described['cores']} cores",
        "",
        f"{options.rows} documents and one row, BERT-base's shapes, {figures['threads']} threads, {options.rounds} rounds in "
        f"turn; before: {options.names[0]}, after: {options.names[1]}. Ratios are after ÷ before, round by round.",
        "",
        "| run | before s | after s | ratio, median | ratios |",
        "|---|---|---|---|---|",
    ]
    for compute in options.compute.split(","):
        for kind, part in (("long", "whole"), ("long", "encode"), ("short", "whole")):
            of = {name: [turn[f"{compute} {kind} {name}"][part] for turn in figures["rounds"]] for name in ("before", "after")}
            ratios = sorted(after / before for before, after in zip(of["before"], of["after"]))
            lines.append(
                f"| {compute}, {kind}, {part} | {median(of['before']):.2f} | {median(of['after']):.2f} "
                f"| {median(ratios):.2f} | {', '.join(f'{ratio:.2f}' for ratio in ratios)} |"
            )
    return "\n".join(lines) + "\n"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures one build against another.")
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--after", type=Path, required=True)
    parser.add_argument("--names", nargs=2, default=["before", "after"], help="what the table calls them, such as commits")
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compute", default="float32,bfloat16")
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--tokenizer", type=Path, default=REPOSITORY / ".models/all-MiniLM-L6-v2")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "bench/results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
