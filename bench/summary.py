#!/usr/bin/env python3
"""Prints one table of what the newest results say of strata beside its best peer, in Markdown.

    .venv-bench/bin/python bench/summary.py [FOLDER]

The folder is that of the results (default: bench/results). Of each race the newest counts, whatever machine it ran on.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import table

REPOSITORY = Path(__file__).resolve().parent.parent
HEADER = """\
| | best peer | its loop ÷ our whole run | its whole ÷ our whole | its loop ÷ our encode stage | measured |
|---|---|---|---|---|---|"""


def main() -> None:
    folder = Path(sys.argv[1]) if sys.argv[1:] else REPOSITORY / "bench/results"
    if not folder.is_dir():
        sys.exit(__doc__)
    print(HEADER)
    for line in [*races(folder), *busy(folder)]:
        print(line)


def races(folder: Path) -> Iterator[str]:
    for words, precision, wanted in (
        ("documents, BERT-base, float32", "float32", {"texts": "documents", "model": "bert-base", "avx2": False}),
        ("documents, BERT-base, bfloat16", "bfloat16", {"texts": "documents", "model": "bert-base", "avx2": False}),
        ("documents, BERT-base, int8", "int8", {"texts": "documents", "model": "bert-base", "avx2": False}),
        ("documents, BERT-base, float32, AVX2", "float32", {"texts": "documents", "model": "bert-base", "avx2": True}),
        ("sentences, BERT-base, float32", "float32", {"texts": "sentences", "model": "bert-base"}),
        ("sentences, BERT-base, int8", "int8", {"texts": "sentences", "model": "bert-base"}),
        ("sentences, all-MiniLM-L6-v2, float32", "float32", {"texts": "sentences", "model": "minilm"}),
        ("sentences, all-MiniLM-L6-v2, int8", "int8", {"texts": "sentences", "model": "minilm"}),
    ):
        if race := newest_race(folder, **wanted):
            held = ", AVX2" if race["workload"].get("avx2") and "avx2" not in wanted else ""
            yield from (line(words + held, row, race) for row in table.ratios(race) if row["precision"] == precision)


def busy(folder: Path) -> Iterator[str]:
    found = [figures for figures in all_results(folder) if "loads" in figures]
    if not found:
        return
    loads = list(found[-1]["loads"].items())
    idle = loads[0][1]
    for others, load in loads[1:]:
        for row in table.ratios(load):
            slower = [f"{entry['label']} {slowdown(load, idle, name):.2f}" for name, entry in compared(load, row)]
            yield line(f"documents, {table.beside(others)} busy (times as slow: {'; '.join(slower)})", row, found[-1])


def compared(load: dict, row: dict) -> list[tuple[str, dict]]:
    """strata and the best peer."""
    return [
        (name, entry) for name, entry in table.finished(load).items()
        if name == "strata" or entry["label"] == row["best_peer"]
    ]


def slowdown(load: dict, idle: dict, name: str) -> float:
    return table.middle(load["contenders"][name], "whole") / table.middle(idle["contenders"][name], "whole")


def line(words: str, row: dict, figures: dict) -> str:
    described = figures["machine"]
    return (
        f"| {words} | {row['best_peer']} | {row['whole_run_against_loop']:.2f} | {row['whole_run_against_whole']:.2f} "
        f"| {row['encode_stage_against_loop']:.2f} | {figures['date']}, {described['cpu']}, {described['cores']} cores |"
    )


def newest_race(folder: Path, **wanted) -> dict | None:
    """The newest race whose `texts`, `model` and `avx2` are the wanted ones, of texts that are not all equally long."""
    found = [race for race in all_results(folder) if "workload" in race and wanted.items() <= kind(race["workload"]).items()]
    return found[-1] if found else None


def kind(work: dict) -> dict:
    """What a race is about. The first ones did not say, as there was one kind."""
    texts = "of one length" if work["median"] == work["longest"] else work.get("texts", "documents")
    return {"texts": texts, "model": work.get("model_name", "bert-base"), "avx2": work.get("avx2", False)}


def all_results(folder: Path) -> list[dict]:
    """Oldest first."""
    files = sorted(folder.glob("*.json"), key=lambda file: (file.name[:10], file.stat().st_mtime))
    return [json.loads(file.read_text()) for file in files]


if __name__ == "__main__":
    main()
