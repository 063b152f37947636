"""Columns of vectors in Daft's data frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from strata.encoder import Encoder
from strata.errors import ConfigurationError, UsageError

try:
    import daft
    from daft import DataFrame, DataType, Series, col
except ImportError as failure:
    raise ConfigurationError(f"expected Daft, found {failure}", "pip install 'strata-vectors[daft]'") from failure

#: The column that holds all vectors before they are columns of their own.
VECTORS = "__strata"


def featurize(
    df: DataFrame, model: str | Path, *, text: str = "text", num_workers: int | None = None, **arguments: Any
) -> DataFrame:
    """The rows of a data frame with the vectors of their texts.

    Parameters
    ----------
    df : daft.DataFrame
        It has a column of texts.
    model : str or Path
        A Hugging Face checkpoint folder, or an id.
    text : str
        The column of texts.
    num_workers : int, optional
        Processes, each with a model of its own: one, in this process, if nothing is said.
    **arguments
        Those of :class:`strata.Encoder`.

    Returns
    -------
    daft.DataFrame
        All columns of ``df``, and those that ``strata run`` adds. Vectors are embeddings.

    Raises
    ------
    UsageError
        Tokens, words or spans are to have rows of their own: Daft's functions give a value for each row.
    """
    if arguments.get("unit", "row") != "row":
        raise UsageError(
            f"Daft's functions give a value for each row, and unit is {arguments['unit']!r}",
            "strata run gives rows of their own to tokens, words and spans",
        )
    if "keep" in arguments:
        raise UsageError("all columns are kept, so that `keep` says nothing", "select columns of the data frame")
    arguments = {"model": str(model), "text": text, "keep": "none", **arguments}
    schema = Encoder(**arguments).schema(pa.schema({text: pa.string()}))
    vectors = DataType.struct({field.name: _type(field.type) for field in schema})
    encode = daft.udf(return_dtype=vectors, concurrency=num_workers)(_Encode)
    encode = encode.with_init_args(arguments)
    columns = [col(VECTORS)[field.name].alias(field.name) for field in schema]
    return df.with_column(VECTORS, encode(col(text))).select(*[col(name) for name in df.column_names], *columns)


class _Encode:
    """Texts to structs of vectors."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self._encoder = Encoder(**arguments)
        self._text = arguments["text"]

    def __call__(self, texts: Series) -> pa.Array:
        table = self._encoder.encode_table(pa.table({self._text: texts.to_arrow()}))
        return pa.chunked_array([batch.to_struct_array() for batch in table.to_batches()]).combine_chunks()


def _type(kind: pa.DataType) -> DataType:
    if pa.types.is_fixed_size_list(kind) and not pa.types.is_nested(kind.value_type):
        return DataType.embedding(DataType.from_arrow_type(kind.value_type), kind.list_size)
    return DataType.from_arrow_type(kind)
