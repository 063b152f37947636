import duckdb
import numpy as np
import pyarrow as pa
import pytest
from conftest import TEXTS

import strata
from strata import Encoder
from strata.duckdb import create_function


def test_a_function_of_sql_gives_the_vectors_of_texts(tiny):
    connection = duckdb.connect()
    create_function(connection, "embed", tiny)
    texts = pa.table({"id": range(len(TEXTS) + 1), "text": [*TEXTS, None]})
    made = connection.from_arrow(texts).query("texts", "SELECT id, embed(text) FROM texts ORDER BY id").fetchall()
    assert made[-1][1] is None
    assert (np.array([vector for _, vector in made[:-1]], np.float32) == Encoder(tiny).encode(TEXTS)).all()


def test_many_rows_are_each_their_own(tiny):
    connection = duckdb.connect(config={"threads": 4})
    create_function(connection, "embed", tiny, layers=[1, 2], combine="stack")
    made = connection.sql("SELECT i, embed('the cat ' || i) AS v FROM range(20000) t(i) ORDER BY i").to_arrow_table()
    expected = Encoder(tiny, layers=[1, 2], combine="stack").encode([f"the cat {i}" for i in range(20000)])
    found = made["v"].combine_chunks().flatten().flatten().to_numpy().reshape(expected.shape)
    assert np.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("argument", [{"unit": "word"}, {"on_null": "drop"}, {"text": "t"}, {"dtype": "float16"}])
def test_arguments_that_say_nothing_there_are_refused(tiny, argument):
    with pytest.raises(strata.UsageError, match=f"{next(iter(argument))} is"):
        create_function(duckdb.connect(), "embed", tiny, **argument)


def test_several_vectors_are_refused(tiny):
    with pytest.raises(strata.UsageError, match="layer_0_mean, layer_4_mean"):
        create_function(duckdb.connect(), "embed", tiny, layers=[0, -1])
