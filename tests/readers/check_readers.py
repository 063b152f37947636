#!/usr/bin/env python3
"""Opens an output folder with Polars, DuckDB and pyarrow and holds it against what was expected.

    check_readers.py FOLDER EXPECTED.json

EXPECTED.json: {"columns": {name: {"shape": [n] or [k, n], "rows": [vector or null, ...],
"dtype": "float32" or "float16"}}, "kept": {name: [value, ...]}}; `dtype` may be left out. Every
list is as long as the output and in its order. Exits with 1 and the first differences found.
"""

import json
import math
import sys
from pathlib import Path

import duckdb
import polars
import pyarrow
import pyarrow.parquet

# Polars' type, pyarrow's type, and the relative error that rounding to it allows.
FLOATS = {
    "float32": (polars.Float32, pyarrow.float32(), 1e-6),
    "float16": (polars.Float16, pyarrow.float16(), 1e-3),
}
SHOWN = 5


class Mismatch(Exception):
    """What one reader sees is not what was expected."""


REFUSALS = (
    Mismatch,
    duckdb.Error,
    polars.exceptions.PolarsError,
    pyarrow.ArrowException,
    KeyError,
    OSError,
)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, expected = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    failed = False
    for check in (check_polars, check_duckdb, check_pyarrow):
        name = check.__name__.removeprefix("check_")
        try:
            parts = part_files(folder)
            check(folder, parts, expected)
            print(f"{name}: {len(parts)} parts, {row_count(expected)} rows as expected")
        except REFUSALS as error:
            failed = True
            print(f"{name}: {error}", file=sys.stderr)
    sys.exit(1 if failed else 0)


def part_files(folder: Path) -> list[Path]:
    """The parts of a whole output, in the order of their names."""
    for name in ("manifest.json", "_SUCCESS"):
        same(f"{folder} holds {name}", True, (folder / name).is_file())
    return sorted(folder.glob("*.parquet"))


def check_polars(folder: Path, _parts, expected) -> None:
    frame = polars.read_parquet(folder / "*.parquet")
    for name, column in expected["columns"].items():
        shape = tuple(column["shape"])
        same(f"type of {name}", polars.Array(float_of(column)[0], shape), frame.schema.get(name))
    check_values(expected, lambda name: frame.get_column(name).to_list())


def check_duckdb(folder: Path, _parts, expected) -> None:
    connection = duckdb.connect()
    source = f"read_parquet({sql_text(folder / '*.parquet')})"
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
        compare(f"{name}{cast}", column["rows"], select(name, cast), float_of(column)[2])


def check_pyarrow(_folder, parts: list[Path], expected) -> None:
    for part in parts:
        json_metadata(part)
    table = pyarrow.concat_tables(pyarrow.parquet.read_table(part) for part in parts)
    for name, column in expected["columns"].items():
        wanted = float_of(column)[1]
        for length in reversed(column["shape"]):
            wanted = pyarrow.list_(pyarrow.field("element", wanted, nullable=False), length)
        found = table.schema.field(name).type if name in table.schema.names else None
        same(f"type of {name}", str(wanted), str(found))
    check_values(expected, lambda name: table.column(name).to_pylist())


def json_metadata(part: Path) -> None:
    """The footer must say where the vectors come from, as a JSON object."""
    stored = (pyarrow.parquet.read_metadata(part).metadata or {}).get(b"strata")
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
        compare(name, column["rows"], values(name), float_of(column)[2])


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
    return type(expected) is type(found) and expected == found


def row_count(expected) -> int:
    vectors = [column["rows"] for column in expected["columns"].values()]
    return len([*vectors, *expected["kept"].values()][0])


def float_of(column):
    return FLOATS[column.get("dtype", "float32")]


def same(what: str, expected, found) -> None:
    if expected != found:
        raise Mismatch(f"{what}: expected {expected}, found {found}")


def sql_text(value) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def sql_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    main()
