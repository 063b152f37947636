#!/usr/bin/env python3
"""How far float32 is from float64: strata's token vectors and transformers', for some layers.

    .venv-bench/bin/python bench/precision.py MODEL [MODEL ...]

A model is a folder; the documents are those of the race. Prints a table in Markdown.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from transformers import AutoModel

import workload

REPOSITORY = Path(__file__).resolve().parent.parent
ROWS = 16
HEADER = "| model | layer | largest value | strata, largest | mean | transformers, largest | mean |\n|---|---|---|---|---|---|---|"


def main() -> None:
    if not sys.argv[1:]:
        sys.exit(__doc__)
    print(HEADER)
    for model in map(Path, sys.argv[1:]):
        corpus = workload.corpus(REPOSITORY / "target/bench", model / "tokenizer.json", ROWS)
        token_ids = workload.token_ids(model / "tokenizer.json", pq.read_table(corpus).column("text").to_pylist())
        exact, single = (states(model, token_ids, dtype) for dtype in (torch.float64, torch.float32))
        depth = len(exact) - 1
        layers = [depth // 4, depth // 2, depth]
        ours = strata(model, corpus, layers)
        for layer in layers:
            figures = [f"{f(np.abs(of[layer] - exact[layer])):.1e}" for of in (ours, single) for f in (np.max, np.mean)]
            print(f"| {model.name} | {layer} | {np.abs(exact[layer]).max():.2f} | {' | '.join(figures)} |")


def states(model: Path, token_ids: list[list[int]], dtype: torch.dtype) -> list[np.ndarray]:
    """Every hidden state of every token, `[tokens, hidden]` per layer, each document alone."""
    encoder = AutoModel.from_pretrained(model, dtype=dtype).eval()
    with torch.inference_mode():
        documents = [encoder(torch.tensor([ids]), output_hidden_states=True).hidden_states for ids in token_ids]
    return [np.concatenate([state[0].double().numpy() for state in layer]) for layer in zip(*documents)]


def strata(model: Path, corpus: Path, layers: list[int]) -> dict[int, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        command = [REPOSITORY / "target/release/strata", "run", "--input", corpus, "--model", model, "--unit", "token"]
        command += ["--layers", ",".join(map(str, layers)), "--max-length", str(workload.MAX_TOKENS)]
        command += ["--output", f"{folder}/out", "--progress", "never"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        table = pq.read_table(sorted(Path(folder).glob("out/data/*.parquet")))
    return {layer: np.stack(table.column(f"layer_{layer}").to_numpy()) for layer in layers}


if __name__ == "__main__":
    main()
