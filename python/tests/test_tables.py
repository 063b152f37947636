import os
import signal
import threading
import time

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import TEXTS

import strata
from strata import Encoder

TABLE = pa.table({"id": pa.array(range(len(TEXTS)), pa.uint32()), "text": TEXTS})


def test_a_table_is_the_programs_bit_for_bit(tiny, by_program):
    texts = pa.table({"id": [1, 2, 3], "text": ["The cat sat.", None, "token " * 80]})
    by_program = by_program(texts, "--model", tiny, "--layers", "all")
    table = Encoder(tiny, layers="all").encode_table(texts)
    assert table.column_names == by_program.column_names
    for name in table.column_names:
        assert table[name].to_pylist() == by_program[name].to_pylist(), name


@pytest.mark.parametrize("unit", ["token", "word"])
def test_units_are_the_programs(tiny, by_program, unit):
    by_program = by_program(TABLE, "--model", tiny, "--unit", unit)
    table = Encoder(tiny, unit=unit).encode_table(TABLE)
    assert table.to_pylist() == by_program.to_pylist()


def test_labels_of_given_words_go_with_them_into_a_probe(tiny, by_program, program, tmp_path):
    nouns = ["cat", "dog", "bird"]
    words = [["The", nouns[row % 3], "sat"] for row in range(60)]
    texts = pa.table({"words": words, "tag": [["DET", "NOUN", None]] * 60})
    options = ["--model", tiny, "--unit", "word", "--words", "words", "--align", "tag"]
    table = Encoder(tiny, unit="word", words="words", align="tag").encode_table(texts)
    assert table.to_pylist() == by_program(texts, *options).to_pylist()
    assert table["tag"].to_pylist() == ["DET", "NOUN", None] * 60
    pq.write_table(texts, tmp_path / "in.parquet")
    program("run", "--input", tmp_path / "in.parquet", *options, "--output", tmp_path / "out")
    program("probe", tmp_path / "out", "--label", "tag", "--seeds", "1", "--output", tmp_path / "report")
    assert pl.read_parquet(tmp_path / "report" / "report.parquet")["score"][0] == 1.0


def test_rows_are_counted_on_over_batches(tiny):
    batches = pa.Table.from_batches(TABLE.to_batches(max_chunksize=2))
    encoder = Encoder(tiny, unit="word")
    divided, whole = encoder.encode_table(batches), encoder.encode_table(TABLE)
    assert divided.drop("layer_4_mean").to_pylist() == whole.drop("layer_4_mean").to_pylist()
    assert np.allclose(*(np.stack(table["layer_4_mean"].to_numpy()) for table in (divided, whole)), atol=1e-6)


def test_whatever_gives_a_stream_is_taken(tiny):
    encoder = Encoder(tiny)
    expected = encoder.encode(TEXTS)
    frame = TABLE.to_pandas()
    connection = duckdb.connect()
    sources = {
        "pyarrow": TABLE,
        "reader": TABLE.to_reader(),
        "polars": pl.from_arrow(TABLE),
        "pandas": frame,
        "duckdb": connection.sql("from frame"),
        "large": TABLE.set_column(1, "text", TABLE["text"].cast(pa.large_string())),
        "views": TABLE.set_column(1, "text", TABLE["text"].cast(pa.string_view())),
        "dictionary": TABLE.set_column(1, "text", TABLE["text"].dictionary_encode()),
    }
    for name, source in sources.items():
        table = encoder.encode_table(source)
        found = np.stack(table["layer_4_mean"].to_numpy())
        assert (found == expected).all(), name
        assert table["id"].to_pylist() == list(range(len(TEXTS))), name


def test_batches_come_as_they_are_asked_for(tiny):
    asked = []

    def batches():
        for number in range(5):
            asked.append(number)
            yield pa.record_batch({"text": [f"text {number}"]})

    source = pa.RecordBatchReader.from_batches(pa.schema({"text": pa.string()}), batches())
    reader = Encoder(tiny).encode_batches(source)
    assert asked == []
    reader.read_next_batch()
    assert len(asked) <= 2


def test_ctrl_c_ends_a_table_between_two_forward_passes(tiny):
    encoder = Encoder(tiny).fit([])
    table = pa.table({"text": [f"the cat {number} " * 20 for number in range(200_000)]})
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        encoder.encode_table(table)
    assert time.monotonic() - start < 5
    assert encoder.encode("a text").shape == (20,)


def test_slices_are_their_own_rows(tiny):
    encoder = Encoder(tiny)
    kept = TABLE.append_column("list", pa.array([[row] * row for row in range(len(TEXTS))]))
    kept = kept.append_column("fixed", pa.FixedSizeListArray.from_arrays(pa.array(range(2 * len(TEXTS))), 2))
    kept = kept.append_column("name", TABLE["text"].dictionary_encode())
    whole = encoder.encode_table(kept)
    for start, length in ((1, 3), (4, 1), (2, 0)):
        part, batch = kept.slice(start, length), kept.to_batches()[0].slice(start, length)
        expected = whole.slice(start, length).drop(["layer_4_mean"]).to_pylist()
        for found in (encoder.encode_table(part), encoder(batch), encoder(part)):
            assert found.select(whole.drop(["layer_4_mean"]).column_names).to_pylist() == expected
        columns = encoder({name: part[name] for name in part.column_names})
        assert len(columns["layer_4_mean"]) == length


def test_a_column_of_texts_that_are_all_missing_needs_no_type(tiny):
    made = Encoder(tiny)(pa.table({"id": [1, 2], "text": pa.nulls(2)}))
    assert made["layer_4_mean"].null_count == 2 and made["id"].to_pylist() == [1, 2]


def test_what_comes_is_read_by_polars_pandas_and_duckdb(tiny):
    encoded = Encoder(tiny).encode_table(TABLE)
    frame = pl.from_arrow(encoded)
    assert frame["layer_4_mean"].to_numpy().shape == (len(TEXTS), 20)
    assert duckdb.sql("select count(*), len(any_value(layer_4_mean)) from encoded").fetchall() == [(len(TEXTS), 20)]
    assert len(encoded.to_pandas()["layer_4_mean"][0]) == 20


def test_a_call_gives_back_what_it_was_given(tiny):
    encoder = Encoder(tiny)
    expected = encoder.encode(TEXTS)
    columns = encoder({"text": TEXTS, "label": list(range(len(TEXTS)))})
    assert columns["label"] == list(range(len(TEXTS))) and (columns["layer_4_mean"] == expected).all()
    batch = encoder(TABLE.to_batches()[0])
    assert isinstance(batch, pa.RecordBatch) and batch.num_rows == len(TEXTS)
    assert isinstance(encoder(TABLE), pa.Table)
    assert encoder(TABLE.slice(0, 0)).num_rows == 0


def test_missing_texts_and_arrays_beside_them_are_columns_too(tiny):
    encoder = Encoder(tiny)
    columns = encoder({"text": [None, None], "place": np.zeros((2, 3))})
    assert columns["layer_4_mean"] == [None, None] and columns["place"][0] == [0, 0, 0]
    assert len(encoder({"text": []})["layer_4_mean"]) == 0


def test_the_metadata_and_meaning_of_kept_columns_stay(tiny):
    schema = pa.schema([pa.field("text", pa.string()), pa.field("at", pa.timestamp("ms", "UTC"), metadata={"a": "b"})])
    table = Encoder(tiny).encode_table(pa.table([["a"], [pd.Timestamp("2024-01-01", tz="UTC")]], schema=schema))
    assert table.schema.field("at").type == pa.timestamp("ms", "UTC")
    assert table.schema.field("at").metadata == {b"a": b"b"}


def test_columns_that_are_not_there_are_told_with_those_that_are(tiny):
    with pytest.raises(strata.Error, match="text.*words|words.*text"):
        Encoder(tiny).encode_table(pa.table({"words": ["a"]}))


def test_what_gives_no_stream_of_tables_is_told_with_what_does(tiny):
    encoder = Encoder(tiny)
    columns = {"text": TEXTS}
    for data, hint in ((pl.LazyFrame(columns), "collect"), (columns, "the encoder itself"), (TEXTS, "encode takes")):
        with pytest.raises(strata.UsageError, match=f"gives an Arrow stream, found {type(data).__name__}") as raised:
            encoder.encode_table(data)
        assert hint in raised.value.hint
    with pytest.raises(strata.UsageError, match="found LazyFrame"):
        encoder(pl.LazyFrame(columns))
    with pytest.raises(strata.DataError, match="found a Series") as raised:
        encoder.encode_table(pl.Series("text", TEXTS))
    assert "encode takes a column" in raised.value.hint


def test_a_column_that_arrow_cannot_hold_is_told(tiny):
    encoder = Encoder(tiny)
    numbers = pl.DataFrame({"text": ["a"], "n": pl.Series([1], dtype=pl.Int128)})
    with pytest.raises(strata.DataError, match=r"found the column `n` \(Int128\)"):
        encoder.encode_table(numbers)
    with pytest.raises(strata.DataError, match="column text"):
        encoder.encode_table(pd.DataFrame({"text": ["a", 1]}, dtype=object))
    with pytest.raises(strata.DataError, match=r"U\+D800 at character 1 of the column `text` in place 1"):
        encoder.encode_table(pd.DataFrame({"text": ["a", "b\ud800"]}, dtype=object))
    with pytest.raises(strata.DataError, match="Duplicate column names"):
        encoder.encode_table(pd.DataFrame([["a", "b"]], columns=["text", "text"]))


def test_columns_by_name_that_make_no_table_are_told(tiny):
    encoder = Encoder(tiny)
    with pytest.raises(strata.DataError, match=r"of the column `text` in place 1"):
        encoder({"text": ["a", "b\ud800"]})
    with pytest.raises(strata.DataError, match="one type of Arrow in the column `text`"):
        encoder({"text": ["a", 1]})
    with pytest.raises(strata.DataError, match=r"of one length, found text \(2\), id \(1\)"):
        encoder({"text": ["a", "b"], "id": [1]})


def test_kept_lists_with_missing_values_keep_the_others(tiny):
    encoder, large = Encoder(tiny), 2**60 + 1
    pairs = pa.list_(pa.int64(), 2)
    for kind, values in (
        (pairs, [[large, None], [3, 4]]),
        (pairs, [[large, 2], None]),
        (pa.list_(pairs, 2), [[[large, 2], None], [[3, 4], [5, 6]]]),
        (pa.list_(pairs, 2), [[[large, 2], [3, None]], [[3, 4], [5, 6]]]),
    ):
        columns = encoder({"text": pa.array(["a", "b"]), "kept": pa.array(values, kind)})
        assert columns["kept"] == values and columns["layer_4_mean"].shape == (2, 20)
        # What is missing in rows that are not there is nothing to the others.
        if values[1] is not None:
            part = encoder({"text": pa.array(["b"]), "kept": pa.array(values, kind)[1:]})
            assert part["kept"].dtype == np.int64 and part["kept"].tolist() == values[1:]


def test_datasets_map_keeps_the_vectors(tiny):
    datasets = pytest.importorskip("datasets")
    encoder = Encoder(tiny)
    dataset = datasets.Dataset.from_dict({"text": TEXTS}).map(encoder, batched=True, batch_size=2)
    assert np.allclose(dataset["layer_4_mean"], encoder.encode(TEXTS), atol=1e-6)
