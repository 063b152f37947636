#!/usr/bin/env python3
"""Races strata against its peers on the same rows, and writes down what came of it.

    python3 scripts/venv.py .venv-bench bench/requirements.txt
    .venv-bench/bin/python bench/race.py [--quick]
    .venv-bench/bin/python bench/race.py --texts sentences [--model minilm] --tune

Texts are 200 documents or 5,000 short sentences, the model has BERT-base's shapes and random weights, or is the real
all-MiniLM-L6-v2. `--tune` first finds for every peer the batch size it is fastest with. `--cpu avx2` holds everyone to
AVX2. Needs target/release/strata and a folder with a BERT tokenizer. See bench/README.md.
"""

import argparse
import datetime
import json
import shutil
import sys
from pathlib import Path

from tokenizers import Tokenizer

import contenders
import held
import machine
import peers
import table
import vectors
import workload

REPOSITORY = Path(__file__).resolve().parent.parent
# Name: layers, words for the table.
MODELS = {
    "bert-base": ([0, 3, 7, 12], "BERT-base shapes (12 layers, hidden 768), random weights"),
    "minilm": ([0, 2, 4, 6], "all-MiniLM-L6-v2 (6 layers, hidden 384)"),
}
ROWS = {"documents": 200, "sentences": 5000}
BATCH_SIZES = [8, 16, 32, 64, 128, 256]  # what --tune tries
INPUT_ORDER_BATCH = 32  # what a loop that does not think about lengths uses
# Name: label, precision.
FIELD = {
    "strata": ("strata", "float32"),
    "strata-bfloat16": ("strata", "bfloat16"),
    "strata-int8": ("strata", "int8"),
    "openvino": ("OpenVINO, sorted", "float32"),
    "openvino-bfloat16": ("OpenVINO, sorted", "bfloat16"),
    "openvino-int8": ("OpenVINO, sorted, quantized by NNCF", "int8"),
    "onnxruntime": ("ONNX Runtime, sorted", "float32"),
    "onnxruntime-int8": ("ONNX Runtime, sorted, quantized as it runs", "int8"),
    "transformers": ("transformers, sorted", "float32"),
    "transformers-bfloat16": ("transformers, sorted, autocast", "bfloat16"),
    "sentence-transformers": ("sentence-transformers (last layer only)", "float32"),
    "fastembed": ("fastembed, sorted (last layer only)", "float32"),
    "transformers-unsorted": ("transformers, input order", "float32"),
}


def main() -> None:
    options = arguments()
    options.data.mkdir(parents=True, exist_ok=True)
    model = prepare_model(options)
    corpus = workload.corpus(options.data, model / "tokenizer.json", options.rows, options.tokens, options.texts)
    described = machine.describe(REPOSITORY)
    options.avx2 = options.cpu == "avx2" or machine.only_avx2(described)
    options.environment = machine.environment(described, options.avx2)
    race = {
        "date": datetime.date.today().isoformat(),
        "machine": described,
        "workload": describe_workload(options, corpus, model),
        "load_before": machine.load_average(),
        "load_after": None,
        "nearest_rows": None,
        "contenders": {},
    }
    if race["load_before"] > 0.5:
        say(f"warning: the load average is {race['load_before']}: other processes disturb this race")
    target = options.results / f"{race['date']}-{machine.slug(described)}{suffix(options)}"

    runners = make_runners(options, model, corpus)
    try:
        drop_precisions(runners, race, options.avx2)
        start_all(runners, race, corpus)
        if options.tune:
            tune_all(runners, race, workload.part_of(corpus, race["workload"]["tune_rows"]))
        for number in range(options.rounds):
            for runner in rotated(list(runners.values()), number):
                one_run(runner, race["contenders"][runner.name], corpus, number)
            save(race, target)
        check_all(runners, race)
    finally:
        for runner in runners.values():
            runner.stop()
    race["load_after"] = machine.load_average()
    save(race, target)
    report(race, target)
    # What is left of a race is its figures; hundreds of megabytes of vectors are not kept.
    shutil.rmtree(options.data / "out", ignore_errors=True)
    if not all(entry["correct"] for entry in table.finished(race).values()):
        sys.exit("error: not everyone made the same vectors; see the table")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Races strata against its peers.")
    parser.add_argument("--texts", choices=list(ROWS), default="documents")
    parser.add_argument("--model", choices=list(MODELS), default="bert-base")
    parser.add_argument("--cpu", choices=["all", "avx2"], default="all", help="instructions that everyone may use")
    parser.add_argument("--tune", action="store_true", help="find the best batch size of each peer first, over a fifth of the rows")
    parser.add_argument("--rows", type=int, help="texts (default: 200 documents, 5000 sentences)")
    parser.add_argument("--tokens", type=int, help="of every text (default: lengths as in the world)")
    parser.add_argument("--rounds", type=int, help="turns of everyone (default: 3)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the rows, 2 rounds, results under --data")
    parser.add_argument("--batch-size", type=int, default=8, help="rows per batch of the peers that sort")
    parser.add_argument("--threads", type=int, default=machine.cores(), help="threads of everyone")
    parser.add_argument("--only", type=names, help="contenders, separated by commas (default: all; of sentences, those that sort)")
    parser.add_argument("--skip", type=names, default=[], help="contenders to leave out")
    parser.add_argument("--strata", type=Path, default=REPOSITORY / "target/release/strata")
    parser.add_argument("--tokenizer", type=Path, default=REPOSITORY / ".models/all-MiniLM-L6-v2")
    parser.add_argument("--data", type=Path, default=REPOSITORY / "target/bench", help="corpus and model")
    parser.add_argument("--results", type=Path, help="where the table goes (default: bench/results)")
    options = parser.parse_args()
    options.rows = options.rows or ROWS[options.texts] // (5 if options.quick else 1)
    options.only = options.only or [name for name in FIELD if options.texts == "documents" or name not in peers.INPUT_ORDER]
    options.rounds = options.rounds or (2 if options.quick else 3)
    options.results = options.results or (
        options.data / "results" if options.quick else REPOSITORY / "bench/results"
    )
    if options.tokens and not workload.MIN_TOKENS <= options.tokens <= workload.MAX_TOKENS:
        parser.error(f"--tokens is {options.tokens}; expected {workload.MIN_TOKENS} to {workload.MAX_TOKENS}")
    if not (options.tokenizer / "tokenizer.json").is_file():
        parser.error(f"there is no {options.tokenizer}/tokenizer.json; `scripts/minilm.py` fetches one")
    return options


def names(text: str) -> list[str]:
    wanted = text.split(",")
    if unknown := [name for name in wanted if name not in FIELD]:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(FIELD)}")
    return wanted


def prepare_model(options) -> Path:
    if options.model == "minilm":
        return workload.copied(options.data / "minilm", options.tokenizer)
    return workload.model(options.data / "bert-base", options.tokenizer)


def suffix(options) -> str:
    """What tells this race's files from those of another on the same day."""
    usual = options.texts == "documents" and options.model == "bert-base"
    return "".join([
        "" if usual else f"-{options.texts}-{options.model}",
        f"-{options.batch_size}x{options.tokens}" if options.tokens else "",
        "-avx2" if options.avx2 else "",
    ])


def describe_workload(options, corpus: Path, model: Path) -> dict:
    import pyarrow.parquet as pq

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    texts = pq.read_table(corpus).column("text").to_pylist()
    lengths = sorted(len(encoding) for encoding in tokenizer.encode_batch_fast(texts))
    return {
        "rows": len(lengths),
        "tokens": sum(lengths),
        "median": lengths[len(lengths) // 2],
        "at_95": lengths[int(0.95 * len(lengths))],
        "longest": lengths[-1],
        "texts": options.texts,
        "layers": MODELS[options.model][0],
        "model": MODELS[options.model][1],
        "model_name": options.model,
        "avx2": options.avx2,
        "environment": options.environment,
        "tune_rows": max(1, options.rows // 5) if options.tune else None,
        "threads": options.threads,
        "batch_size": options.batch_size,
        "input_order_batch": INPUT_ORDER_BATCH,
        "rounds": options.rounds,
    }


def make_runners(options, model: Path, corpus: Path) -> dict:
    out = options.data / "out"
    out.mkdir(exist_ok=True)
    told = held.environment(options.data / "avx2") if options.environment else {}
    runners = {}
    for name in (name for name in FIELD if name in options.only and name not in options.skip):
        size = INPUT_ORDER_BATCH if name in peers.INPUT_ORDER else options.batch_size
        layers = MODELS[options.model][0]
        settings = {"model": str(model), "layers": layers, "threads": options.threads, "batch_size": size, "corpus": str(corpus)}
        if name in peers.PEERS:
            runners[name] = contenders.Peer(name, settings, out, {**options.environment, **told})
        else:
            precision = FIELD[name][1]
            runners[name] = contenders.Strata(name, options.strata, settings, out, precision, options.environment)
    return runners


def new_entry(name: str) -> dict:
    label, precision = FIELD[name]
    return {
        **{"label": label, "precision": precision, "ours": name not in peers.PEERS},
        **{"versions": None, "load": None, "batch_size": None, "tuning": None, "runs": []},
        **{"check": None, "correct": True, "failed": None},
    }


def drop_precisions(runners: dict, race: dict, avx2: bool) -> None:
    """Leaves out what would be done by other instructions than its own."""
    for name in list(runners):
        if why := machine.lacks(race["machine"], FIELD[name][1], avx2):
            del runners[name]
            race["contenders"][name] = new_entry(name) | {"failed": f"left out: {why}"}
            say(f"{name} is left out: {why}")


def start_all(runners: dict, race: dict, corpus: Path) -> None:
    """Loads everyone and lets them warm up, one at a time; who cannot start drops out."""
    for name, runner in list(runners.items()):
        say(f"starting {name}")
        entry = race["contenders"][name] = new_entry(name)
        try:
            started = runner.start()
            entry |= {"versions": started["versions"], "load": started["load"]}
            entry["batch_size"] = getattr(runner, "batch_size", None)
            runner.run(corpus, warm=True)
        except contenders.Failed as failure:
            entry["failed"] = str(failure)
            say(f"  {failure}")
            runner.stop()
            del runners[name]


def tune_all(runners: dict, race: dict, part: Path) -> None:
    """Gives every peer that sorts the batch size with which its loop over a part of the corpus is the fastest."""
    for name, runner in runners.items():
        if name not in peers.PEERS or name in peers.INPUT_ORDER:
            continue
        entry = race["contenders"][name]
        try:
            entry["tuning"] = tune(runner, part, race["workload"]["tune_rows"])
        except contenders.Failed as failure:
            entry["failed"] = str(failure)
            say(f"  {failure}")
            continue
        entry["batch_size"] = runner.batch_size = int(min(entry["tuning"], key=entry["tuning"].get))
        say(f"{name} is fastest with {runner.batch_size} rows a batch: {entry['tuning']}")


def tune(runner: contenders.Peer, part: Path, rows: int) -> dict[str, float]:
    """Seconds of the loop by batch size, the better of two: the first warms up, and any may be disturbed."""
    seconds = {}
    for size in (size for size in BATCH_SIZES if size <= max(rows, BATCH_SIZES[0])):
        runner.batch_size = size
        seconds[str(size)] = round(min(runner.run(part)["loop"] for _ in range(2)), 3)
    return seconds


def rotated(order: list, by: int) -> list:
    """Begins elsewhere in every round, so that nobody always runs on the warmest processor."""
    by = by * len(order) // 3 % len(order) if order else 0
    return order[by:] + order[:by]


def one_run(runner, entry: dict, corpus: Path, number: int) -> None:
    if entry["failed"]:
        return
    try:
        run = runner.run(corpus)
    except contenders.Failed as failure:
        entry["failed"] = str(failure)
        say(f"round {number + 1}: {failure}")
        return
    entry["runs"].append(run | {"load_average": machine.load_average()})
    say(f"round {number + 1}: {runner.name}: loop {run['loop']:.2f} s, whole {run['whole']:.2f} s")


def check_all(runners: dict, race: dict) -> None:
    finished = table.finished(race)
    if "strata" not in finished:
        return
    own = vectors.read(runners["strata"].files())
    race["nearest_rows"] = vectors.nearest(own)
    for name, entry in finished.items():
        if name != "strata":
            entry["check"] = vectors.compare(own, vectors.read(runners[name].files()))
            entry["correct"] = entry["check"]["lowest_cosine"] >= lowest(entry)


def lowest(entry: dict) -> float:
    """The cosine that is wanted of a contender."""
    if entry["precision"] == "int8" and not entry["ours"]:
        return vectors.LOWEST_OF_INT8_PEERS
    return vectors.LOWEST[entry["precision"]]


def save(race: dict, target: Path) -> None:
    """After every round: a race that is broken off leaves what it found."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_suffix(".json").write_text(json.dumps(race, indent=1) + "\n")


def report(race: dict, target: Path) -> None:
    import plot

    plot.draw(race, target.with_suffix(".svg"))
    page = table.markdown(race, target.with_suffix(".svg").name)
    target.with_suffix(".md").write_text(page)
    print(page)
    say(f"written to {target}.md, .json and .svg")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
