"""The race as bars: tokens per second, start to exit, each round a dot."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

import table

OURS, THEIRS = "#d1495b", "#8d99ae"


def draw(race: dict, path: Path) -> None:
    tokens = race["workload"]["tokens"]
    entries = sorted(table.finished(race).values(), key=lambda c: -table.middle(c, "whole"))
    figure, axes = pyplot.subplots(figsize=(8, 0.42 * len(entries) + 1.2), layout="constrained")
    for place, contender in enumerate(entries):
        rates = [tokens / run["whole"] for run in contender["runs"]]
        middle = tokens / table.middle(contender, "whole")
        axes.barh(place, middle, color=OURS if contender["ours"] else THEIRS)
        axes.plot(rates, [place] * len(rates), ".", color="black", markersize=4)
        axes.annotate(f"{middle:.0f}", (max(rates), place), (6, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(entries)), [table.title(c) for c in entries])
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("tokens per second, text to Parquet (peers without their load time)")
    # Neither a date nor random ids: the same figures give the same file.
    with pyplot.rc_context({"svg.hashsalt": "strata", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
