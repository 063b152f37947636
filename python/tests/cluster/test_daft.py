import numpy as np
import pytest
from conftest import TINY, texts

import strata
from strata import Encoder

daft = pytest.importorskip("daft")


def test_a_data_frame_gets_the_vectors_that_an_encoder_gives():
    from strata.daft import featurize

    rows = texts(1000)
    frame = daft.from_pydict({"id": list(range(1000)), "text": rows})
    encoded = featurize(frame, TINY, layers=[0, -1])
    assert encoded.column_names == ["id", "text", "n_tokens", "truncated", "layer_0_mean", "layer_4_mean"]
    assert encoded.schema()["layer_4_mean"].dtype == daft.DataType.embedding(daft.DataType.float32(), 20)
    made = encoded.to_pydict()
    are_there = [row for row, text in enumerate(rows) if text is not None]
    expected = Encoder(TINY).encode([rows[row] for row in are_there])
    found = np.array([made["layer_4_mean"][row] for row in are_there], np.float32)
    assert np.allclose(found, expected, atol=1e-6)
    assert all(made["layer_4_mean"][row] is None for row, text in enumerate(rows) if text is None)


def test_a_data_frame_without_rows_has_the_columns():
    from strata.daft import featurize

    empty = daft.from_pydict({"text": ["a"]}).where(daft.col("text") == "b")
    made = featurize(empty, TINY)
    assert made.column_names[-1] == "layer_4_mean" and made.count_rows() == 0 and made.to_pydict()["layer_4_mean"] == []


@pytest.mark.parametrize("name", ["n_tokens", "truncated", "layer_4_mean"])
def test_a_name_that_is_already_there_is_refused(name):
    from strata.daft import featurize

    with pytest.raises(strata.UsageError, match=f"already has a column `{name}`, which strata would write") as raised:
        featurize(daft.from_pydict({"text": ["a"], name: [1]}), TINY)
    assert "leave it out" in raised.value.hint


def test_vectors_of_two_models_stand_side_by_side_only_under_names_of_their_own():
    from strata.daft import featurize

    once = featurize(daft.from_pydict({"text": ["a"]}), TINY)
    with pytest.raises(strata.UsageError, match="already has a column `n_tokens`"):
        featurize(once, TINY, layers=0)
    twice = featurize(once.exclude("n_tokens", "truncated"), TINY, layers=0)
    assert twice.column_names == ["text", "layer_4_mean", "n_tokens", "truncated", "layer_0_mean"]


@pytest.mark.parametrize("argument", [{"unit": "token"}, {"on_null": "drop"}, {"text_pair": "text"}, {"keep": "none"}])
def test_other_rows_and_columns_are_refused(argument):
    from strata.daft import featurize

    with pytest.raises(strata.UsageError, match=f"{next(iter(argument))} is"):
        featurize(daft.from_pydict({"text": ["a"]}), TINY, **argument)
