"""A model in a process of another program, such as one that was built for GPUs."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from strata._arrow import Batch, Schema
from strata.errors import (
    Bug,
    ConfigurationError,
    DataError,
    Error,
    NotFound,
    SystemFailure,
    TryAgain,
    UsageError,
)

#: Milliseconds that Ctrl-C may have to wait.
PERIOD = 100

#: What the program's exit codes mean.
ERRORS: dict[int, type[Error]] = {
    2: UsageError,
    65: DataError,
    66: NotFound,
    74: SystemFailure,
    75: TryAgain,
    78: ConfigurationError,
}


class Served:
    """What `_strata.Featurizer` is, by ``strata serve``; the messages are described there."""

    def __init__(self, program: str, options: str) -> None:
        self._command = [program, "serve"]
        self._options = options
        self._one_at_a_time = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        loaded = self._start()
        self.columns: list[tuple[str, list[int]]] = [(name, shape) for name, shape in loaded["columns"]]
        self.remarks: list[str] = loaded["remarks"]

    def encode(self, texts: list[str], pairs: list[str] | None = None) -> list[npt.NDArray[np.float32]]:
        """For each column the values of all texts, end to end."""
        columns = [texts] if pairs is None else [texts, pairs]
        arrays = [pa.array(column, pa.string()) for column in columns]
        table = self._ask("encode", pa.record_batch(arrays, ["text", "text_pair"][: len(arrays)])).combine_chunks()
        chunks = [column.chunk(0) if column.num_chunks else pa.array([], column.type) for column in table.columns]
        return [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in chunks]

    def schema(self, schema: object) -> object:
        """The schema of the tables that come of tables with the given schema."""
        empty = pa.RecordBatch.from_pylist([], pa.schema(Schema(schema)))
        return self._ask("schema", empty).schema.__arrow_c_schema__()

    def featurize(self, schema: object, array: object, first_row: int) -> tuple[object, object]:
        """The table that comes of a table."""
        table = self._ask("featurize", pa.record_batch(Batch((schema, array))), first_row).combine_chunks()
        batches = table.to_batches() or [pa.RecordBatch.from_pylist([], table.schema)]
        capsules: tuple[object, object] = batches[0].__arrow_c_array__()
        return capsules

    def __del__(self) -> None:
        process = getattr(self, "_process", None)
        if process is not None:
            process.kill()
            process.wait()

    def _start(self) -> dict[str, Any]:
        try:
            # Ctrl-C is for this process, which then ends that one.
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
        except OSError as failure:
            advice = "name the program that `make build` or `make install` has made"
            raise NotFound(f"cannot start {self._command[0]}: {failure.strerror}", advice) from failure
        return self._exchange(self._process, self._options.encode() + b"\n")[0]

    def _ask(self, what: str, batch: pa.RecordBatch, first_row: int = 0) -> pa.Table:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        table = sink.getvalue()
        request = json.dumps({"what": what, "first_row": first_row, "bytes": table.size}).encode()
        with self._one_at_a_time:
            if self._process is None:
                self._start()
            assert self._process is not None
            return pa.ipc.open_stream(self._exchange(self._process, request + b"\n", table)[1]).read_all()

    def _exchange(self, process: subprocess.Popen[bytes], *messages: Any) -> tuple[dict[str, Any], bytes]:
        assert process.stdin is not None and process.stdout is not None
        try:
            try:
                for message in messages:
                    process.stdin.write(message)
                process.stdin.flush()
                # A signal may come to another thread, which does not wake this one.
                waiting = select.poll()
                waiting.register(process.stdout, select.POLLIN)
                while not waiting.poll(PERIOD):
                    pass
                answer: dict[str, Any] = json.loads(process.stdout.readline())
                table = process.stdout.read(answer.get("bytes", 0))
                if len(table) < answer.get("bytes", 0):
                    raise EOFError
            except (OSError, ValueError, EOFError) as failure:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(1)
                code = process.poll()
                ended = "says what is no answer" if code is None else f"has ended with exit code {code}"
                raise SystemFailure(f"{' '.join(self._command)} {ended}") from failure
        except BaseException:
            # Whoever is asked next answers from the beginning.
            process.kill()
            process.wait()
            self._process = None
            raise
        if "error" in answer:
            error = answer["error"]
            raise ERRORS.get(error["code"], Bug)(error["message"], error["hint"])
        return answer, table
