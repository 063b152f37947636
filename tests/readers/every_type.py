#!/usr/bin/env python3
"""Tables of every type, and what readers must see of them after strata has carried them through.

    every_type.py make FOLDER             writes FOLDER/in/NAME.EXTENSION
    every_type.py check FOLDER            compares FOLDER/out/NAME.EXTENSION-FORMAT with them

What is expected of a reader is what it makes of the same table when pyarrow or DuckDB, not strata, has
written it: the type it shows and every value.
"""

import datetime
import decimal
import re
import sys
from pathlib import Path

import duckdb
import polars
import pyarrow
import pyarrow.ipc
import pyarrow.parquet

ROWS = 1500
# The last rows have the values that the first ones have, and nulls lie between.
EVERY = 5

D = decimal.Decimal
UTC = datetime.timezone.utc


def integers():
    for bits in (8, 16, 32, 64):
        yield f"int{bits}", getattr(pyarrow, f"int{bits}")(), [2 ** (bits - 1) - 1, -(2 ** (bits - 1))]
        yield f"uint{bits}", getattr(pyarrow, f"uint{bits}")(), [2**bits - 1, 0]


def times():
    for unit, kind in (("s", "time32"), ("ms", "time32"), ("us", "time64"), ("ns", "time64")):
        yield f"time_{unit}", getattr(pyarrow, kind)(unit), [datetime.time(10, 0, 1), datetime.time(23, 59, 59)]
    for unit in ("s", "ms", "us", "ns"):
        for zone in (None, "UTC", "Europe/Paris"):
            name = f"timestamp_{unit}_{zone}".replace("/", "_")
            at = [datetime.datetime(2024, 1, 31, 10, 0, 1), datetime.datetime(1969, 12, 31, 23, 59, 59)]
            values = at if zone is None else [value.replace(tzinfo=UTC) for value in at]
            yield name, pyarrow.timestamp(unit, zone), values
        yield f"duration_{unit}", pyarrow.duration(unit), [datetime.timedelta(seconds=90), datetime.timedelta(days=-1)]
    yield "date32", pyarrow.date32(), [datetime.date(2024, 1, 31), datetime.date(1, 1, 1)]
    yield "date64", pyarrow.date64(), [datetime.date(2024, 1, 31), datetime.date(9999, 12, 31)]


def numbers():
    yield "bool", pyarrow.bool_(), [True, False]
    yield "float16", pyarrow.float16(), [1.5, -65504.0]
    yield "float32", pyarrow.float32(), [1.5, float("inf")]
    yield "float64", pyarrow.float64(), [0.1, float("nan")]
    yield "decimal32", pyarrow.decimal32(7, 2), [D("1.25"), D("-0.01")]
    yield "decimal64", pyarrow.decimal64(17, 2), [D("1.25"), D("-123456789012345.67")]
    yield "decimal128", pyarrow.decimal128(22, 2), [D("1.25"), D("-99999999999999999999.99")]
    yield "decimal256", pyarrow.decimal256(60, 2), [D("1.25"), D("-0.01")]
    yield from integers()


def texts():
    long = "é😀" * 9
    for name in ("string", "large_string", "string_view"):
        yield name, getattr(pyarrow, name)(), ["a", long]
    for name in ("binary", "large_binary", "binary_view"):
        yield name, getattr(pyarrow, name)(), [b"a", b"\xff\x00" * 9]
    yield "fixed_size_binary", pyarrow.binary(4), [b"abcd", b"\0\0\0\0"]
    yield "uuid", pyarrow.uuid(), [b"0123456789abcdef", b"\xff" * 16]
    yield "json", pyarrow.json_(), ["{}", '{"a": [1, "é"]}']
    yield "dictionary_int8", pyarrow.dictionary(pyarrow.int8(), pyarrow.string()), ["a", "b"]
    yield "dictionary_uint32", pyarrow.dictionary(pyarrow.uint32(), pyarrow.large_string()), ["a", ""]
    yield "dictionary_int64", pyarrow.dictionary(pyarrow.int32(), pyarrow.int64()), [5, 7]


def nested():
    seconds, day = pyarrow.timestamp("s"), datetime.datetime(2024, 1, 1)
    yield "list", pyarrow.list_(pyarrow.int32()), [[1, None], []]
    yield "large_list", pyarrow.large_list(pyarrow.string()), [["a", None], []]
    yield "fixed_size_list", pyarrow.list_(pyarrow.int16(), 2), [[1, 2], [3, None]]
    yield "list_view", pyarrow.list_view(pyarrow.int32()), [[1, None], []]
    yield "struct", pyarrow.struct({"a": pyarrow.int64(), "b": pyarrow.string()}), [{"a": 1, "b": None}, {"a": None, "b": ""}]
    yield "map", pyarrow.map_(pyarrow.string(), pyarrow.int64()), [[("a", 1), ("b", None)], []]
    yield "list_of_dictionaries", pyarrow.list_(pyarrow.dictionary(pyarrow.int8(), pyarrow.string())), [["a", None], ["b"]]
    yield "seconds_in_all", pyarrow.list_(
        pyarrow.struct({"at": seconds, "by": pyarrow.map_(pyarrow.string(), seconds), "time": pyarrow.time32("s")})
    ), [[{"at": day, "by": [("k", day)], "time": datetime.time(1, 2, 3)}, None], []]


def others():
    yield "null", pyarrow.null(), [None, None]


def of_intervals():
    """By themselves: Polars reads no file of Arrow that has one."""
    rows = [None if row % EVERY == 0 else (row % 30, row % 7, row * 1_000_000) for row in range(ROWS)]
    spans = pyarrow.array(rows, pyarrow.month_day_nano_interval())
    return pyarrow.table({"text": ["cat"] * ROWS, "interval": spans})


def of_arrow():
    """A table of every type that pyarrow makes: the columns differ in their places of nulls."""
    columns, fields = {"text": ["cat"] * ROWS}, {"text": pyarrow.string()}
    groups = (numbers, times, texts, nested, others)
    for place, (name, kind, values) in enumerate(column for group in groups for column in group()):
        rows = [None if (row + place) % EVERY == 0 else values[row % 2] for row in range(ROWS)]
        columns[name] = array(rows, kind)
        fields[name] = kind
    runs = pyarrow.RunEndEncodedArray.from_arrays(pyarrow.array([ROWS - 1, ROWS], pyarrow.int32()), ["x", "y"])
    columns["runs"] = runs
    return pyarrow.table(columns)


def array(rows, kind):
    if isinstance(kind, pyarrow.BaseExtensionType):
        return pyarrow.ExtensionArray.from_storage(kind, pyarrow.array(rows, kind.storage_type))
    if pyarrow.types.is_dictionary(kind):
        return pyarrow.array(rows, kind.value_type).dictionary_encode().cast(kind)
    return pyarrow.array(rows, kind)


# What DuckDB alone writes: the types of Parquet that Arrow has no words for.
DUCKDB = f"""
select 'cat' as text, interval (i % 30) months + interval (i % 7) days as span,
    format('{{:08x}}-0000-4000-8000-000000000000', i)::uuid as id,
    ('{{"a": ' || i || '}}')::json as document, ('x' || i % 3)::enum('x0', 'x1', 'x2') as kind,
    timetz '10:00:00+02' as zoned, time '10:00:00' as plain_time, i::variant as variant,
    [interval (i) days] as spans, {{'id': format('{{:08x}}-0000-4000-8000-000000000000', i)::uuid}} as ids,
    ['{{}}'::json] as documents, timestamp_ns '2024-01-01 00:00:00.123456789' as nanoseconds
from range({ROWS}) as numbers(i)
"""


def of_pages():
    """Texts and numbers for the ways in which Parquet lays out pages."""
    words = [None if row % 7 == 3 else f"{'é' if row % 2 else 'w'} {row % 900} " * (1 + row % 13) for row in range(ROWS)]
    return pyarrow.table({
        "text": words,
        "bytes": pyarrow.array([word and word.encode() for word in words], pyarrow.binary()),
        "number": pyarrow.array([None if row % 5 == 0 else row * 7 for row in range(ROWS)], pyarrow.int64()),
        "words": pyarrow.array(
            [None if row % 11 == 0 else [words[row], None][: row % 3] for row in range(ROWS)], pyarrow.list_(pyarrow.string())
        ),
    })


PAGES = {
    "plain": {"use_dictionary": False},
    "fallback": {"dictionary_pagesize_limit": 2000},
    "delta": {"use_dictionary": False, "data_page_version": "2.0", "column_encoding": {
        "text": "DELTA_BYTE_ARRAY", "bytes": "DELTA_LENGTH_BYTE_ARRAY", "number": "DELTA_BINARY_PACKED",
        "words.list.element": "DELTA_BYTE_ARRAY",
    }},
}


def of_nulls_in_a_dictionary():
    values = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0, 1, None, 2], pyarrow.int8()), ["a", None, "b"])
    return pyarrow.table({"text": values, "kind": values})


def of_polars():
    return polars.DataFrame({
        "text": ["cat", None],
        "category": polars.Series(["x", "y"], dtype=polars.Categorical),
        "choice": polars.Series(["u", None], dtype=polars.Enum(["u", "v", "w"])),
        "price": polars.Series([D("1.10"), None], dtype=polars.Decimal(10, 2)),
        "lasting": polars.Series([1, None], dtype=polars.Duration("ms")),
        "pair": polars.Series([[1, 2], None], dtype=polars.Array(polars.Int8, 2)),
        "all": polars.Series([{"a": 1, "b": ["x"]}, {"a": None, "b": None}]),
    })


def make(folder: Path) -> None:
    inputs = folder / "in"
    inputs.mkdir()
    table = of_arrow()
    in_parquet = table.drop_columns(["runs"])
    pyarrow.parquet.write_table(in_parquet, inputs / "arrow.parquet", row_group_size=ROWS // 2)
    # Without the words of Arrow, and as other writers lay files out.
    pyarrow.parquet.write_table(
        in_parquet.drop_columns(["null"]), inputs / "bare.parquet", store_schema=False, compression="zstd", data_page_version="2.0",
        use_dictionary=False, write_page_checksum=True, use_compliant_nested_type=False,
    )
    for name, compression in (("arrow.arrow", None), ("zstd.arrow", "zstd"), ("lz4.arrows", "lz4")):
        options = pyarrow.ipc.IpcWriteOptions(compression=compression)
        new = pyarrow.ipc.new_stream if name.endswith("s") else pyarrow.ipc.new_file
        with new(inputs / name, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=ROWS // 3)
    for name, new in (("interval.arrow", pyarrow.ipc.new_file), ("interval.arrows", pyarrow.ipc.new_stream)):
        with new(inputs / name, of_intervals().schema) as writer:
            writer.write_table(of_intervals())
    for name, options in PAGES.items():
        pages = {"row_group_size": ROWS // 4, "data_page_size": 4096, "write_page_checksum": True, **options}
        pyarrow.parquet.write_table(of_pages(), inputs / f"{name}.parquet", **pages)
    nulls = of_nulls_in_a_dictionary()
    with pyarrow.ipc.new_file(inputs / "nulls.arrow", nulls.schema) as writer:
        writer.write_table(nulls)
    of_polars().write_parquet(inputs / "polars.parquet")
    of_polars().write_ipc(inputs / "polars.arrow")
    duckdb.sql(f"copy ({DUCKDB}) to {sql_text(inputs / 'duckdb.parquet')} (row_group_size 1024)")


def check(folder: Path) -> None:
    failures, compared = [], 0
    for source in sorted((folder / "in").iterdir()):
        for form in ("parquet", "arrow"):
            part = folder / "out" / f"{source.name}-{form}" / "data" / f"{source.stem}-00000.{form}"
            reference = folder / f"reference-{source.name}.{form}"
            write_reference(source, reference)
            # Polars has types of its own, which it alone finds again.
            for reader in (by_polars, by_duckdb) if source.stem == "polars" else READERS:
                for column in columns_of(source):
                    expected, found = reader(reference, column), reader(part, column)
                    compared += expected is not None
                    if expected is not None and expected != found:
                        failures.append(f"{source.name} to {form}, {reader.__name__}, {column}:{difference(expected, found)}")
    print(f"{compared} columns compared")
    if failures:
        sys.exit("\n".join(failures))


def write_reference(source: Path, reference: Path) -> None:
    """The same table by another hand."""
    if source.name == "duckdb.parquet":
        if reference.suffix == ".parquet":
            reference.write_bytes(source.read_bytes())
        return
    if source.stem == "polars":
        write = of_polars().write_parquet if reference.suffix == ".parquet" else of_polars().write_ipc
        write(reference)
        return
    if source.stem == "interval" and reference.suffix == ".parquet":
        given = of_intervals()  # DuckDB finds it by its name.
        duckdb.sql(f"copy (from given) to {sql_text(reference)}")
        return
    table = table_of(source)
    # Polars reads no file that has one of these.
    for name, kind in (("list_view", pyarrow.list_(pyarrow.int32())), ("runs", pyarrow.string())):
        if name in table.column_names:
            values = pyarrow.array(table[name].to_pylist(), kind)
            table = table.set_column(table.column_names.index(name), name, values)
    if reference.suffix == ".parquet":
        # A date in milliseconds is a date, which Polars does not see in what pyarrow writes.
        if "date64" in table.column_names:
            days = table["date64"].cast(pyarrow.date32())
            table = table.set_column(table.column_names.index("date64"), "date64", days)
        pyarrow.parquet.write_table(table, reference)
        return
    with pyarrow.ipc.new_file(reference, table.schema) as writer:
        writer.write_table(table)


def table_of(source: Path):
    if source.suffix == ".parquet":
        return pyarrow.parquet.read_table(source)
    if source.stem == "nulls":
        # As it is meant, and as pyarrow can write it.
        kinds = pyarrow.array(of_nulls_in_a_dictionary()["kind"].to_pylist()).dictionary_encode()
        return pyarrow.table({"text": kinds, "kind": kinds})
    return of_intervals() if source.stem == "interval" else of_arrow()


def columns_of(source: Path) -> list[str]:
    if source.stem == "polars":
        return of_polars().columns
    if source.suffix == ".parquet":
        return pyarrow.parquet.read_schema(source).names
    return table_of(source).column_names


def by_pyarrow(path: Path, column: str):
    return seen(path, lambda: pyarrow_column(path, column))


def pyarrow_column(path: Path, column: str):
    if path.suffix == ".parquet":
        found = pyarrow.parquet.ParquetFile(path).read(columns=[column]).column(0)
    else:
        found = pyarrow.ipc.open_file(path).read_all().column(column)
    return layout_aside(str(found.type), path.suffix), found.to_pylist()


def layout_aside(kind: str, suffix: str) -> str:
    """The type without what says how values are laid out: the names of elements, the width of keys and
    offsets, the unit of dates. Dictionaries in lists are written out in files of Arrow, and pyarrow does not
    restore those of numbers."""
    kind = re.sub(r", indices=u?int\d+, ordered=0", "", kind).replace("item: ", "element: ")
    kind = kind.replace("large_string", "string").replace("date64[ms]", "date32[day]")
    kind = kind.replace("dictionary<values=int64>", "int64")
    if suffix == ".arrow":
        kind = kind.replace("list<element: dictionary<values=string>>", "list<element: string>")
    return kind


def by_polars(path: Path, column: str):
    def column_of():
        read = polars.read_parquet if path.suffix == ".parquet" else polars.read_ipc
        found = read(path, columns=[column]).get_column(column)
        kind = str(found.dtype)
        if path.suffix == ".arrow":
            kind = kind.replace("List(Categorical)", "List(String)")
        return kind, found.to_list()

    return seen(path, column_of)


def by_duckdb(path: Path, column: str):
    def column_of():
        source = sql_text(path)
        if path.suffix != ".parquet":
            given = pyarrow.ipc.open_file(path).read_all().select([column])
            source = "given"
        kind = duckdb.sql(f"describe select {sql_name(column)} from {source}").fetchall()[0][1]
        rows = duckdb.sql(f"select {sql_name(column)}::varchar from {source}").fetchall()
        return kind, [row[0] for row in rows]

    return seen(path, column_of)


def seen(path: Path, column_of):
    """Type and values as text, so that NaN equals itself; `None` where the reader cannot read it."""
    try:
        kind, values = column_of()
    except (Exception, polars.exceptions.PolarsError) as error:
        return None if path.name.startswith("reference-") else (f"not readable: {error}"[:300], None)
    except BaseException as error:  # A panic inside Polars.
        return None if path.name.startswith("reference-") else (f"panic: {error}"[:300], None)
    return kind, [repr(value) for value in values]


READERS = (by_pyarrow, by_polars, by_duckdb)


def difference(expected, found) -> str:
    if expected[0] != found[0]:
        return f" type {expected[0]} became {found[0]}"
    rows = [row for row, pair in enumerate(zip(expected[1], found[1])) if pair[0] != pair[1]]
    first = rows[0] if rows else min(len(expected[1]), len(found[1]))
    at = lambda values: values[first] if first < len(values) else "nothing"
    return f" {len(rows)} rows differ, row {first}: {at(expected[1])} became {at(found[1])}"


def sql_text(value) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def sql_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("make", "check"):
        sys.exit(__doc__)
    {"make": make, "check": check}[sys.argv[1]](Path(sys.argv[2]))
