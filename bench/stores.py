#!/usr/bin/env python3
"""Measures whether a run waits for a store: a corpus of Parquet from a server of S3's protocol on this machine, and from a folder.

    .venv-bench/bin/python bench/stores.py [--megabytes 1024] [--shards 100]

The model is all-MiniLM-L6-v2 in bfloat16, the column the mean of its last layer. All of the corpus would take hours: each run is one
shard of so many, whose parts lie all over the file, and says how much of its time its encoder worked, and how much memory it had. The
server takes its share of the processor. `make setup` installs it. See bench/README.md.
"""

import argparse
import http.client
import json
import os
import random
import subprocess
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import machine

REPOSITORY = Path(__file__).resolve().parent.parent
WORDS = "the quick brown fox jumps over a lazy dog café naïve data vector model layer token sentence".split()
ROWS_AT_ONCE = 20000
FILES = 16


def main() -> None:
    options = arguments()
    figures = machine.begin(REPOSITORY, machine.cores()) | {"shards": options.shards, "runs": {}}
    with tempfile.TemporaryDirectory(prefix="strata-stores-", dir=options.data) as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        # One request of the server takes as long as all of the file takes to copy.
        for number in range(FILES):
            write(corpus / f"{number:02}.parquet", (options.megabytes << 20) // FILES, number)
        figures["bytes"] = sum(path.stat().st_size for path in corpus.iterdir())
        server = subprocess.Popen(
            [REPOSITORY / ".venv-stores/bin/python", REPOSITORY / "tests/stores/server.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            port = int(server.stdout.readline())
            upload(port, corpus)
            environment = os.environ | {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_REGION": "us-east-1",
            }
            places = {"a folder": (corpus, Path(folder) / "out"), "a store": ("s3://bucket/corpus", "s3://bucket/out")}
            for name, (source, target) in places.items():
                figures["runs"][name] = run(source, target, Path(folder) / "report.json", environment, options)
                print(name, figures["runs"][name], flush=True)
        finally:
            server.stdin.close()
            server.wait()
    target = machine.results(options.results, figures, "stores")
    target.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    page = markdown(figures)
    target.with_suffix(".md").write_text(page)
    print(page)


def write(path: Path, least: int, seed: int) -> None:
    """Rows of text, uncompressed, until the file is as large."""
    rng = random.Random(seed)
    schema = pa.schema({"id": pa.int64(), "text": pa.string()})
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        first = 0
        while path.stat().st_size < least:
            texts = [" ".join(rng.choices(WORDS, k=rng.randint(5, 200))) for _ in range(ROWS_AT_ONCE)]
            writer.write_table(pa.table({"id": range(first, first + len(texts)), "text": texts}, schema))
            first += len(texts)


def upload(port: int, folder: Path) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    name = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none"
    files = [(f"/bucket/corpus/{path.name}", path.read_bytes()) for path in sorted(folder.iterdir())]
    for address, body in [("/bucket", b""), *files]:
        client.request("PUT", address, body, {"Authorization": name, "Content-Length": str(len(body))})
        answer = client.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()


def run(source: str | Path, target: str | Path, report: Path, environment: dict[str, str], options: argparse.Namespace) -> dict:
    arguments = ["--input", source, "--output", target, "--model", options.model, "--compute", "bfloat16", "--report", report]
    part = ["--rows-per-part", "5000", "--shard", f"0/{options.shards}", "--progress", "never"]
    subprocess.run([options.program, "run", *map(str, arguments), *part], env=environment, check=True)
    said = json.loads(report.read_text())
    encode = said["stages"]["encode"]
    return {
        "rows": said["rows"],
        "tokens_per_second": round(said["tokens_per_second"]),
        "encode_busy": round(encode["busy_seconds"] / (encode["busy_seconds"] + encode["waiting_seconds"]), 4),
        "peak_memory_mib": said["peak_memory_bytes"] >> 20,
    }


def markdown(figures: dict) -> str:
    described = figures["machine"]
    lines = [
        f"# Reading from a store, {figures['date']}: {described['cpu']}, {described['cores']} cores",
        "",
        f"{figures['bytes'] / 2**20:,.0f} MiB of Parquet, all-MiniLM-L6-v2 in bfloat16, one shard of {figures['shards']}; commit {described['commit']}.",
        "",
        "| read from, written to | tokens/s | encoder at work | peak memory, MiB |",
        "|---|---|---|---|",
    ]
    for name, run in figures["runs"].items():
        lines.append(f"| {name} | {run['tokens_per_second']:,} | {100 * run['encode_busy']:.1f} % | {run['peak_memory_mib']:,} |")
    return "\n".join(lines) + "\n"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--data", type=Path, default=None, help="where the corpus is made")
    parser.add_argument("--program", type=Path, default=REPOSITORY / "target" / "release" / "strata")
    parser.add_argument("--model", type=Path, default=REPOSITORY / ".models" / "all-MiniLM-L6-v2")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "bench" / "results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
