import random
import signal
import subprocess
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray
from conftest import PROGRAM, TINY, kill, leftovers, options, processes, texts, visible, wait_until
from ray.cluster_utils import Cluster

import strata
import strata.ray
from strata import Encoder

WORKER = "ray::_Worker"


@pytest.fixture
def cluster():
    """Three nodes of one processor each, on this machine."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, logging_level="ERROR")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def own_cluster():
    """What Ray starts on this machine."""
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    yield
    ray.shutdown()


def beside(action):
    """A thread that does something beside the run."""
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    return thread


def parts(output):
    return len(list((output / "data").glob("*"))) if (output / "data").exists() else 0


def test_a_run_whose_node_is_lost_in_the_middle_gives_the_bytes_of_the_program(cluster, corpus, by_program, tmp_path):
    output = tmp_path / "out"
    lost = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    at_loss = []

    def lose():
        wait_until(lambda: parts(output) >= 30)
        at_loss.append(parts(output))
        cluster.remove_node(lost, allow_graceful=False)

    loser = beside(lose)
    report = strata.ray.run(None, *options(corpus, output), num_workers=4)
    loser.join()
    assert 30 <= at_loss[0] < 200, "the node was lost in the middle"
    assert visible(output) == by_program
    assert leftovers(output) == []
    assert report["rows"] == 10_000 and report["parts_written"] == 200 and report["outcome"] == "success"
    assert report["nulls"] == len([text for rows in (6000, 2500, 1500) for text in texts(rows) if text is None])


def test_a_run_whose_workers_are_killed_ten_times_gives_the_bytes_of_the_program(cluster, corpus, by_program, tmp_path):
    output, killed = tmp_path / "out", []
    generator = random.Random(1)

    def murder():
        for turn in range(10):
            wait_until(lambda least=5 + 18 * turn: parts(output) >= least and processes(WORKER))
            victims = []
            while not victims:
                victims = processes(WORKER)
            killed.append((generator.choice(victims), parts(output)))
            kill(killed[-1][0])

    murderer = beside(murder)
    strata.ray.run(None, *options(corpus, output), num_workers=3)
    wait_until(lambda: not murderer.is_alive(), 5)
    assert len(killed) == 10 and all(there < 200 for _, there in killed)
    assert visible(output) == by_program
    assert leftovers(output) == []


def test_a_run_into_a_store_whose_workers_are_killed_gives_the_parts_of_the_program(own_cluster, corpus, by_program, bucket):
    def disturb():
        for number in range(1, 4):
            wait_until(lambda least=number * 20: len(bucket.keys("out/data/")) >= least)
            kill(random.choice(processes(WORKER)))

    disturbance = beside(disturb)
    report = strata.ray.run(None, *options(corpus, "s3://bucket/out"), *bucket.options(), num_workers=2)
    disturbance.join()
    assert report["outcome"] == "success"
    assert "secret" not in str(report)
    assert bucket.parts("out") == {name: part for name, part in by_program.items() if name.startswith("data/")}
    assert bucket.keys("out/_SUCCESS") and not bucket.keys("out/_strata/parts/")
    verified = subprocess.run([PROGRAM, "verify", "s3://bucket/out", *bucket.options()], capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_what_is_missing_is_made_and_nothing_else(own_cluster, corpus, by_program, tmp_path):
    output = tmp_path / "out"
    strata.ray.run(None, *options(corpus, output))
    kept = {path: path.stat().st_mtime_ns for path in (output / "data").iterdir()}
    gone = [output / "data" / name for name in ("a-00003.parquet", "b-00049.parquet")]
    for path in gone:
        path.unlink()
    report = strata.ray.run(None, *options(corpus, output))
    assert report["parts_written"] == 2 and report["parts_kept"] == 198
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items() if path not in gone)
    assert visible(output) == by_program
    assert strata.ray.run(None, *options(corpus, output))["parts_written"] == 0


def test_a_workers_failure_is_the_runs_and_what_was_committed_stays(own_cluster, tmp_path):
    lines = ['{"text": "a text"}'] * 40 + ['{"text": "' + "token " * 90 + '"}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    arguments = ["--input", str(tmp_path / "in.jsonl"), "--model", str(TINY), "--rows-per-part", "10"]
    with pytest.raises(strata.DataError, match="in.jsonl, row 40") as failure:
        strata.ray.run(
            None, *arguments, "--output", str(tmp_path / "out"), "--overflow", "error", "--progress", "never", num_workers=1
        )
    assert failure.value.hint
    assert parts(tmp_path / "out") == 4 and not (tmp_path / "out" / "_SUCCESS").exists()
    wait_until(lambda: not processes(WORKER), 30)


def test_damaged_files_are_skipped_by_name(own_cluster, corpus, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.parquet").write_bytes((corpus / "c.parquet").read_bytes())
    damaged = bytearray((corpus / "c.parquet").read_bytes())
    page = pq.ParquetFile(folder / "a.parquet").metadata.row_group(0).column(1).data_page_offset
    damaged[page + 100 : page + 200] = bytes(100)
    (folder / "b.parquet").write_bytes(bytes(damaged))
    arguments = ["--input", str(folder), "--model", str(TINY), "--progress", "never", "--on-bad-file", "skip"]
    with pytest.raises(strata.DataError, match="b.parquet"):
        strata.ray.run(None, *arguments, "--output", str(tmp_path / "out"), "--rows-per-part", "100", num_workers=2)
    made = pq.read_table(tmp_path / "out" / "data", columns=["id"])
    assert set(range(1500)) <= set(made["id"].to_pylist()) and not (tmp_path / "out" / "_SUCCESS").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--shard", "0/2"], "--shard does not go with workers"),
        (["--output", "-"], "this process's streams"),
        (["--layers", "9"], "layer"),
        (["--no-such-option"], "unexpected argument"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is(own_cluster, corpus, tmp_path, arguments, told):
    replaced = {option for option in arguments if option.startswith("--")}
    given = options(corpus, tmp_path / "out")
    for option in replaced & set(given):
        place = given.index(option)
        del given[place : place + 2]
    with pytest.raises(strata.Error, match=told):
        strata.ray.run(None, *given, *arguments)
    assert not (tmp_path / "out" / "data").exists() or parts(tmp_path / "out") == 0


def test_the_command_makes_a_cluster_of_its_own_and_ends_it(corpus, by_program, tmp_path):
    pipeline = tmp_path / "pipeline.toml"
    pipeline.write_text(f'[model]\npath = "{TINY}"\n[features]\nlayers = [0, -1]\n[output]\nrows_per_part = 50\n[run]\nmax_batch_tokens = 1024\n')
    given = options(corpus, tmp_path / "out")
    arguments = [*given[: given.index("--model")], "--output", tmp_path / "out", "--num-workers", "2", "--address", "local"]
    done = subprocess.run([PROGRAM, "ray", pipeline, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "10,000 rows in 200 parts" in done.stderr and "Traceback" not in done.stderr
    assert visible(tmp_path / "out") == by_program
    wait_until(lambda: not processes(WORKER), 30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_command_in_order_and_it_goes_on_from_there(corpus, by_program, tmp_path, number):
    output = tmp_path / "out"
    command = [PROGRAM, "ray", *options(corpus, output), "--num-workers", "2", "--address", "local"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: parts(output) >= 5)
    child.send_signal(number)
    said = child.communicate(timeout=60)[1]
    assert child.returncode == 128 + number and "interrupted by" in said and "Traceback" not in said
    assert parts(output) < 200
    wait_until(lambda: not processes(WORKER), 30)
    done = subprocess.run([PROGRAM, "run", *options(corpus, output)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert visible(output) == by_program and leftovers(output) == []


def test_ray_data_keeps_vectors_as_fixed_size_lists_and_reads_beside(own_cluster, tmp_path):
    table = pa.table({"id": range(3000), "text": [text or "" for text in texts(3000)]})
    pq.write_table(table, tmp_path / "in.parquet")
    encoded = strata.ray.featurize(ray.data.read_parquet(str(tmp_path / "in.parquet")), TINY, batch_size=500)
    made = pa.concat_tables(ray.get(encoded.to_arrow_refs())).sort_by("id")
    assert made.schema.field("layer_4_mean").type == pa.list_(pa.field("item", pa.float32()), 20)
    expected = Encoder(TINY).encode(table["text"].to_pylist())
    assert made["id"].to_pylist() == list(range(3000))
    assert np.allclose(np.stack(made["layer_4_mean"].to_numpy()), expected, atol=1e-6)


def test_ray_data_of_texts_that_are_all_missing_or_none_at_all(own_cluster):
    data = ray.data.from_items([{"id": 1, "text": None}, {"id": 2, "text": None}])
    made = pa.concat_tables(ray.get(strata.ray.featurize(data, TINY).to_arrow_refs()))
    assert made["layer_4_mean"].null_count == 2 and made["id"].to_pylist() == [1, 2]
    none = ray.data.from_arrow(pa.table({"text": pa.array([], pa.string())}))
    assert strata.ray.featurize(none, TINY).count() == 0
