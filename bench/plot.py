"""Figures as plots: the race and the busy machine as bars, what grows with rows and parts as lines."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

import table

OURS, THEIRS = "#d1495b", "#8d99ae"


def draw(race: dict, path: Path) -> None:
    """The race: tokens per second, start to exit, each round a dot."""
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
    save(figure, path)


def draw_busy(figures: dict, path: Path) -> None:
    """Seconds of a contender's whole run by the number of other processes, each round a dot."""
    loads = figures["loads"]
    names = list(table.finished(next(iter(loads.values()))))
    figure, axes = pyplot.subplots(figsize=(8, 0.3 * len(names) * len(loads) + 1.2), layout="constrained")
    ticks = []
    for block, name in enumerate(reversed(names)):
        for place, (others, race) in enumerate(reversed(loads.items())):
            if name not in table.finished(race):
                continue
            contender = race["contenders"][name]
            at = block * (len(loads) + 0.8) + place
            axes.barh(at, table.middle(contender, "whole"), color=OURS if contender["ours"] else THEIRS, height=0.85)
            seconds = [run["whole"] for run in contender["runs"]]
            axes.plot(seconds, [at] * len(seconds), ".", color="black", markersize=4)
            axes.annotate(
                f"{table.middle(contender, 'whole'):.1f}", (max(seconds), at), (6, 0), textcoords="offset points", va="center"
            )
            ticks.append((at, f"{contender['label']}, {table.beside(others)}"))
    axes.set_yticks(*zip(*ticks), fontsize=8)
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("seconds of the whole run, fewer is better (peers without their load time)")
    save(figure, path)


def draw_scale(curves: dict[str, list[tuple[int, float]]], path: Path) -> None:
    """Seconds against a number of things, both by powers of ten, beside what is linear from the last but one on."""
    figure, places = pyplot.subplots(1, len(curves), figsize=(4.5 * len(curves), 4), layout="constrained", squeeze=False)
    for axes, (what, points) in zip(places[0], curves.items()):
        numbers, seconds = zip(*points)
        number, second = points[-2:][0]
        linear = [second * each / number for each in numbers]
        axes.loglog(numbers, linear, "--", color=THEIRS, label="linear")
        axes.loglog(numbers, seconds, "o-", color=OURS, label="measured")
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel(what)
        axes.set_ylabel("seconds")
        axes.legend(frameon=False)
    save(figure, path)


def save(figure, path: Path) -> None:
    # Neither a date nor random ids: the same figures give the same file.
    with pyplot.rc_context({"svg.hashsalt": "strata", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
