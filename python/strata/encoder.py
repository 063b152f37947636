"""Texts and tables to vectors in this process."""

from __future__ import annotations

import inspect
import json
import os
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from strata import _strata
from strata._arrow import Batch, Schema
from strata._served import Served
from strata.errors import DataError, UsageError

Vectors = npt.NDArray[np.float32]

#: Rows of a table whose vectors are in memory at a time.
ROWS_AT_ONCE = 4096

#: Where arguments stand in a pipeline file; those that are not here are of the table `features`.
PLACES = {
    "model": "model.path",
    "random_weights": "model.random_weights",
    "device": "model.device",
    "compute": "model.compute",
    "text": "input.text",
    "text_pair": "input.text_pair",
    "spans": "input.spans",
    "align": "input.align",
    "keep": "input.keep",
    "dtype": "output.dtype",
    "on_null": "output.on_null",
    "threads": "run.threads",
    "max_batch_tokens": "run.max_batch_tokens",
}


#: What pyarrow and pandas raise of values, types and names that tables of Arrow do not have.
NOT_OF_ARROW = (ValueError, OverflowError, pa.ArrowTypeError, pa.ArrowNotImplementedError)

#: Only one thread of a process loads models at a time.
_loading = threading.Lock()

#: Models of the process that this one was forked from. Their threads are not here, so they are never taken apart.
_of_parents: list[object] = []


def _after_fork() -> None:
    """Whoever held the lock is not in this process."""
    global _loading
    _loading = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


class ArrowStream(Protocol):
    """Whatever gives an Arrow stream: tables of pyarrow, Polars, pandas and DuckDB among them."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


class Encoder:
    """A BERT encoder whose layers become vectors.

    The model is loaded when it is first needed, once a process, and once more for pairs of texts: an encoder can be pickled,
    and used after a fork. What one might not expect of a model's folder is a warning then.
    Its arguments are the options of ``strata run``; ``strata run --help`` says more of each.

    Parameters
    ----------
    model : str or Path
        A Hugging Face checkpoint folder, or the id of a model that ``strata fetch`` has put into the local cache.
    layers : int, sequence of int, or "all"
        Layers by number: 0 is the embedding output, N the Nth encoder layer, -1 the last.
    pooling : str or sequence of str, optional
        How tokens become one vector: ``cls``, ``mean``, ``max``, ``min``, ``mean_max``, ``last``, ``pooler`` or
        ``sentence``; of words ``first``, ``last``, ``mean``, ``max``, ``first_last``; of spans also ``endpoints``; of tokens
        nothing. The mean if nothing is said.
    unit : str
        What one vector stands for: ``row``, ``token``, ``word`` or ``span``.
    words : str, optional
        What a word is: ``tokenizer``, ``whitespace``, or a column of lists of words.
    combine : str
        What becomes of several layers: ``none``, ``concat``, ``stack``, ``sum`` or ``mean``.
    normalize : bool
        Whether each vector is brought to Euclidean length 1.
    attentions : bool
        Whether figures of each chosen layer's attention follow the vectors.
    special_tokens : str, optional
        Whether special tokens count in mean, max and min: ``include`` or ``exclude``.
    max_length : int, optional
        The most tokens the model sees at once.
    overflow : str, optional
        What becomes of longer texts: ``truncate``, ``window`` or ``error``.
    stride : int, optional
        Tokens that neighbouring windows share.
    prefix, prompt : str, optional
        A text that stands before each text, or its name among the prompts of the model's folder.
    truncate_dim : int, optional
        How many values of ``sentence_embedding`` are kept.
    random_weights : int, optional
        The seed of weights as they are before training, in place of the folder's.
    device : str
        ``cpu``; a ``program`` that was built with CUDA knows ``cuda``.
    compute : str
        The type of the matrix products: ``float32``, or ``bfloat16`` or ``int8`` where the processor has instructions for it.
    threads : int, optional
        Processor threads of this encoder; all if nothing is said.
    max_batch_tokens : int, optional
        Tokens in one forward pass.
    text, text_pair, spans : str, optional
        Columns of tables: the texts (``text`` if nothing is said), second texts, and spans in texts.
    align : str or sequence of str, optional
        Columns of lists with a value for each given word, such as labels: each word's row gets its own.
    keep : str or sequence of str, optional
        Columns of tables that are carried through: ``all``, ``none`` or names.
    dtype : str
        The type of the values in tables: ``float32`` or ``float16``.
    on_null : str
        What becomes of a table's row without a text: ``null``, ``nan`` or ``drop``.
    program : str or Path, optional
        A strata program that has the model in a process of its own, such as one that was built with CUDA. In this
        process if nothing is said.

    Examples
    --------
    >>> encoder = Encoder("tests/fixtures/tiny-bert", layers="all", combine="stack")
    >>> encoder.encode("a text").shape
    (5, 20)
    """

    def __init__(
        self,
        model: str | Path,
        *,
        layers: int | Sequence[int] | str = -1,
        pooling: str | Sequence[str] | None = None,
        unit: str = "row",
        words: str | None = None,
        combine: str = "none",
        normalize: bool = False,
        attentions: bool = False,
        special_tokens: str | None = None,
        max_length: int | None = None,
        overflow: str | None = None,
        stride: int | None = None,
        prefix: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        random_weights: int | None = None,
        device: str = "cpu",
        compute: str = "float32",
        threads: int | None = None,
        max_batch_tokens: int | None = None,
        text: str | None = None,
        text_pair: str | None = None,
        spans: str | None = None,
        align: str | Sequence[str] | None = None,
        keep: str | Sequence[str] | None = None,
        dtype: str = "float32",
        on_null: str = "null",
        program: str | Path | None = None,
    ) -> None:
        self.model = model
        self.layers = layers
        self.pooling = pooling
        self.unit = unit
        self.words = words
        self.combine = combine
        self.normalize = normalize
        self.attentions = attentions
        self.special_tokens = special_tokens
        self.max_length = max_length
        self.overflow = overflow
        self.stride = stride
        self.prefix = prefix
        self.prompt = prompt
        self.truncate_dim = truncate_dim
        self.random_weights = random_weights
        self.device = device
        self.compute = compute
        self.threads = threads
        self.max_batch_tokens = max_batch_tokens
        self.text = text
        self.text_pair = text_pair
        self.spans = spans
        self.align = align
        self.keep = keep
        self.dtype = dtype
        self.on_null = on_null
        self.program = program
        self._forget()

    def encode(self, texts: str | Iterable[str], pairs: str | Iterable[str] | None = None) -> Any:
        """The vectors of texts, or of pairs of texts that the model sees together.

        Parameters
        ----------
        texts : str or iterable of str
            One text, or many; also a column of an Arrow table.
        pairs : str or iterable of str, optional
            As many second texts.

        Returns
        -------
        dict of str to ndarray, or ndarray
            For each column an array of float32, ``(texts, width)``, or ``(texts, layers, width)`` of a stack; the array
            itself if there is one column. Of one text, the first dimension is left out. A text that has no vector in a
            column, as where special tokens do not count and it has no other, is not a number there.

        Raises
        ------
        UsageError
            ``unit`` is not ``row``: the vectors of tokens, words and spans are rows of their own, as
            :meth:`encode_table` gives them.
        DataError
            A text is missing or no Unicode, or the model cannot see it.
        """
        if self.unit != "row":
            raise UsageError(
                f"encode gives a vector for each text, and unit is {self.unit!r}",
                "encode_table gives a row for each token, word or span",
            )
        is_one = isinstance(texts, str)
        listed = _texts(texts)
        paired = None if pairs is None else _texts(pairs)
        if paired is not None and len(paired) != len(listed):
            raise UsageError(f"expected as many pairs as texts, found {len(paired)} and {len(listed)}")
        native = self._native(is_paired=paired is not None)
        try:
            encoded = native.encode(listed, paired)
        except UnicodeEncodeError as failure:
            # Only now are the texts looked through: it takes time where there is nothing to find.
            raise _no_unicode({"text": listed, "second text": paired or []}, failure) from failure
        arrays = {}
        for (name, shape), values in zip(native.columns, encoded, strict=True):
            array = values.reshape(len(listed), *shape)
            arrays[name] = array[0] if is_one else array
        return next(iter(arrays.values())) if len(arrays) == 1 else arrays

    def encode_batches(self, data: ArrowStream) -> pa.RecordBatchReader:
        """The kept columns of a table and the vectors of its texts, batch by batch as they are asked for.

        Parameters
        ----------
        data : Arrow stream
            A table or a reader of pyarrow, a data frame of Polars or pandas, a relation of DuckDB: anything with
            ``__arrow_c_stream__``. It has a column of texts.

        Returns
        -------
        pyarrow.RecordBatchReader
            The columns that ``strata run`` writes: a row for each row of the table, or for each token, word or span.

        Raises
        ------
        UsageError
            This gives no Arrow stream, or its columns are not those that the arguments name.
        DataError
            A column has what Arrow does not, or the model cannot see a text.
        """
        reader = _reader(data)
        texts = {self.text or "text", self.text_pair}
        typed = [f.with_type(pa.string()) if f.name in texts and pa.types.is_null(f.type) else f for f in reader.schema]
        if typed != list(reader.schema):
            # Texts of which all are missing.
            reader = reader.cast(pa.schema(typed, reader.schema.metadata))
        return pa.RecordBatchReader.from_batches(self.schema(reader.schema), self._batches(reader))

    def encode_table(self, data: ArrowStream) -> pa.Table:
        """As :meth:`encode_batches`, all at once."""
        return self.encode_batches(data).read_all()

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema of the tables that come of tables with this schema."""
        return pa.schema(Schema(self._native().schema(schema.__arrow_c_schema__())))

    @property
    def columns(self) -> dict[str, tuple[int, ...]]:
        """The columns of vectors, and the shape of a row of each."""
        return {name: tuple(shape) for name, shape in self._native().columns}

    def __call__(self, batch: Any) -> Any:
        """From batch to batch: what Ray Data, Daft and ``datasets`` hand to a function.

        Parameters
        ----------
        batch : pyarrow.Table, pyarrow.RecordBatch, mapping of str to sequences, or Arrow stream
            A table with a column of texts.

        Returns
        -------
        pyarrow.Table, pyarrow.RecordBatch, or dict of str to sequences
            The same kind of thing with the vectors; a table for whatever else was given.
        """
        if isinstance(batch, pa.RecordBatch):
            batches = self.encode_table(pa.Table.from_batches([batch])).combine_chunks().to_batches()
            if len(batches) > 1:
                raise DataError("the vectors and columns of one batch are too large for one", "hand over fewer rows at a time")
            return batches[0] if batches else pa.RecordBatch.from_pylist([], self.schema(batch.schema))
        if isinstance(batch, Mapping):
            table = self.encode_table(self._table(batch))
            return {name: _values(table[name]) for name in table.column_names}
        return self.encode_table(batch)

    # What scikit-learn asks of a transformer.

    def fit(self, X: Iterable[str], y: object = None) -> Encoder:
        """Nothing is learned; the model is loaded."""
        self._native()
        return self

    def transform(self, X: Iterable[str]) -> Any:
        """The vectors of all columns, side by side: ``(texts, values)``, float32, in what :meth:`set_output` asks for."""
        if isinstance(X, str):
            raise UsageError("expected texts, found one text", "transform takes a list; encode takes a text by itself")
        encoded = self.encode(X)
        arrays = encoded.values() if isinstance(encoded, dict) else [encoded]
        sides = [array.reshape(len(array), int(np.prod(array.shape[1:]))) for array in arrays]
        return self._output(np.concatenate(sides, axis=1), X)

    def set_output(self, *, transform: str | None = None) -> Encoder:
        """What :meth:`transform` gives: ``default`` (an array), ``pandas`` or ``polars``; as before if nothing is said."""
        if transform not in (None, "default", "pandas", "polars"):
            raise UsageError(f"expected transform to be default, pandas or polars, found {transform!r}")
        if transform is not None:
            # Where scikit-learn looks when it clones an estimator.
            self._sklearn_output_config = {"transform": transform}
        return self

    def _output(self, values: Vectors, X: object) -> Any:
        config = getattr(self, "_sklearn_output_config", None)
        if config is None and "sklearn" in sys.modules:
            config = {"transform": sys.modules["sklearn"].get_config()["transform_output"]}
        match config:
            case {"transform": "pandas"}:
                import pandas as pd

                index = X.index if isinstance(X, pd.Series) else None
                return pd.DataFrame(values, columns=self.get_feature_names_out(), index=index)
            case {"transform": "polars"}:
                import polars as pl

                return pl.DataFrame(values, schema=self.get_feature_names_out().tolist(), orient="row")
        return values

    def fit_transform(self, X: Iterable[str], y: object = None) -> Any:
        """The same as :meth:`transform`."""
        return self.fit(X, y).transform(X)

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """A name for each value that :meth:`transform` gives: its column and its place there."""
        names = [f"{name}_{place}" for name, shape in self.columns.items() for place in range(int(np.prod(shape)))]
        return np.asarray(names, dtype=object)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments, by name."""
        return {name: getattr(self, name) for name in _arguments()}

    def set_params(self, **params: Any) -> Encoder:
        """Changes arguments; the model is loaded again when it is next needed."""
        unknown = [name for name in params if name not in _arguments()]
        if unknown:
            raise UsageError(f"expected arguments of Encoder, found {unknown[0]!r}")
        for name, value in params.items():
            setattr(self, name, value)
        self._forget()
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type="transformer",
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(one_d_array=True, two_d_array=False, string=True),
            requires_fit=False,
        )

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __repr__(self) -> str:
        defaults = _arguments()
        given = {name: value for name, value in self.get_params().items() if _differs(value, defaults[name])}
        return f"Encoder({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    def __getstate__(self) -> dict[str, Any]:
        output = {name: value for name, value in self.__dict__.items() if name == "_sklearn_output_config"}
        return self.get_params() | output

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
        """The model is loaded anew when it is next needed."""
        self._loaded: dict[str, _strata.Featurizer | Served] = {}
        self._process = os.getpid()

    def _native(self, is_paired: bool = False) -> _strata.Featurizer | Served:
        """The model as this process has loaded it for the arguments as they are."""
        options = json.dumps(self._options(is_paired))
        with _loading:
            if self._process != os.getpid():
                _of_parents.append(self._loaded)
                self._forget()
            loaded = self._loaded
            if options not in loaded:
                if self.program is None:
                    loaded[options] = _strata.Featurizer(options)
                else:
                    loaded[options] = Served(str(self.program), options)
                for remark in loaded[options].remarks:
                    warnings.warn(remark, stacklevel=3)
            return loaded[options]

    def _options(self, is_paired: bool) -> dict[str, dict[str, Any]]:
        """The arguments as a pipeline file has them. Where it reads and writes is nothing to an encoder."""
        options: dict[str, dict[str, Any]] = {"input": {"paths": ["-"]}, "output": {"path": "-"}}
        defaults = _arguments()
        for name, value in self.get_params().items():
            if name != "program" and value is not None and _differs(value, defaults[name]):
                table, key = PLACES.get(name, f"features.{name}").split(".")
                options.setdefault(table, {})[key] = _option(name, value)
        if is_paired:
            # Room for the special tokens of two texts.
            options["input"].setdefault("text_pair", "text_pair")
        return options

    def _table(self, columns: Mapping[str, Any]) -> pa.Table:
        made = {name: self._column(name, values) for name, values in columns.items()}
        try:
            return pa.table(made)
        except pa.ArrowInvalid as failure:
            lengths = ", ".join(f"{name} ({len(column)})" for name, column in made.items())
            raise DataError(f"expected columns of one length, found {lengths}") from failure

    def _column(self, name: str, values: Any) -> pa.Array:
        """A column of a table; of texts, also where all of them are missing."""
        listed = list(values) if getattr(values, "ndim", 1) > 1 else values
        try:
            # Arrow's own has its type already, which its items one by one may not tell.
            column = listed if isinstance(listed, (pa.Array, pa.ChunkedArray)) else pa.array(listed)
        except UnicodeEncodeError as failure:
            raise _no_unicode({f"column `{name}`": listed}, failure) from failure
        except NOT_OF_ARROW as failure:
            raise DataError(
                f"expected values of one type of Arrow in the column `{name}`, and pyarrow found: {_said(failure)}",
                "turn them into one type, or leave the column out",
            ) from failure
        is_text = name in (self.text or "text", self.text_pair)
        return column.cast(pa.string()) if is_text and pa.types.is_null(column.type) else column

    def _batches(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        native, first_row = self._native(), 0
        for batch in reader:
            for start in range(0, batch.num_rows, ROWS_AT_ONCE):
                rows = batch.slice(start, ROWS_AT_ONCE)
                schema, array = rows.__arrow_c_array__()
                yield pa.record_batch(Batch(native.featurize(schema, array, first_row)))
                first_row += rows.num_rows


def _arguments() -> dict[str, Any]:
    """The arguments of an encoder, with what they are if nothing is said."""
    parameters = inspect.signature(Encoder).parameters
    return {name: parameter.default for name, parameter in parameters.items()}


def _differs(value: Any, default: Any) -> bool:
    """Whether an argument says something that it does not say by itself; `model` always does."""
    return default is inspect.Parameter.empty or bool(_plain(value) != _plain(default))


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, (str, bool)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.ndarray):
        # One of no dimensions cannot be iterated over.
        return _plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (np.integer, int)):
        return int(value)
    if isinstance(value, Iterable) and not isinstance(value, Iterator):
        # An iterator would have nothing left for whoever asks next.
        return [_plain(item) for item in value]
    return value


def _option(name: str, value: Any) -> Any:
    """An argument as a pipeline file has it, where it can."""
    plain = _plain(value)
    try:
        json.dumps(plain)
    except TypeError as failure:
        hint = "give a list: this can be read only once" if isinstance(value, Iterator) else None
        found = type(value).__name__
        raise UsageError(f"expected a number, a text or a list of these for {name}, found {found}", hint) from failure
    if name == "layers" and plain == []:
        raise UsageError("expected at least one layer, found an empty list of them", '-1 is the last layer, "all" are all')
    return plain


def _reader(data: ArrowStream) -> pa.RecordBatchReader:
    if not hasattr(data, "__arrow_c_stream__"):
        hint = "encode takes texts by themselves; pyarrow.table makes a table of them"
        if hasattr(data, "collect"):
            hint = "collect() makes a table of it"
        elif isinstance(data, Mapping):
            hint = "pyarrow.table makes a table of it; the encoder itself takes it as it is"
        raise UsageError(f"expected a table that gives an Arrow stream, found {type(data).__name__}", hint)
    try:
        return pa.RecordBatchReader.from_stream(data)
    except UnicodeEncodeError as failure:
        columns = {f"column `{name}`": data[name] for name in getattr(data, "columns", [])}  # type: ignore[index]
        raise _no_unicode(columns, failure) from failure
    except NOT_OF_ARROW as failure:
        hint = "cast the column of such values, or leave it out"
        if not hasattr(data, "columns"):
            hint = "give a table with a column of texts; encode takes a column by itself"
        raise DataError(f"expected a table of what Arrow has, found {_strange(data)}: {_said(failure)}", hint) from failure


def _strange(data: Any) -> str:
    """What pyarrow cannot take of some data: the column, where pyarrow does not name it itself."""
    for column in data.get_columns() if hasattr(data, "get_columns") else []:
        try:
            pa.chunked_array(column)
        except NOT_OF_ARROW:
            return f"the column `{column.name}` ({column.dtype})"
    return f"a {type(data).__name__}"


def _said(failure: Exception) -> str:
    """What pyarrow says, which may come in parts."""
    return "; ".join(str(part) for part in failure.args)


def _no_unicode(columns: Mapping[str, Iterable[object]], failure: UnicodeEncodeError) -> DataError:
    """What is wrong with the first text that is no Unicode."""
    found = f"the surrogate U+{ord(failure.object[failure.start]):04X} at character {failure.start}"
    places = [
        f" of the {name} in place {place}"
        for name, texts in columns.items()
        for place, text in enumerate(texts)
        if isinstance(text, str) and text == failure.object
    ]
    return DataError(
        f"expected Unicode, found {found}{places[0] if places else ''}",
        "a text with such halves of characters was read wrongly: text.encode(errors='replace').decode() has ? for each",
    )


def _texts(texts: str | Iterable[str]) -> list[str]:
    if isinstance(texts, Mapping) or hasattr(texts, "columns"):
        raise UsageError(
            f"expected texts, found a {type(texts).__name__} of columns",
            "give one of its columns; encode_table takes all of it",
        )
    if not isinstance(texts, Iterable) and not hasattr(texts, "__getitem__"):
        raise UsageError(f"expected texts, found {type(texts).__name__}", "give a text or a list of them")
    if isinstance(texts, (pa.Array, pa.ChunkedArray)):
        # Their items are scalars of Arrow, which are no str.
        texts = texts.to_pylist()
    listed = [texts] if isinstance(texts, str) else list(texts)
    for place, text in enumerate(listed):
        if not isinstance(text, str):
            raise DataError(
                f"expected a text, found {type(text).__name__} in place {place}",
                "make it a text; leave missing texts out, or give encode_table a table, where a null has a null vector",
            )
    return listed


def _values(column: pa.ChunkedArray) -> Any:
    """A column as numpy has it; vectors as one array, where nothing is missing in them."""
    if not pa.types.is_fixed_size_list(column.type):
        return column.to_pylist()
    values, shape = column.combine_chunks(), []
    while pa.types.is_fixed_size_list(values.type) and not values.null_count:
        shape.append(values.type.list_size)
        values = values.flatten()
    if values.null_count:
        # An array has no place for what is missing: it would make other values of all the others, or be shorter.
        return column.to_pylist()
    return values.to_numpy(zero_copy_only=False).reshape(len(column), *shape)
