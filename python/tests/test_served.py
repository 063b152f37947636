"""An encoder whose model is in a process of another program."""

import gc
import os
import pickle
import signal
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import PROGRAM, TEXTS

import strata
from strata import Encoder


def servers() -> list[int]:
    """Such processes of this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
            if b"\0serve\0" in (folder / "cmdline").read_bytes() and int(parent) == os.getpid():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def test_it_gives_what_is_given_in_this_process(tiny):
    here, there = (Encoder(tiny, layers=[0, -1], keep=["id"], program=program) for program in (None, PROGRAM))
    table = pa.table({"id": range(6), "text": [*TEXTS, None]})
    assert there.encode_table(table) == here.encode_table(table) and there.columns == here.columns
    for texts, pairs in ((TEXTS, None), (TEXTS, TEXTS[::-1]), ([], None), ("one text", None)):
        expected, found = here.encode(texts, pairs), there.encode(texts, pairs)
        assert expected.keys() == found.keys()
        assert all((expected[name] == found[name]).all() and expected[name].shape == found[name].shape for name in expected)
    words = [Encoder(tiny, unit="word", program=program).encode_table(table) for program in (None, PROGRAM)]
    assert words[0] == words[1]
    assert (pickle.loads(pickle.dumps(there)).encode("a")["layer_0_mean"] == here.encode("a")["layer_0_mean"]).all()


@pytest.mark.parametrize(
    ("arguments", "texts", "error"),
    [
        ({"layers": 9}, ["a"], strata.UsageError),
        ({"overflow": "error"}, ["a", "token " * 90], strata.DataError),
        ({"model": "no/such"}, ["a"], strata.ConfigurationError),
    ],
)
def test_its_failures_are_those_of_this_process(tiny, arguments, texts, error):
    failures = []
    for program in (None, PROGRAM):
        with pytest.raises(error) as failure:
            Encoder(**({"model": tiny} | arguments), program=program).encode(texts)
        failures.append(failure.value)
    assert type(failures[0]) is type(failures[1]) and str(failures[0]) == str(failures[1])


def test_after_a_failure_it_answers_again(tiny):
    encoder = Encoder(tiny, overflow="error", program=PROGRAM)
    with pytest.raises(strata.DataError):
        encoder.encode(["token " * 90])
    assert encoder.encode("a text").shape == (20,)


def test_a_program_that_is_no_more_is_told_and_started_again(tiny):
    before = servers()
    encoder = Encoder(tiny, program=PROGRAM).fit([])
    [server] = set(servers()) - set(before)
    os.kill(server, signal.SIGKILL)
    with pytest.raises(strata.SystemFailure, match="exit code -9"):
        encoder.encode("a text")
    assert encoder.encode("a text").shape == (20,)
    with pytest.raises(strata.NotFound, match="cannot start /no/such"):
        Encoder(tiny, program="/no/such").encode("a")


def test_ctrl_c_ends_the_work_and_not_the_encoder(tiny):
    encoder = Encoder(tiny, program=PROGRAM).fit([])
    texts = [f"the cat {number} " * 20 for number in range(60_000)]
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        encoder.encode(texts)
    assert time.monotonic() - start < 10
    assert encoder.encode("a text").shape == (20,)


def test_it_ends_with_its_encoder(tiny):
    before = servers()
    encoder = Encoder(tiny, program=PROGRAM).fit([])
    assert len(servers()) == len(before) + 1
    del encoder
    gc.collect()
    assert len(servers()) <= len(before)
