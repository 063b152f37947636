import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pyarrow as pa
import pytest
from conftest import FIXTURES, MINILM, PROGRAM, TEXTS

import strata
from strata import Encoder


def test_vectors_are_the_programs_bit_for_bit(tiny, by_program):
    table = by_program(
        pa.table({"text": TEXTS}), "--model", tiny, "--layers", "0,2,-1", "--pooling", "mean,cls", "--keep", "none"
    )
    encoded = Encoder(tiny, layers=[0, 2, -1], pooling=["mean", "cls"]).encode(TEXTS)
    assert list(encoded) == [name for name in table.column_names if name.startswith("layer")]
    for name, vectors in encoded.items():
        assert vectors.dtype == np.float32 and vectors.shape == (len(TEXTS), 20)
        stored = table[name].combine_chunks().flatten().to_numpy().reshape(vectors.shape)
        assert (vectors.view(np.uint32) == stored.view(np.uint32)).all(), name


def test_one_column_is_an_array_and_one_text_has_no_first_dimension(tiny):
    encoder = Encoder(tiny, layers="all", combine="stack")
    many, one = encoder.encode(TEXTS), encoder.encode(TEXTS[0])
    assert many.shape == (len(TEXTS), 5, 20) and one.shape == (5, 20)
    assert np.allclose(many[0], one, atol=1e-6)


def test_no_texts_have_no_vectors(tiny):
    assert Encoder(tiny).encode([]).shape == (0, 20)


def test_a_texts_bits_do_not_depend_on_its_company():
    encoder = Encoder(MINILM, threads=1)
    together = Encoder(MINILM).encode(TEXTS * 40)
    for place, text in enumerate(TEXTS):
        assert (together[place :: len(TEXTS)] == encoder.encode(text)).all()


def test_pairs_are_the_programs(tiny, by_program):
    table = by_program(pa.table({"text": ["cat", "dog"], "pair": ["the dog", ""]}), "--model", tiny, "--text-pair", "pair")
    encoded = Encoder(tiny).encode(["cat", "dog"], pairs=["the dog", ""])
    assert (encoded == np.stack(table["layer_4_mean"].to_numpy())).all()
    with pytest.raises(strata.UsageError, match="as many pairs as texts"):
        Encoder(tiny).encode(["cat", "dog"], pairs=["one"])


def test_a_real_model_gives_what_transformers_gave():
    """Recorded with transformers; the script beside the record says how."""
    safetensors = pytest.importorskip("safetensors.numpy")
    import json

    reference = json.loads((FIXTURES / "minilm" / "reference.json").read_text())
    states = safetensors.load_file(FIXTURES / "minilm" / "reference.safetensors")
    encoder = Encoder(MINILM, layers="all", pooling=["cls", "mean"], max_length=reference["max_length"])
    encoded = encoder.encode([text["text"] for text in reference["texts"]])
    for index in range(len(reference["texts"])):
        for pooling in ("cls", "mean"):
            found = np.stack([encoded[f"layer_{layer}_{pooling}"][index] for layer in range(7)])
            expected = states[f"text_{index}.{pooling}"]
            assert np.abs(found - expected).max() < 1e-4


def test_errors_are_exceptions_with_the_programs_messages(tiny, tmp_path):
    with pytest.raises(strata.UsageError, match="layer 9") as raised:
        Encoder(tiny, layers=9).encode("a")
    assert isinstance(raised.value, ValueError)
    with pytest.raises(strata.ConfigurationError, match="no model folder") as raised:
        Encoder(tmp_path / "nowhere").encode("a")
    assert "config.json" in raised.value.hint and str(raised.value).endswith(raised.value.hint)
    with pytest.raises(strata.UsageError, match="pooling|variant|Matching"):
        Encoder(tiny, pooling="median").encode("a")
    with pytest.raises(strata.UsageError, match="encode_table"):
        Encoder(tiny, unit="token").encode("a")
    with pytest.raises(strata.DataError, match="found NoneType in place 1"):
        Encoder(tiny).encode(["a", None])


def test_a_long_text_is_refused_where_that_is_wanted(tiny):
    with pytest.raises(strata.DataError, match="the text in place 3"):
        Encoder(tiny, overflow="error").encode(TEXTS)
    assert Encoder(tiny, overflow="truncate").encode(TEXTS).shape == (len(TEXTS), 20)


def test_a_text_without_a_vector_is_not_a_number(tiny):
    vectors = Encoder(tiny, special_tokens="exclude").encode(["cat", ""])
    assert np.isfinite(vectors[0]).all() and np.isnan(vectors[1]).all()


def test_whatever_has_columns_is_not_taken_for_texts(tiny):
    import pandas as pd

    for table in ({"text": TEXTS}, pd.DataFrame({"text": TEXTS})):
        with pytest.raises(strata.UsageError, match="of columns"):
            Encoder(tiny).encode(table)
    with pytest.raises(strata.UsageError, match="one text"):
        Encoder(tiny).transform("a text")


def test_columns_of_arrow_are_texts(tiny):
    encoder = Encoder(tiny)
    expected, column = encoder.encode(TEXTS), pa.chunked_array([TEXTS[:2], TEXTS[2:]])
    for texts in (column, column.combine_chunks(), column.cast(pa.large_string()), column.dictionary_encode()):
        assert (encoder.encode(texts) == expected).all() and (encoder.transform(texts) == expected).all()
    assert (encoder.encode(column, pairs=column) == encoder.encode(TEXTS, pairs=TEXTS)).all()
    with pytest.raises(strata.DataError, match="found NoneType in place 1") as raised:
        encoder.encode(pa.array(["a", None]))
    assert "leave missing texts out" in raised.value.hint
    with pytest.raises(strata.DataError, match="found int in place 0"):
        encoder.encode(pa.array([1]))


def test_what_is_no_text_is_told(tiny):
    for nothing in (None, 3):
        with pytest.raises(strata.UsageError, match=f"expected texts, found {type(nothing).__name__}"):
            Encoder(tiny).encode(nothing)


@pytest.mark.parametrize("program", [None, PROGRAM])
def test_the_place_of_a_text_that_is_no_unicode_is_told(tiny, program):
    encoder = Encoder(tiny, program=program)
    with pytest.raises(strata.DataError, match=r"U\+D800 at character 1 of the text in place 0"):
        encoder.encode("a\ud800")
    with pytest.raises(strata.DataError, match=r"U\+DC80 at character 0 of the text in place 2") as raised:
        encoder.encode(["a", "b", "\udc80"])
    assert str(raised.value).encode(), "the message itself is Unicode"
    with pytest.raises(strata.DataError, match="of the second text in place 1"):
        encoder.encode(["a", "b"], pairs=["a", "b\ud800"])


def test_no_layers_are_told_as_such(tiny):
    for nothing in ([], (), np.array([], int)):
        with pytest.raises(strata.UsageError, match="at least one layer"):
            Encoder(tiny, layers=nothing).encode("a")


def test_what_can_be_read_only_once_is_no_argument(tiny):
    for name, items in (("layers", [0, 1]), ("pooling", ["mean", "cls"]), ("keep", ["id"])):
        encoder = Encoder(tiny, **{name: (item for item in items)})
        for _ in range(2):
            with pytest.raises(strata.UsageError, match=f"list of these for {name}, found generator") as raised:
                encoder.encode("a")
        assert "give a list" in raised.value.hint and name in repr(encoder)
        assert list(encoder.get_params()[name]) == items, "nobody has read it"
    with pytest.raises(strata.UsageError, match="for layers, found object"):
        Encoder(tiny, layers=object()).encode("a")


def test_arguments_may_be_arrays_and_are_as_they_are_now(tiny):
    encoder = Encoder(tiny, layers=np.array([0, 1]), normalize=np.bool_(True))
    assert list(encoder.encode("a")) == ["layer_0_mean", "layer_1_mean"]
    encoder.layers = 2
    assert encoder.encode("a").shape == (20,) and "layers=2" in repr(encoder)
    with pytest.raises(strata.UsageError, match="'bogus'"):
        encoder.set_params(layers=3, bogus=1)
    assert encoder.layers == 2


def test_what_one_might_not_expect_of_a_model_is_a_warning(tmp_path):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(FIXTURES / "tiny-bert", folder)
    with pytest.warns(UserWarning, match="modules.json"):
        Encoder(folder, pooling="sentence").encode("a")


def test_every_error_can_be_pickled():
    for kind in (strata.UsageError, strata.NotFound, strata.SystemFailure, strata.DataError):
        error = pickle.loads(pickle.dumps(kind("what", "do this")))
        assert (type(error), error.message, error.hint) == (kind, "what", "do this")
        assert str(error) == "what\nhint: do this"


def test_an_encoder_pickles_as_its_arguments(tiny):
    encoder = Encoder(tiny, layers=[0, -1], normalize=True)
    encoder.encode("a")
    copy = pickle.loads(pickle.dumps(encoder))
    assert repr(copy) == repr(encoder) and len(pickle.dumps(encoder)) < 2000
    assert (copy.encode("a")["layer_0_mean"] == encoder.encode("a")["layer_0_mean"]).all()


def _encode_in_a_fork(encoder, queue):
    queue.put(encoder.encode(TEXTS))


def test_an_encoder_works_on_behind_a_fork(tiny):
    encoder = Encoder(tiny)
    before = encoder.encode(TEXTS)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_encode_in_a_fork, args=(encoder, queue))
    child.start()
    assert (queue.get(timeout=60) == before).all()
    child.join(timeout=60)
    assert child.exitcode == 0


def test_other_threads_run_meanwhile(tiny):
    encoder, ticks, done = Encoder(tiny, layers="all"), [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    ticker = threading.Thread(target=tick)
    ticker.start()
    start = time.monotonic()
    encoder.encode(TEXTS * 4000)
    end = time.monotonic()
    done.set()
    ticker.join()
    assert sum(start < moment < end for moment in ticks) >= 3


def test_ctrl_c_ends_the_work_at_once(tiny):
    script = f"""
import sys, strata
encoder = strata.Encoder({str(tiny)!r}, layers="all")
encoder.encode("a")
print("ready", flush=True)
try:
    while True:
        encoder.encode(["token " * 40] * 200_000)
except KeyboardInterrupt:
    sys.exit(7)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    time.sleep(1)
    sent = time.monotonic()
    os.kill(child.pid, signal.SIGINT)
    assert child.wait(timeout=60) == 7
    # Far less than the 200,000 texts take.
    assert time.monotonic() - sent < 10


def test_threads_belong_to_an_encoder(tiny):
    one, two = Encoder(tiny, threads=1), Encoder(tiny, threads=2)
    one.encode("a"), two.encode("a")
    count = lambda: len(os.listdir("/proc/self/task"))  # noqa: E731
    before = count()
    Encoder(tiny, threads=1).encode("a")
    assert count() <= before + 1


def test_what_people_do_most_is_one_call_each_and_equals_transformers():
    """A layer by number, all layers of one sentence, and the first tokens of chosen layers."""
    sentence = "The cook burns the rye bread."
    third = Encoder(MINILM, layers=3).encode(sentence)
    assert third.shape == (384,)
    every = Encoder(MINILM, layers="all", combine="stack").encode(sentence)
    assert every.shape == (7, 384) and np.allclose(every[3], third, atol=1e-6)
    chosen = Encoder(MINILM, layers=[1, 3, 6], combine="concat").encode(sentence)
    assert chosen.shape == (3 * 384,) and np.allclose(chosen[384:768], third, atol=1e-6)
    firsts = Encoder(MINILM, layers=[1, 3, 6], combine="stack", pooling="cls").encode(sentence)
    assert firsts.shape == (3, 384)
    tokens = Encoder(MINILM, layers=[1, 3, 6], unit="token", combine="stack").encode_table(pa.table({"text": [sentence]}))
    assert np.allclose(tokens.column(tokens.num_columns - 1)[0].as_py(), firsts, atol=1e-6)
