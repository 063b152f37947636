"""Vectors in DuckDB's queries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from strata._rows import refuse_others
from strata.encoder import Encoder
from strata.errors import ConfigurationError, UsageError

try:
    import duckdb
    from duckdb.func import ARROW, SPECIAL
except ImportError as failure:
    raise ConfigurationError(f"expected DuckDB, found {failure}", "pip install duckdb") from failure


def create_function(connection: duckdb.DuckDBPyConnection, name: str, model: str | Path, **arguments: Any) -> None:
    """Makes a function of SQL that turns a text into its vector.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Where it is known from now on.
    name : str
        What it is called.
    model : str or Path
        A Hugging Face checkpoint folder, or an id.
    **arguments
        Those of :class:`strata.Encoder` but for columns and ``dtype``. They give one column.

    Examples
    --------
    >>> import duckdb
    >>> connection = duckdb.connect()
    >>> create_function(connection, "embed", "tests/fixtures/tiny-bert")
    >>> connection.sql("SELECT len(embed('a text'))").fetchall()
    [(20,)]
    """
    refuse_others("DuckDB", arguments, "text", "dtype")
    encoder = Encoder(model, text="text", keep="none", **arguments)
    columns = encoder.columns
    if len(columns) != 1:
        raise UsageError(
            f"expected one vector for each text, found {', '.join(columns)}",
            "choose one layer and one pooling, or combine layers",
        )
    [(column, shape)] = columns.items()
    type_ = duckdb.type("FLOAT")
    for width in reversed(shape):
        type_ = duckdb.array_type(type_, width)

    def vectors(texts: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
        return encoder.encode_table(pa.table({"text": texts}))[column]

    connection.create_function(
        name, vectors, [duckdb.type("VARCHAR")], type_, type=ARROW, null_handling=SPECIAL
    )
