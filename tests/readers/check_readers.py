#!/usr/bin/env python3
"""Opens the parts of an output as a folder, without a pattern, and holds them against what was expected.

    check_readers.py FOLDER EXPECTED.json READER...

EXPECTED.json: {"columns": {name: {"shape": [n] or [k, n], "rows": [vector or null, ...],
"dtype": "float32" or "float16"}}, "kept": {name: [value, ...]}}; `dtype` may be left out, and a null within
a vector is a value that is not a number. Every list is as long as the output and in its order. Exits with 1
and the first differences found.
"""

import importlib
import json
import math
import os
import sys
import tempfile
from pathlib import Path

# The relative error that rounding to the type allows.
TOLERANCES = {"float32": 1e-6, "float16": 1e-3}
SHOWN = 5


class Mismatch(Exception):
    """What one reader sees is not what was expected."""


def main() -> None:
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    folder, expected = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    same(f"{folder} holds _SUCCESS", True, (folder / "_SUCCESS").is_file())
    failed = False
    for name in sys.argv[3:]:
        try:
            reader = importlib.import_module(name)
            CHECKS[name](reader, folder / "data", expected)
            print(f"{name} {reader.__version__}: {row_count(expected)} rows as expected")
        except Exception as error:
            failed = True
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
    if failed:
        sys.exit(1)


def check_polars(polars, data: Path, expected) -> None:
    frame = polars.read_parquet(data)
    floats = {"float32": polars.Float32, "float16": polars.Float16}
    for name, column in expected["columns"].items():
        wanted = polars.Array(floats[dtype_of(column)], tuple(column["shape"]))
        same(f"type of {name}", wanted, frame.schema.get(name))
    check_values(expected, lambda name: frame.get_column(name).to_list())


def check_duckdb(duckdb, data: Path, expected) -> None:
    connection = duckdb.connect()
    source = f"read_parquet({sql_text(data)})"
    found = {row[0]: row[1] for row in connection.sql(f"describe from {source}").fetchall()}

    def select(name: str, cast: str = "") -> list:
        query = f"select {sql_name(name)}{cast} from {source}"
        return [row[0] for row in connection.sql(query).fetchall()]

    check_values(expected, select)
    for name, column in expected["columns"].items():
        shape = column["shape"]
        # Parquet has lists of any length only; the length comes back with a cast.
        same(f"type of {name}", "FLOAT" + "[]" * len(shape), found.get(name))
        cast = "::FLOAT" + "".join(f"[{length}]" for length in reversed(shape))
        compare(f"{name}{cast}", column["rows"], select(name, cast), TOLERANCES[dtype_of(column)])


def check_pyarrow(pyarrow, data: Path, expected) -> None:
    dataset = importlib.import_module("pyarrow.dataset").dataset(data)
    for part in dataset.files:
        json_metadata(Path(part))
    table = dataset.to_table()
    floats = {"float32": pyarrow.float32(), "float16": pyarrow.float16()}
    for name, column in expected["columns"].items():
        wanted = floats[dtype_of(column)]
        for length in reversed(column["shape"]):
            wanted = pyarrow.list_(pyarrow.field("element", wanted), length)
        found = table.schema.field(name).type if name in table.schema.names else None
        same(f"type of {name}", str(wanted), str(found))
    check_values(expected, lambda name: table.column(name).to_pylist())


def check_pandas(pandas, data: Path, expected) -> None:
    frame = pandas.read_parquet(data)
    check_values(expected, lambda name: [plain(value) for value in frame[name]])


def plain(value):
    """What pandas gives for a value, as Python has it."""
    if hasattr(value, "tolist"):
        return [plain(element) for element in value.tolist()]
    return None if isinstance(value, float) and math.isnan(value) else value


def check_datasets(datasets, data: Path, expected) -> None:
    with tempfile.TemporaryDirectory() as cache:
        rows = datasets.load_dataset("parquet", data_dir=str(data), cache_dir=cache)["train"]
        check_values(expected, lambda name: list(rows[name]))


def check_daft(daft, data: Path, expected) -> None:
    rows = daft.read_parquet(str(data)).to_arrow()
    # It takes files in any order; the values of one kept column differ.
    key, values = next(iter(expected["kept"].items()))
    found = rows.column(key).to_pylist()
    same(f"values of {key}", sorted(map(str, values)), sorted(map(str, found)))
    rows = rows.take([found.index(value) for value in values])
    check_values(expected, lambda name: rows.column(name).to_pylist())


CHECKS = {
    "polars": check_polars,
    "duckdb": check_duckdb,
    "pyarrow": check_pyarrow,
    "pandas": check_pandas,
    "datasets": check_datasets,
    "daft": check_daft,
}


def json_metadata(part: Path) -> None:
    """The footer must say where the vectors come from, as a JSON object."""
    stored = (importlib.import_module("pyarrow.parquet").read_metadata(part).metadata or {}).get(b"strata")
    same(f"{part.name} has the footer key strata", True, stored is not None)
    try:
        same(f"{part.name}: footer key strata is an object", dict, type(json.loads(stored)))
    except ValueError as error:
        raise Mismatch(f"{part.name}: footer key strata is no JSON: {error}") from error


def check_values(expected, values) -> None:
    """`values` returns the whole column of a name as Python lists."""
    for name, kept in expected["kept"].items():
        compare(name, kept, values(name))
    for name, column in expected["columns"].items():
        compare(name, column["rows"], values(name), TOLERANCES[dtype_of(column)])


def compare(name: str, expected: list, found: list, tolerance: float = 1e-12) -> None:
    same(f"rows of {name}", len(expected), len(found))
    pairs = enumerate(zip(expected, found))
    differ = [(row, e, f) for row, (e, f) in pairs if not equal(e, f, tolerance)]
    if differ:
        shown = "".join(
            f"\n  row {row}: expected {e!r:.300}, found {f!r:.300}" for row, e, f in differ[:SHOWN]
        )
        raise Mismatch(f"{name}: {len(differ)} of {len(expected)} rows differ{shown}")


def equal(expected, found, tolerance: float) -> bool:
    """Readers hand vectors back as lists or as tuples; numbers need not be of one Python type."""
    if isinstance(expected, list) and isinstance(found, (list, tuple)):
        pairs = zip(expected, found)
        return len(expected) == len(found) and all(equal(e, f, tolerance) for e, f in pairs)
    if isinstance(expected, float) and isinstance(found, (int, float)):
        # Halves below 2**-14 are spaced evenly, so that only an absolute error makes sense there.
        return math.isclose(expected, found, rel_tol=tolerance, abs_tol=tolerance * 2**-13)
    if expected is None and isinstance(found, float):
        return math.isnan(found)
    return type(expected) is type(found) and expected == found


def row_count(expected) -> int:
    vectors = [column["rows"] for column in expected["columns"].values()]
    return len([*vectors, *expected["kept"].values()][0])


def dtype_of(column) -> str:
    return column.get("dtype", "float32")


def same(what: str, expected, found) -> None:
    if expected != found:
        raise Mismatch(f"{what}: expected {expected}, found {found}")


def sql_text(value) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def sql_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    main()
    # Threads of a reader that still call Python while it is taken down end the process with a fault, now and then.
    sys.stdout.flush()
    os._exit(0)
