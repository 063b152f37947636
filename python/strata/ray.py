"""Whole runs on a Ray cluster, and encoders in Ray Data.

`run` makes what ``strata run`` makes, byte for byte on processors of one kind: the plan is made once, parts are made and
committed by workers that keep the model loaded, and what a lost worker had is made by another. All machines see the input files
and the output folder at the same paths. `featurize` adds columns of vectors to a dataset of Ray Data.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strata import _strata
from strata.encoder import Encoder
from strata.errors import ConfigurationError, Error, TryAgain

try:
    import ray
    from ray.exceptions import (
        NodeDiedError,
        ObjectLostError,
        OutOfMemoryError,
        RayActorError,
        RayTaskError,
        WorkerCrashedError,
    )
except ImportError as failure:
    raise ConfigurationError(f"expected Ray, found {failure}", "pip install 'ray[data]'") from failure

#: What a call raises whose worker is no more.
LOST = (NodeDiedError, ObjectLostError, OutOfMemoryError, RayActorError, WorkerCrashedError)

#: Parts that a worker is given at once, if they follow each other in a file: text formats are read from their start.
MOST_PARTS = 8

#: Such shares that each worker is to have, so that all end at about the same time.
SHARES_OF_A_WORKER = 4

#: So many workers in a row that are lost over the same parts, or before they could begin, end the run.
MOST_LOSSES = 20

#: Seconds without any worker after which that is told.
PATIENCE = 60

#: Seconds between two looks at what the workers have done.
PERIOD = 0.5


def run(
    pipeline: str | Path | None = None,
    *options: str,
    num_workers: int | None = None,
    num_cpus: int = 1,
    resources: Mapping[str, float] | None = None,
    address: str | None = None,
) -> dict[str, Any]:
    """What ``strata run`` does, by workers on a Ray cluster.

    Parameters
    ----------
    pipeline : str or Path, optional
        A pipeline file. Its paths are those of this process's folder.
    *options : str
        Options as on the command line, such as ``"--overwrite"``.
    num_workers : int, optional
        Workers, each with a model of its own: as many as the cluster has processors for if nothing is said.
    num_cpus : int
        Processors of each worker.
    resources : mapping of str to float, optional
        Further resources that each worker claims of Ray.
    address : str, optional
        The cluster, if this process is not connected to one: the one that Ray knows of, or a new one on this machine, if
        nothing is said.

    Returns
    -------
    dict
        The figures of the run, as ``--report`` writes them.

    Raises
    ------
    strata.Error
        The run was refused or failed. Parts that were committed stay, and the next run goes on from there.
    """
    arguments = ["strata", "ray", *([] if pipeline is None else [str(pipeline)]), *options]
    arguments += [] if num_workers is None else ["--num-workers", str(num_workers)]
    arguments += ["--num-cpus", str(num_cpus)] + ([] if address is None else ["--address", address])
    report: dict[str, Any] = json.loads(_strata.ray(arguments, lambda order, parts: make(order, parts, resources)))
    return report


def make(
    order: str, parts: list[tuple[str, int, int]], resources: Mapping[str, float] | None = None
) -> Iterator[tuple[int, int, dict[str, str]]]:
    """Has parts made on a cluster. What it gives is described with the function that calls it, in `_strata`."""
    wanted = json.loads(order)
    with _connected(wanted["address"]):
        cores = int(ray.cluster_resources().get("CPU", 0))
        most = wanted["num_workers"] or max(1, cores // wanted["num_cpus"])
        shares = _shares(parts, most)
        claims = {"num_cpus": wanted["num_cpus"], "resources": dict(resources or {})}
        with _Crew(min(most, len(shares)), json.dumps(wanted["options"]), claims) as crew:
            yield from crew.make(shares)


@contextlib.contextmanager
def _connected(address: str | None) -> Iterator[None]:
    """A connection to the cluster; one that was there before stays."""
    if ray.is_initialized():
        yield
        return
    # In the main thread, Ray would take SIGTERM for itself. What it starts dies with the thread that starts it.
    with ThreadPoolExecutor(1) as thread:
        try:
            thread.submit(ray.init, address, logging_level=logging.ERROR).result()
        except (ConnectionError, ValueError, RuntimeError) as failure:
            advice = "give its --address, or start one with ray start"
            raise TryAgain(f"cannot reach a Ray cluster: {failure}", advice) from failure
        try:
            yield
        finally:
            ray.shutdown()


@dataclass
class _Share:
    """Parts that a worker makes in one go."""

    names: list[str]
    rows: int
    losses: int = 0


def _shares(parts: Sequence[tuple[str, int, int]], workers: int) -> deque[_Share]:
    """Divides parts, given as names, rows and files, among workers."""
    most = max(1, min(MOST_PARTS, len(parts) // (workers * SHARES_OF_A_WORKER)))
    shares: deque[_Share] = deque()
    file_before = None
    for name, rows, file in parts:
        if file == file_before and len(shares[-1].names) < most:
            shares[-1].names.append(name)
            shares[-1].rows += rows
        else:
            shares.append(_Share([name], rows))
        file_before = file
    return shares


class _Worker:
    """Makes parts in a process of its own, with a model that stays loaded."""

    def __init__(self, options: str, num_cpus: int) -> None:
        # For the threads that read files; those that encode are an option.
        os.environ.setdefault("RAYON_NUM_THREADS", str(num_cpus))
        self._options = options
        self._native: _strata.Worker | None = None

    def make(self, names: list[str]) -> dict[str, str]:
        """Makes and commits parts; returns files that were skipped, with the reason."""
        # Not when the process starts: that would be no exception of this call.
        if self._native is None:
            self._native = _strata.Worker(self._options)
        return self._native.make(names)

    def encoded(self) -> tuple[int, int]:
        """Rows and tokens that were encoded so far."""
        return (0, 0) if self._native is None else self._native.encoded()


@dataclass
class _Seen:
    """What is known of a worker at work."""

    share: _Share
    #: What it had encoded when it was given its share, and has now.
    before: tuple[int, int]
    now: tuple[int, int]
    #: Its answer, if it was asked.
    asked: Any = field(default=None)


class _Crew:
    """Workers, of whom each is replaced when it is lost."""

    def __init__(self, size: int, options: str, claims: dict[str, Any]) -> None:
        self._size = size
        # One call makes parts, one asks how far it is.
        self._start = ray.remote(_Worker).options(max_concurrency=2, **claims)
        self._arguments = (options, claims["num_cpus"])
        #: Those that do not run yet, by their first answer.
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        #: Those that make parts, by what they will answer.
        self._making: dict[Any, tuple[Any, _Seen]] = {}
        self._encoded: dict[Any, tuple[int, int]] = {}
        self._claims = claims
        #: How many were lost in a row before they could begin.
        self._still_born = 0

    def __enter__(self) -> _Crew:
        for _ in range(self._size):
            self._hire()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in [*self._starting.values(), *self._idle, *(worker for worker, _ in self._making.values())]:
            with contextlib.suppress(*LOST):
                ray.kill(worker)

    def make(self, shares: deque[_Share]) -> Iterator[tuple[int, int, dict[str, str]]]:
        """Has all shares made; gives rows and tokens since the last time, and skipped files."""
        made_rows = told_rows = made_tokens = told_tokens = 0
        asked = begun = time.monotonic()
        is_told = False
        while shares or self._making:
            while shares and self._idle:
                self._give(self._idle.pop(), shares.popleft())
            expected = [*self._making, *self._starting]
            ray.wait(expected, timeout=PERIOD)
            ready, _ = ray.wait(expected, num_returns=len(expected), timeout=0)
            skipped: dict[str, str] = {}
            for answer in ready:
                if answer in self._starting:
                    self._welcome(answer)
                    continue
                worker, seen = self._making.pop(answer)
                try:
                    skipped |= ray.get(answer)
                except RayTaskError as failure:
                    self._idle.append(worker)
                    raise (failure.cause if isinstance(failure.cause, Error) else failure) from None
                except LOST as failure:
                    self._lose(worker)
                    seen.share.losses += 1
                    if seen.share.losses >= MOST_LOSSES:
                        raise TryAgain(
                            f"{seen.share.losses} workers were lost that made {', '.join(seen.share.names)}: {failure}",
                            "give workers more memory, or see Ray's logs",
                        ) from failure
                    shares.appendleft(seen.share)
                else:
                    self._idle.append(worker)
                    made_rows += seen.share.rows
                    made_tokens += self._tokens_of(seen)
            now = time.monotonic()
            if now - asked >= PERIOD:
                asked = now
                self._ask()
            if not is_told and not self._making and now - begun > PATIENCE:
                is_told = True
                print(f"note: no worker could begin for {PATIENCE} seconds: each claims {self._claims}", file=sys.stderr)
            at_work = [seen for _, seen in self._making.values()]
            rows = made_rows + sum(min(seen.now[0] - seen.before[0], seen.share.rows) for seen in at_work)
            tokens = made_tokens + sum(self._tokens_of(seen) for seen in at_work)
            # What a lost worker had done is not told twice.
            yield max(0, rows - told_rows), max(0, tokens - told_tokens), skipped
            told_rows, told_tokens = max(rows, told_rows), max(tokens, told_tokens)

    @staticmethod
    def _tokens_of(seen: _Seen) -> int:
        return seen.now[1] - seen.before[1]

    def _hire(self) -> None:
        worker = self._start.remote(*self._arguments)
        self._starting[worker.encoded.remote()] = worker

    def _welcome(self, answer: Any) -> None:
        """Takes a worker that has started, or has been lost before it could."""
        worker = self._starting.pop(answer)
        try:
            ray.get(answer)
        except LOST as failure:
            self._still_born += 1
            if getattr(failure, "actor_init_failed", False) or self._still_born >= MOST_LOSSES:
                advice = "install the same strata on all machines, or see Ray's logs"
                raise TryAgain(f"workers cannot start: {failure}", advice) from failure
            self._lose(worker)
        else:
            self._still_born = 0
            self._idle.append(worker)

    def _lose(self, worker: Any) -> None:
        """Replaces a worker, which may live on where nobody can reach it."""
        self._encoded.pop(worker, None)
        with contextlib.suppress(*LOST):
            ray.kill(worker)
        self._hire()

    def _give(self, worker: Any, share: _Share) -> None:
        before = self._encoded.get(worker, (0, 0))
        self._making[worker.make.remote(share.names)] = (worker, _Seen(share, before, before))

    def _ask(self) -> None:
        """Looks at what those have answered who were asked how far they are, and asks again."""
        for worker, seen in self._making.values():
            if seen.asked is not None:
                if not ray.wait([seen.asked], timeout=0)[0]:
                    continue
                # Whoever is lost is found by what it was to make.
                with contextlib.suppress(*LOST):
                    seen.now = self._encoded[worker] = ray.get(seen.asked)
            seen.asked = worker.encoded.remote()


class Featurizer:
    """An encoder for ``ray.data.Dataset.map_batches``, loaded once in each of its workers.

    Vectors stay fixed-size lists if ``batch_format`` is ``"pyarrow"``. A worker that claims a whole processor keeps Ray from reading
    where there are as many as processors: `featurize` claims what leaves room.

    Parameters
    ----------
    model : str or Path
        A Hugging Face checkpoint folder, at the same path on every machine, or an id.
    threads : int
        Processor threads.
    **arguments
        Those of :class:`strata.Encoder`.
    """

    def __init__(self, model: str | Path, *, threads: int = 1, **arguments: Any) -> None:
        self._encoder = Encoder(model, threads=threads, **arguments).fit([])

    def __call__(self, batch: Any) -> Any:
        return self._encoder(batch)


def featurize(
    dataset: ray.data.Dataset,
    model: str | Path,
    *,
    num_workers: int | None = None,
    threads: int = 1,
    batch_size: int = 4096,
    **arguments: Any,
) -> ray.data.Dataset:
    """The rows of a dataset with the vectors of its texts.

    Parameters
    ----------
    dataset : ray.data.Dataset
        It has a column of texts.
    model : str or Path
        A Hugging Face checkpoint folder, at the same path on every machine, or an id.
    num_workers : int, optional
        Workers, each with a model of its own: as many as the cluster has processors for if nothing is said.
    threads : int
        Processor threads of each worker. It claims half of them, as Ray has to read beside it.
    batch_size : int
        Rows that a worker encodes at a time. Texts of one length are encoded together, so that few is slow.
    **arguments
        Those of :class:`strata.Encoder`.

    Returns
    -------
    ray.data.Dataset
        The columns that ``strata run`` writes. Where tokens, words or spans are rows, or rows are dropped, ``row`` counts
        within a worker's batch: keep a column that names rows.
    """
    if num_workers is None:
        num_workers = max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
    # Otherwise small files are one block, for which there is one worker.
    return dataset.repartition(target_num_rows_per_block=batch_size).map_batches(
        Featurizer,
        fn_constructor_args=(str(model),),
        fn_constructor_kwargs={"threads": threads, **arguments},
        batch_format="pyarrow",
        batch_size=batch_size,
        compute=ray.data.ActorPoolStrategy(size=num_workers),
        num_cpus=threads / 2,
    )
