#!/usr/bin/env python3
"""Measures what the doors cost: the same sentences by the program, in this process, on Ray, and by sentence-transformers on Ray.

    PYTHONPATH=python .venv-bench/bin/python bench/doors.py [--rows 20000] [--rounds 3]

The model is all-MiniLM-L6-v2, the column the mean of its last layer. Everyone reads the same Parquet file, loads the model and
writes Parquet files; the Ray cluster is there before the clock starts, and only while it is needed. `make test-python` builds the module that is imported. See
bench/README.md.
"""

import argparse
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer

import machine
import workload

REPOSITORY = Path(__file__).resolve().parent.parent
#: The lengths of the race's documents divided by this: 24 tokens in the middle, 90 at the long end.
SHORTER = 5
BATCH = 1024
FILES = 10


class SentenceTransformers:
    """What one writes oneself for `map_batches`."""

    def __init__(self, model: str, threads: int):
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads)
        self.model = SentenceTransformer(model, device="cpu")

    def __call__(self, batch: pa.Table) -> pa.Table:
        vectors = self.model.encode(batch["text"].to_pylist(), batch_size=32, show_progress_bar=False)
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
        return batch.append_column("sentence_embedding", column)


def main() -> None:
    options = arguments()
    figures = machine.begin(REPOSITORY, options.threads) | {"rows": options.rows, "rounds": []}
    folder = Path(tempfile.mkdtemp(prefix="strata-doors-"))
    try:
        corpus = sentences(folder, options)
        for turn in range(options.rounds):
            names = options.contenders if turn % 2 == 0 else options.contenders[::-1]
            times: dict[str, float] = {}
            alone, together = ([name for name in names if (name in ON_RAY) == on_ray] for on_ray in (False, True))
            times |= {name: timed(name, corpus, folder / "out", options) for name in alone}
            if together:
                with cluster(options):
                    times |= {name: timed(name, corpus, folder / "out", options) for name in together}
            figures["rounds"].append(times)
    finally:
        shutil.rmtree(folder)
    target = machine.results(options.results, figures, f"doors-{options.rows}")
    target.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    page = markdown(figures, options.contenders)
    target.with_suffix(".md").write_text(page)
    print(page)


@contextmanager
def cluster(options: argparse.Namespace) -> Iterator[None]:
    import ray

    ray.init(num_cpus=options.threads, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


def timed(name: str, corpus: Path, out: Path, options: argparse.Namespace) -> float:
    """The seconds that a contender takes."""
    shutil.rmtree(out, ignore_errors=True)
    start = time.monotonic()
    CONTENDERS[name](corpus, out, options)
    seconds = round(time.monotonic() - start, 2)
    print(name, seconds, flush=True)
    written = sum(pq.read_metadata(path).num_rows for path in out.rglob("*.parquet"))
    assert written == options.rows, f"{name} wrote {written} rows"
    return seconds


def sentences(folder: Path, options: argparse.Namespace) -> Path:
    rng = random.Random(workload.SEED)
    tokenizer = Tokenizer.from_file(str(options.model / "tokenizer.json"))
    words = workload.whole_words(tokenizer)
    lengths = [max(2, tokens // SHORTER) for tokens in workload.token_lengths(options.rows, rng)]
    texts = [workload.document(length, words, rng) for length in lengths]
    path = folder / "sentences"
    path.mkdir()
    table = pa.table({"id": range(options.rows), "text": texts})
    # Ray Data divides files among its workers, and not what is in them.
    for place in range(FILES):
        begin, end = (options.rows * number // FILES for number in (place, place + 1))
        pq.write_table(table.slice(begin, end - begin), path / f"{place}.parquet")
    return path


def settings(corpus: Path, out: Path, options: argparse.Namespace) -> list[str]:
    arguments = ["--input", corpus, "--model", options.model, "--output", out]
    return [*map(str, arguments), "--progress", "never", "--quiet"]


def by_program(corpus: Path, out: Path, options: argparse.Namespace) -> None:
    subprocess.run([options.program, "run", *settings(corpus, out, options), "--threads", str(options.threads)], check=True)


#: In a process of its own, as the program is.
ENCODE = """
import sys
from pathlib import Path
import pyarrow.parquet as pq
import strata

model, corpus, out, threads, *program = sys.argv[1:]
Path(out).mkdir()
reader = strata.Encoder(model, threads=int(threads), program=next(iter(program), None)).encode_batches(pq.read_table(corpus))
with pq.ParquetWriter(Path(out) / "all.parquet", reader.schema, compression="zstd", use_dictionary=False) as writer:
    for batch in reader:
        writer.write_batch(batch)
"""


def by_encoder(corpus: Path, out: Path, options: argparse.Namespace, *program: Path) -> None:
    arguments = map(str, [options.model, corpus, out, options.threads, *program])
    subprocess.run([sys.executable, "-W", "ignore", "-c", ENCODE, *arguments], check=True)


def by_served_encoder(corpus: Path, out: Path, options: argparse.Namespace) -> None:
    by_encoder(corpus, out, options, options.program)


def by_ray_run(corpus: Path, out: Path, options: argparse.Namespace) -> None:
    import strata.ray

    strata.ray.run(None, *settings(corpus, out, options), num_workers=options.threads)


def by_ray_data(corpus: Path, out: Path, options: argparse.Namespace) -> None:
    import ray
    import strata.ray

    data = ray.data.read_parquet(str(corpus))
    strata.ray.featurize(data, options.model, num_workers=options.threads, batch_size=BATCH).write_parquet(str(out))


def by_sentence_transformers(corpus: Path, out: Path, options: argparse.Namespace) -> None:
    import ray

    ray.data.read_parquet(str(corpus)).repartition(target_num_rows_per_block=BATCH).map_batches(
        SentenceTransformers,
        fn_constructor_args=(str(options.model), 1),
        batch_format="pyarrow",
        batch_size=BATCH,
        compute=ray.data.ActorPoolStrategy(size=options.threads),
        num_cpus=0.5,
    ).write_parquet(str(out))


CONTENDERS = {
    "strata run": by_program,
    "Encoder": by_encoder,
    "Encoder, in a process of the program": by_served_encoder,
    "strata.ray.run": by_ray_run,
    "strata.ray.featurize": by_ray_data,
    "sentence-transformers, map_batches": by_sentence_transformers,
}
ON_RAY = list(CONTENDERS)[3:]


def markdown(figures: dict, names: list[str]) -> str:
    described, rounds = figures["machine"], figures["rounds"]
    lines = [
        f"# What the doors cost, {figures['date']}: {described['cpu']}, {described['cores']} cores",
        "",
        f"{figures['rows']:,} sentences, all-MiniLM-L6-v2, {figures['threads']} threads or workers of one core; commit {described['commit']}. "
        "Seconds from start to end, and how fast that is beside `strata run` of the same round.",
        "",
        "| | " + " | ".join(f"round {turn + 1}" for turn in range(len(rounds))) + " | rate beside `strata run`, median |",
        "|---|" + "---|" * (len(rounds) + 1),
    ]
    for name in names:
        ratio = median(each["strata run"] / each[name] for each in rounds)
        lines.append(f"| {name} | " + " | ".join(f"{each[name]:.1f}" for each in rounds) + f" | {ratio:.2f} |")
    return "\n".join(lines) + "\n"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), metavar="NAME")
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--program", type=Path, default=REPOSITORY / ".venv-python" / "bin" / "strata", help="the package's own")
    parser.add_argument("--model", type=Path, default=REPOSITORY / ".models" / "all-MiniLM-L6-v2")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "bench" / "results")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Workers import this file and the package.
    paths = [str(REPOSITORY / "python"), str(Path(__file__).parent)]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    main()
