#!/usr/bin/env python3
"""One peer in a process of its own, so that no two libraries share thread pools or memory.

    worker.py NAME SETTINGS.json

Loads the peer and says `{"ready": ...}`; then each line of stdin names a corpus and an output file,
and is answered with one line of figures. Between two lines the process sleeps.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import peers
import workload

WARM_BATCHES = 3


def main() -> None:
    name, settings = sys.argv[1], json.loads(sys.argv[2])
    settings = peers.Settings(**{**settings, "model": Path(settings["model"]), "corpus": Path(settings["corpus"])})
    # Libraries chat on stdout; the answers have a descriptor to themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    start = time.perf_counter()
    peer = peers.PEERS[name](settings)
    answer(answers, {"ready": name, "versions": peer.versions, "load": time.perf_counter() - start})
    for line in sys.stdin:
        answer(answers, encode_file(name, peer, settings, **json.loads(line)))


def answer(to, figures: dict) -> None:
    print(json.dumps(figures), file=to, flush=True)


def encode_file(
    name: str, peer, settings: peers.Settings, corpus: str, output: str, warm: bool, batch_size: int
) -> dict:
    """The peer's whole job, each of its three steps by the clock."""
    clock = [time.perf_counter()]
    table = pq.read_table(corpus)
    texts = table.column("text").to_pylist()
    if hasattr(peer, "encode_texts"):
        batches = []
        clock.append(time.perf_counter())
        texts = sorted(texts, key=len)[-WARM_BATCHES * batch_size :] if warm else texts
        columns, layers = peer.encode_texts(texts, batch_size), settings.layers[-1:]
    else:
        token_ids = workload.token_ids(settings.model / "tokenizer.json", texts)
        batches = list(batched(token_ids, batch_size, name not in peers.INPUT_ORDER))
        clock.append(time.perf_counter())
        # The first batches are the longest: what they allocate suffices for the others.
        columns, layers = loop(peer, batches[:WARM_BATCHES] if warm else batches, len(texts)), settings.layers
    clock.append(time.perf_counter())
    if not warm:
        write(table.column("id"), columns, layers, output)
    clock.append(time.perf_counter())
    read, encode, written = (after - before for before, after in zip(clock, clock[1:]))
    return {
        "tokenize": read,
        "loop": encode,
        "write": written,
        "whole": clock[-1] - clock[0],
        "padded_tokens": sum(ids.size for _, ids, _ in batches) or None,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def batched(token_ids: list[list[int]], size: int, by_length: bool):
    """Rows, ids and mask, `[batch, seq]` in int64, of `size` rows at a time."""
    order = list(range(len(token_ids)))
    if by_length:
        order.sort(key=lambda row: -len(token_ids[row]))
    for first in range(0, len(order), size):
        rows = order[first : first + size]
        longest = max(len(token_ids[row]) for row in rows)
        ids = np.zeros((len(rows), longest), np.int64)  # 0 is [PAD]
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(token_ids[row])] = token_ids[row]
            mask[place, : len(token_ids[row])] = 1
        yield rows, ids, mask


def loop(peer, batches: list, rows: int) -> list[np.ndarray]:
    """The encoding loop: one `[rows, hidden]` per layer, in input order."""
    columns: list[np.ndarray] = []
    for members, ids, mask in batches:
        means = peer.encode(ids, mask)
        columns = columns or [np.zeros((rows, mean.shape[1]), np.float32) for mean in means]
        for column, mean in zip(columns, means):
            column[members] = mean
    return columns


def write(ids: pa.ChunkedArray, columns: list[np.ndarray], layers: list[int], output: str) -> None:
    """The file strata would write: fixed-size lists, byte-stream split, zstd."""
    arrays = {"id": ids}
    for layer, column in zip(layers, columns):
        values = pa.array(np.ascontiguousarray(column, np.float32).reshape(-1))
        arrays[f"layer_{layer}_mean"] = pa.FixedSizeListArray.from_arrays(values, column.shape[1])
    table = pa.table(arrays)
    leaves = [f"{name}.list.element" for name in table.column_names if name != "id"]
    pq.write_table(
        table, output, compression="zstd", compression_level=1, use_dictionary=False, write_statistics=False,
        column_encoding={leaf: "BYTE_STREAM_SPLIT" for leaf in leaves},
    )


if __name__ == "__main__":
    main()
