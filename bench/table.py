"""A race's figures as a page of Markdown. Everything here is computed from the JSON beside it."""

from statistics import median

TARGET = 1.2


def middle(contender: dict, what: str) -> float:
    return median(run[what] for run in contender["runs"])


def title(contender: dict) -> str:
    return f"{contender['label']}, {contender['precision']}"


def beside(others: str) -> str:
    """How many other processes there are, in words."""
    return {"0": "alone", "1": "beside 1 other"}.get(others, f"beside {others} others")


def finished(race: dict) -> dict:
    return {name: entry for name, entry in race["contenders"].items() if entry["runs"]}


def ratios(race: dict) -> list[dict]:
    """strata against the best peer of the same precision."""
    rows = []
    for precision in ("float32", "bfloat16", "int8"):
        of_precision = {n: c for n, c in finished(race).items() if c["precision"] == precision}
        ours = next((c for c in of_precision.values() if c["ours"]), None)
        peers = [c for c in of_precision.values() if not c["ours"] and c["correct"]]
        if ours is None or not peers:
            continue
        best = min(peers, key=lambda c: middle(c, "loop"))
        rows.append({
            "precision": precision,
            "best_peer": best["label"],
            "whole_run_against_loop": middle(best, "loop") / middle(ours, "whole"),
            "whole_run_against_whole": middle(best, "whole") / middle(ours, "whole"),
            "encode_stage_against_loop": middle(best, "loop") / middle(ours, "loop"),
            "outside_encode_percent": 100 * (1 - middle(ours, "loop") / middle(ours, "whole")),
        })
    return rows


def markdown(race: dict, plot: str | None) -> str:
    machine, work = race["machine"], race["workload"]
    texts = work.get("texts", "documents")
    sizes = "each peer with the rows a batch that it is fastest with" if work.get("tune_rows") else (
        f"peers in batches of {work['batch_size']} rows"
    )
    sections = [
        f"# Race of {race['date']}: {machine['cpu']}, {machine['cores']} cores",
        "\n".join([
            f"- Machine: {machine['cpu']}, {work['threads']} of {machine['cores']} cores used, "
            f"{machine['memory_gib']} GiB; {', '.join(machine['instructions']) or 'no wide instructions'}; "
            f"{machine['system']}; load average {race['load_before']} before, {race['load_after']} after.",
            f"- Workload: {work['rows']:,} {texts}, no two equal, {work['tokens']:,} tokens (median {work['median']}, "
            f"95 % {work['at_95']}, at most {work['longest']}); {work['model']}; "
            f"layers {', '.join(map(str, work['layers']))}, mean-pooled, to Parquet.",
            f"- {work['rounds']} rounds, everyone in every round, beginning with another each time; "
            f"{sizes}, in input order {work['input_order_batch']}. Repository at commit {machine['commit']}.",
            *instruction_sets(race),
        ]),
        "\n".join(ratio_table(race)),
        "\n".join(figure_table(race)),
        "\n".join(tuning_table(race)),
        f"![tokens per second]({plot})" if plot else "",
        "\n".join(check_table(race)),
        "\n".join(raw_table(race)),
        "\n".join(absent(race)),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def instruction_sets(race: dict) -> list[str]:
    """Says so where everyone is held to AVX2."""
    work = race["workload"]
    if not work.get("avx2"):
        return []
    if not work["environment"]:
        return ["- Instructions: AVX2, as this processor has nothing wider."]
    variables = ", ".join(f"`{name}={value}`" for name, value in work["environment"].items())
    return [
        f"- Instructions: everyone held to AVX2 by {variables}; OpenVINO and ONNX Runtime, who ask the processor besides or "
        "instead, are told of one that has nothing wider (`held.py`)."
    ]


def ratio_table(race: dict) -> list[str]:
    lines = [
        "## strata against the best peer\n",
        "| | best peer | its loop ÷ our whole run | its whole ÷ our whole | its loop ÷ our encode stage "
        "| our time outside the encode stage |",
        "|---|---|---|---|---|---|",
    ]
    for row in ratios(race):
        lines.append(
            f"| {row['precision']} | {row['best_peer']} | **{row['whole_run_against_loop']:.2f}** "
            f"(wanted: {TARGET}) | {row['whole_run_against_whole']:.2f} | {row['encode_stage_against_loop']:.2f} "
            f"| {row['outside_encode_percent']:.1f} % |"
        )
    return lines if len(lines) > 3 else []


def figure_table(race: dict) -> list[str]:
    tokens = race["workload"]["tokens"]
    lines = [
        "## Medians\n",
        "| contender | precision | rows a batch | loop s | whole s | tokens/s (whole) | padding | peak memory | load s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for contender in sorted(finished(race).values(), key=lambda c: (c["precision"], middle(c, "whole"))):
        run = contender["runs"][-1]
        padded, load = run["padded_tokens"], contender["load"]
        lines.append(
            f"| {contender['label']} | {contender['precision']} | {contender.get('batch_size') or ''} "
            f"| {middle(contender, 'loop'):.2f} "
            f"| {middle(contender, 'whole'):.2f} | {tokens / middle(contender, 'whole'):.0f} "
            f"| {f'{100 * (padded - tokens) / padded:.1f} %' if padded else ''} "
            f"| {run['peak_memory_bytes'] / 2**30:.2f} GiB | {'in whole' if load is None else f'{load:.1f}'} |"
        )
    return lines


def tuning_table(race: dict) -> list[str]:
    tuned = [contender for contender in finished(race).values() if contender.get("tuning")]
    if not tuned:
        return []
    sizes = list(tuned[0]["tuning"])
    lines = [
        f"## Batch sizes\n\nSeconds of the loop over {race['workload']['tune_rows']:,} of the texts, before the race.\n",
        f"| contender | {' | '.join(sizes)} | in the race |",
        "|---|" + "---|" * (len(sizes) + 1),
    ]
    for contender in tuned:
        seconds = [f"{contender['tuning'][size]:.2f}" for size in sizes]
        lines.append(f"| {title(contender)} | {' | '.join(seconds)} | {contender['batch_size']} |")
    return lines


def check_table(race: dict) -> list[str]:
    if race["nearest_rows"] is None:
        return []
    lines = [
        f"## Same vectors\n\nAgainst strata in float32; two different rows come as near as "
        f"{race['nearest_rows']:.6f}.\n",
        "| contender | layers compared | lowest cosine | largest difference | |",
        "|---|---|---|---|---|",
    ]
    for contender in finished(race).values():
        if check := contender["check"]:
            lines.append(
                f"| {title(contender)} | {check['layers']} | {check['lowest_cosine']:.7f} "
                f"| {check['largest_difference']:.1e} | {'' if contender['correct'] else '**wrong**'} |"
            )
    return lines


def raw_table(race: dict) -> list[str]:
    rounds = range(1, race["workload"]["rounds"] + 1)
    lines = [
        "## Every round\n\nSeconds of the loop / of the whole.\n",
        "| contender | version | " + " | ".join(f"round {number}" for number in rounds) + " |",
        "|---|---|" + "---|" * len(rounds),
    ]
    for contender in finished(race).values():
        cells = [f"{run['loop']:.2f} / {run['whole']:.2f}" for run in contender["runs"]]
        cells += [""] * (len(rounds) - len(cells))
        lines.append(f"| {title(contender)} | {contender['versions']} | {' | '.join(cells)} |")
    return lines


def absent(race: dict) -> list[str]:
    failed = [f"- {title(c)}: {c['failed']}" for c in race["contenders"].values() if c["failed"]]
    return ["## Not in the race\n", *failed] if failed else []
