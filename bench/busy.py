#!/usr/bin/env python3
"""Measures a busy machine: everyone's time while 0, 1 and 2 other processes want a core for themselves.

    .venv-bench/bin/python bench/busy.py [--rows 100] [--rounds 3] [--loads 0,1,2]

Documents, model and contenders are those of the race in float32, the peers loaded and warm; strata also runs over many
files of one row with the tiny model of the tests, where the time is that of files. See bench/README.md.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import contenders
import machine
import plot
import race
import table
import workload

REPOSITORY = Path(__file__).resolve().parent.parent
FIELD = ["strata", "openvino", "onnxruntime", "sentence-transformers", "transformers"]
FILES = "strata-files"
# Spins until its parent, whose number it is given, is gone: nothing is left of a run that was killed.
SPIN = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(10_000_000):
        pass
"""


def main() -> None:
    options = arguments()
    options.data.mkdir(parents=True, exist_ok=True)
    model = race.prepare_model(options)
    corpus = workload.corpus(options.data, model / "tokenizer.json", options.rows)
    figures = machine.begin(REPOSITORY, options.threads)
    figures |= {"rows": options.rows, "files": options.files, "rounds": options.rounds, "loads": {}}
    if figures["load_before"] > 0.5:
        race.say(f"warning: the load average is {figures['load_before']}: there are other processes than ours")
    target = machine.results(options.results, figures, "busy")

    runners = race.make_runners(options, model, corpus)
    idle = {"contenders": {}}
    try:
        race.start_all(runners, idle, corpus)
        inputs = {name: corpus for name in runners}
        if options.files:
            runners[FILES] = files_runner(options)
            inputs[FILES] = workload.files_of_one_row(options.data / f"files-{options.files}", options.files)
            idle["contenders"][FILES] = entry_of_files(options.files)
        for others in options.loads:
            entries = {name: entry | {"runs": []} for name, entry in idle["contenders"].items()}
            figures["loads"][str(others)] = {"contenders": entries, "nearest_rows": None}
        for number in range(options.rounds):
            for others in options.loads:
                race.say(f"{others} other processes")
                with spinning(others):
                    for name in race.rotated(list(runners), number):
                        entry = figures["loads"][str(others)]["contenders"][name]
                        race.one_run(runners[name], entry, inputs[name], number)
            target.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
        check(runners, figures)
    finally:
        for runner in runners.values():
            runner.stop()
    target.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    plot.draw_busy(figures, target.with_suffix(".svg"))
    page = markdown(figures, target.with_suffix(".svg").name)
    target.with_suffix(".md").write_text(page)
    print(page)
    shutil.rmtree(options.data / "out", ignore_errors=True)


@contextmanager
def spinning(others: int) -> Iterator[None]:
    """So many processes that do nothing, as fast as they can."""
    command = [sys.executable, "-c", SPIN, str(os.getpid())]
    spinners = [subprocess.Popen(command) for _ in range(others)]
    try:
        time.sleep(0.5 if spinners else 0)  # until all have started
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
        for spinner in spinners:
            spinner.wait()


def files_runner(options: argparse.Namespace) -> contenders.Strata:
    settings = {"model": str(workload.TINY_BERT), "layers": [4], "threads": options.threads}
    return contenders.Strata(FILES, options.strata, settings, options.data / "out", "float32", options.environment)


def entry_of_files(files: int) -> dict:
    """As of a contender, but of a race of its own: nobody else has files."""
    entry = race.new_entry("strata")
    return entry | {"label": f"strata, {files} files of one row, tiny model", "precision": "float32, files"}


def check(runners: dict, figures: dict) -> None:
    """What everyone wrote in the last round, under the highest load."""
    race.check_all({name: runner for name, runner in runners.items() if name != FILES}, alone(list(figures["loads"].values())[-1]))


def alone(load: dict) -> dict:
    """A load without the runs over files, which is a race."""
    return {"contenders": {name: entry for name, entry in load["contenders"].items() if name != FILES}}


def markdown(figures: dict, picture: str) -> str:
    described, loads = figures["machine"], figures["loads"]
    first = next(iter(loads))
    lines = [
        f"# A busy machine, {figures['date']}: {described['cpu']}, {described['cores']} cores\n",
        f"{figures['rows']} documents, BERT-base shapes, float32, {figures['threads']} threads, {figures['rounds']} rounds, "
        "everyone in turn, medians; beside them so many processes that spin. "
        f"Commit {described['commit']}, load average {figures['load_before']} before.\n",
        "## Seconds\n",
        "Of strata the whole run and its encode stage, of the peers the loop, loaded and warm. In brackets, how many "
        "times as long as in the first column.\n",
        "| contender | " + " | ".join(map(table.beside, loads)) + " |",
        "|---|" + "---|" * len(loads),
    ]
    for name, entry in table.finished(loads[first]).items():
        for part, words in parts(name, entry):
            cells = [cell(loads, first, others, name, part) for others in loads]
            lines.append(f"| {entry['label']}{words} | {' | '.join(cells)} |")
    lines += ["\n## strata beside the best peer\n"]
    lines += [
        "| | best peer | its loop ÷ our whole run | its whole ÷ our whole | its loop ÷ our encode stage |",
        "|---|---|---|---|---|",
    ]
    for others, load in loads.items():
        for row in table.ratios(load):
            lines.append(
                f"| {table.beside(others)} | {row['best_peer']} | **{row['whole_run_against_loop']:.2f}** "
                f"| {row['whole_run_against_whole']:.2f} | {row['encode_stage_against_loop']:.2f} |"
            )
    lines.append(f"\n![seconds]({picture})")
    last = alone(list(loads.values())[-1])
    wrong = [table.title(entry) for entry in last["contenders"].values() if not entry["correct"]]
    failed = table.absent(last)
    lines += [f"\n**Wrong vectors:** {', '.join(wrong)}"] if wrong else []
    lines += ["", *failed] if failed else []
    return "\n".join(lines) + "\n"


def parts(name: str, entry: dict) -> list[tuple[str, str]]:
    """What of a contender's run is told, and in which words."""
    if name == FILES:
        return [("whole", "")]
    return [("whole", ", whole run"), ("loop", ", encode stage")] if entry["ours"] else [("loop", "")]


def cell(loads: dict, first: str, others: str, name: str, part: str) -> str:
    if name not in table.finished(loads[others]):
        return ""
    seconds, idle = (table.middle(loads[each]["contenders"][name], part) for each in (others, first))
    return f"{seconds:.2f}" if others == first else f"{seconds:.2f} (×{seconds / idle:.2f})"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures what other processes take from everyone.")
    parser.add_argument("--rows", type=int, default=100, help="documents")
    parser.add_argument("--files", type=int, default=500, help="files of one row; 0 leaves them out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loads", type=lambda text: [int(others) for others in text.split(",")], default=[0, 1, 2])
    parser.add_argument("--batch-size", type=int, default=8, help="rows per batch of the peers")
    parser.add_argument("--threads", type=int, default=machine.cores(), help="threads of everyone")
    parser.add_argument("--only", type=race.names, default=FIELD, help="contenders, separated by commas")
    parser.add_argument("--strata", type=Path, default=REPOSITORY / "target/release/strata")
    parser.add_argument("--tokenizer", type=Path, default=REPOSITORY / ".models/all-MiniLM-L6-v2")
    parser.add_argument("--data", type=Path, default=REPOSITORY / "target/bench", help="corpus and model")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "bench/results")
    parser.set_defaults(model="bert-base", skip=[], environment={})
    return parser.parse_args()


if __name__ == "__main__":
    main()
