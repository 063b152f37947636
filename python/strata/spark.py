"""Columns of vectors in Spark's data frames."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from strata.encoder import Encoder
from strata.errors import ConfigurationError

try:
    from pyspark.sql import DataFrame
    from pyspark.sql.pandas.types import from_arrow_schema
except ImportError as failure:
    raise ConfigurationError(f"expected PySpark, found {failure}", "pip install pyspark") from failure

#: What stands for types that Spark lacks.
WIDER = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.int64(), pa.float16(): pa.float32()}


def featurize(df: DataFrame, model: str | Path, *, threads: int | None = None, **arguments: Any) -> DataFrame:
    """The rows of a data frame with the vectors of their texts.

    Parameters
    ----------
    df : pyspark.sql.DataFrame
        It has a column of texts.
    model : str or Path
        A Hugging Face checkpoint folder, at the same path on every machine, or an id. Each Python worker loads it once.
    threads : int, optional
        Processor threads of a task: those that Spark gives it (``spark.task.cpus``) if nothing is said.
    **arguments
        Those of :class:`strata.Encoder`.

    Returns
    -------
    pyspark.sql.DataFrame
        The columns that ``strata run`` writes, with lists where those have a fixed size, and signed integers. Where
        tokens, words or spans are rows, ``row`` counts within what Spark hands over at a time: keep a column that names rows.
    """
    if threads is None:
        threads = int(df.sparkSession.conf.get("spark.task.cpus", "1") or 1)
    encoder = Encoder(model, threads=threads, **arguments)
    # What Spark itself makes of its types.
    schema = _of_spark(encoder.schema(df.limit(0).toArrow().schema))
    encode: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
    encode = partial(_encode, pickle.dumps(encoder), schema)
    return df.mapInArrow(encode, from_arrow_schema(schema, prefer_timestamp_ntz=True))


def _encode(pickled: bytes, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    encoder = _encoder(pickled)
    for batch in batches:
        for encoded in encoder.encode_batches(pa.Table.from_batches([batch])):
            yield encoded.cast(schema)


@lru_cache(maxsize=1)
def _encoder(pickled: bytes) -> Encoder:
    """The encoder of this process, which serves one task after the other."""
    encoder: Encoder = pickle.loads(pickled)
    return encoder


def _of_spark(schema: pa.Schema) -> pa.Schema:
    """The schema with types that Spark has."""
    return pa.schema([field.with_type(_type(field.type)) for field in schema])


def _type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_type(kind.value_type))
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_type(kind.value_type)))
    return WIDER.get(kind, kind)
