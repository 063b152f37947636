import numpy as np
import pyarrow as pa
import pytest
from conftest import TINY, has_java, texts

pytestmark = pytest.mark.skipif(not has_java(), reason="Spark 4 needs Java 17 or 21, and there is none")


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", "400").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


def test_a_data_frame_gets_the_vectors_that_an_encoder_gives(spark):
    from strata import Encoder
    from strata.spark import featurize

    rows = texts(2000)
    frame = spark.createDataFrame(list(enumerate(rows)), "id int, text string").repartition(4)
    encoded = featurize(frame, TINY, layers=[0, -1])
    assert dict(encoded.dtypes)["layer_4_mean"] == "array<float>" and dict(encoded.dtypes)["n_tokens"] in ("int", "bigint")
    made = encoded.toArrow().sort_by("id")
    expected = Encoder(TINY, layers=[0, -1]).encode_table(pa.table({"id": range(2000), "text": rows}))
    assert made["n_tokens"].to_pylist() == expected["n_tokens"].to_pylist()
    for name in ("layer_0_mean", "layer_4_mean"):
        assert made[name].to_pylist() == expected[name].to_pylist(), name


def test_a_stack_is_a_list_of_lists_and_words_have_rows_of_their_own(spark):
    from strata import Encoder
    from strata.spark import featurize

    frame = spark.createDataFrame([(1, "the cat sat"), (2, "hello world")], "id int, text string")
    stack = featurize(frame, TINY, layers="all", combine="stack").toArrow().sort_by("id")
    expected = Encoder(TINY, layers="all", combine="stack").encode(["the cat sat", "hello world"])
    assert np.array(stack[stack.column_names[-1]].to_pylist(), np.float32).shape == expected.shape == (2, 5, 20)
    words = featurize(frame, TINY, unit="word", keep=["id"], dtype="float16").toArrow()
    assert sorted(words["id"].to_pylist()) == [1, 1, 1, 2, 2]
