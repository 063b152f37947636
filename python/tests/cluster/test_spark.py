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
        for row, (found, wanted) in enumerate(zip(made[name].to_pylist(), expected[name].to_pylist(), strict=True)):
            assert (found is None) == (wanted is None) and (found is None or np.allclose(found, wanted, atol=1e-6)), row


def test_times_stay_what_they_are_and_partitions_may_be_empty_or_without_texts(spark):
    from strata.spark import featurize

    times = "timestamp '2024-02-29 10:30:00.25'", "timestamp_ntz '2024-02-29 10:30:00.25'"
    frame = spark.sql(f"SELECT id, {times[0]} AS at, {times[1]} AS local, CAST(NULL AS string) AS text FROM range(5)")
    made = featurize(frame.repartition(8), TINY, layers=[0, -1])
    assert dict(made.dtypes)["at"] == "timestamp" and dict(made.dtypes)["local"] == "timestamp_ntz"
    rows = made.orderBy("id").collect()
    before = frame.orderBy("id").collect()
    assert [(row.at, row.local, row.layer_4_mean) for row in rows] == [(row.at, row.local, None) for row in before]
    assert featurize(frame.where("id < 0"), TINY).count() == 0


def test_a_stack_is_a_list_of_lists_and_words_have_rows_of_their_own(spark):
    from strata import Encoder
    from strata.spark import featurize

    frame = spark.createDataFrame([(1, "the cat sat"), (2, "hello world")], "id int, text string")
    stack = featurize(frame, TINY, layers="all", combine="stack").toArrow().sort_by("id")
    expected = Encoder(TINY, layers="all", combine="stack").encode(["the cat sat", "hello world"])
    assert np.array(stack[stack.column_names[-1]].to_pylist(), np.float32).shape == expected.shape == (2, 5, 20)
    words = featurize(frame, TINY, unit="word", keep=["id"], dtype="float16").toArrow()
    assert sorted(words["id"].to_pylist()) == [1, 1, 1, 2, 2]
