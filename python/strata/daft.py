"""Columns of vectors in Daft's data frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from strata._rows import refuse_others
from strata.encoder import Encoder
from strata.errors import ConfigurationError, UsageError

try:
    import daft
    from daft import DataFrame, DataType, Series, col
except ImportError as failure:
    raise ConfigurationError(f"expected Daft, found {failure}", "pip install daft") from failure


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
        Encoders at work side by side, each with a model of its own: as Daft chooses if nothing is said.
    **arguments
        Those of :class:`strata.Encoder`.

    Returns
    -------
    daft.DataFrame
        All columns of ``df``, and those that ``strata run`` adds. Vectors are embeddings.

    Raises
    ------
    UsageError
        The arguments would make other rows, as those of tokens: Daft's functions give a value for each row. Or ``df``
        has a column of a name that this would add.
    """
    refuse_others("Daft", arguments)
    arguments = {"model": str(model), "text": text, "keep": "none", **arguments}
    schema = Encoder(**arguments).schema(pa.schema({text: pa.string()}))
    # Daft would keep one of two columns of a name, and say nothing.
    repeated = [name for name in schema.names if name in df.column_names]
    if repeated:
        raise UsageError(
            f"the data frame already has a column `{repeated[0]}`, which strata would write",
            "leave it out with exclude, or rename it in the data frame",
        )
    vectors = DataType.struct({field.name: _type(field.type) for field in schema})

    @daft.cls(max_concurrency=num_workers)
    class Vectors:
        def __init__(self) -> None:
            self._encoder = Encoder(**arguments)

        @daft.method.batch(return_dtype=vectors, unnest=True)  # type: ignore[untyped-decorator]
        def of(self, texts: Series) -> pa.Array:
            return self._encoder.encode_table(pa.table({text: texts.to_arrow()})).to_struct_array().combine_chunks()

    return df.select(*[col(name) for name in df.column_names], Vectors().of(col(text)))


def _type(kind: pa.DataType) -> DataType:
    if pa.types.is_fixed_size_list(kind) and not pa.types.is_nested(kind.value_type):
        return DataType.embedding(DataType.from_arrow_type(kind.value_type), kind.list_size)
    return DataType.from_arrow_type(kind)
