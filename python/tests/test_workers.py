"""Runs whose parts are made by workers: here in this process, on clusters as in `cluster/test_ray.py`."""

import json
import os
import signal
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import strata
from strata import _strata

ROWS = 100


@pytest.fixture
def arguments(tiny, tmp_path):
    """The command line of a run of ten parts."""
    for name, first in (("a", 0), ("b", 50)):
        texts = [f"the cat {row}" if row % 7 else None for row in range(first, first + ROWS // 2)]
        pq.write_table(pa.table({"id": range(first, first + ROWS // 2), "text": texts}), tmp_path / f"{name}.parquet")

    def given(output="out", rows_per_part=10, *more):
        inputs = [str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")]
        options = ["--rows-per-part", str(rows_per_part), "--progress", "never", "--quiet", *more]
        return ["--input", *inputs, "--model", str(tiny), "--output", str(tmp_path / output), *options]

    return given


def run(arguments, make):
    return json.loads(_strata.ray(["strata", "ray", *arguments], make))


def worker(order, **changes):
    """A worker, with other options than the run's where they are given as `table__key`."""
    options = json.loads(order)["options"]
    for place, value in changes.items():
        table, key = place.split("__")
        options[table][key] = value
    return _strata.Worker(json.dumps(options))


def in_one(order, parts):
    """All parts by one worker."""
    maker = worker(order)
    for name, rows, _ in parts:
        skipped = maker.make([name])
        yield rows, 0, skipped


def visible(output):
    files = {path.name: path.read_bytes() for path in (output / "data").iterdir()}
    return files | {name: (output / name).read_bytes() for name in ("_strata/manifest.json", "_SUCCESS")}


def test_workers_make_what_the_program_makes(arguments, program, tmp_path):
    program("run", *arguments("by_program"))
    report = run(arguments(), in_one)
    assert visible(tmp_path / "out") == visible(tmp_path / "by_program")
    assert report["rows"] == ROWS and report["parts_written"] == 10 and report["nulls"] == 15
    assert run(arguments(), in_one)["parts_kept"] == 10


def test_a_part_that_two_workers_make_is_there_once(arguments, program, tmp_path):
    program("run", *arguments("by_program"))

    def twice(order, parts):
        first, second = worker(order), worker(order)
        for name, rows, _ in parts:
            first.make([name])
            second.make([name])
            yield rows, 0, {}

    run(arguments(), twice)
    assert visible(tmp_path / "out") == visible(tmp_path / "by_program")


def test_a_worker_that_outlives_its_run_changes_nothing_in_the_next(arguments, program, tmp_path):
    program("run", *arguments("by_program", 7))
    alive = []

    def stops(order, parts):
        alive.append(worker(order))
        alive[0].make([parts[0][0]])
        yield parts[0][1], 0, {}
        raise RuntimeError("the machine is gone")

    with pytest.raises(RuntimeError, match="the machine is gone"):
        run(arguments(), stops)
    assert len(list((tmp_path / "out" / "data").iterdir())) == 1

    def others(order, parts):
        # Parts of the same names have other rows now.
        with pytest.raises(strata.ConfigurationError, match="another run has changed"):
            alive[0].make(["a-00001.parquet"])
        yield from in_one(order, parts)

    run(arguments("out", 7), others)
    assert visible(tmp_path / "out") == visible(tmp_path / "by_program")


def test_parts_that_are_said_to_be_made_and_are_not_there_are_told(arguments, tmp_path):
    def forgets(order, parts):
        yield from in_one(order, [part for part in parts if part[0] != "b-00003.parquet"])

    with pytest.raises(strata.TryAgain, match=r"made the part b-00003\.parquet, and .*out does not have it"):
        run(arguments(), forgets)
    assert not (tmp_path / "out" / "_SUCCESS").exists()
    assert run(arguments(), in_one)["parts_written"] == 1


def test_a_worker_that_would_make_something_else_is_refused(arguments, tiny, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for name in ("a", "b"):
        table = pq.read_table(tmp_path / f"{name}.parquet")
        pq.write_table(table.slice(0, 50) if name == "a" else table.set_column(0, "id", pa.array(range(50))), other / f"{name}.parquet")
    inputs = [str(other / "a.parquet"), str(other / "b.parquet")]
    refusals = [
        ({"input__paths": inputs}, strata.ConfigurationError, "b.parquet` that this machine sees is not the one of the run"),
        ({"model__path": str(tiny.with_name("tiny-bert-relu"))}, strata.ConfigurationError, "would be others: model"),
        ({"features__layers": [0]}, strata.ConfigurationError, "would be others: .*layers"),
        ({"output__path": str(tmp_path / "elsewhere")}, strata.NotFound, "expected an output that was begun at .*elsewhere"),
    ]

    def tries(order, parts):
        for changes, error, told in refusals:
            with pytest.raises(error, match=told):
                worker(order, **changes)
        with pytest.raises(strata.ConfigurationError, match="make no part c-00000"):
            worker(order).make(["c-00000.parquet"])
        yield from in_one(order, parts)

    assert run(arguments("out", 10, "--layers", "-1"), tries)["parts_written"] == 10


def test_what_the_cluster_raises_comes_through_and_ctrl_c_too(arguments):
    def fails(order, parts):
        yield 0, 0, {}
        raise failure

    for failure in (KeyError("cluster"), KeyboardInterrupt(), strata.DataError("bad", "mend it")):
        with pytest.raises(type(failure)) as raised:
            run(arguments(), fails)
        assert raised.value is failure


def test_ctrl_c_ends_a_run_while_it_is_planned(arguments, tmp_path):
    lines = '{"text": "the cat sat on the dog"}\n' * 1_000_000
    for place in range(4):
        (tmp_path / f"{place}.jsonl").write_text(lines)
    inputs = [str(tmp_path / f"{place}.jsonl") for place in range(4)]
    place = arguments().index("--model")

    def too_late(order, parts):
        raise AssertionError("the plan was made to its end")
        yield

    threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        run(["--input", *inputs, *arguments()[place:]], too_late)
