import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
TINY = REPOSITORY / "tests" / "fixtures" / "tiny-bert"
PROGRAM = Path(sys.executable).parent / "strata"

#: What tells this session's processes from those of others.
MARK = f"STRATA_TEST={uuid.uuid4()}"


@pytest.fixture(scope="session", autouse=True)
def marked_environment():
    name, value = MARK.split("=")
    os.environ[name] = value
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["PYSPARK_PYTHON"] = sys.executable


def texts(rows: int) -> list[str | None]:
    """Texts of all lengths, some of them missing."""
    return [None if row % 97 == 5 else f"the cat {'sat on the dog ' * (row % 9)}and {row}" for row in range(rows)]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """Three files of three formats."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, rows in [("a.parquet", 6000), ("b.csv", 2500), ("c.parquet", 1500)]:
        table = pa.table({"id": range(rows), "text": texts(rows)})
        if name.endswith("csv"):
            pyarrow.csv.write_csv(table, folder / name)
        else:
            pq.write_table(table, folder / name)
    return folder


def options(corpus: Path, output: Path, rows_per_part: int = 50) -> list[str]:
    """The command line of a run over the corpus."""
    inputs = [str(corpus / name) for name in ("a.parquet", "b.csv", "c.parquet")]
    # A model as narrow as this has the same bits only in batches of the same texts, whatever the number of threads.
    features = ["--layers", "0,-1", "--max-batch-tokens", "1024", "--rows-per-part", str(rows_per_part), "--progress", "never"]
    return ["--input", *inputs, "--model", str(TINY), "--output", str(output), *features]


@pytest.fixture(scope="session")
def by_program(corpus, tmp_path_factory) -> dict[str, bytes]:
    """What `strata run` makes of the corpus."""
    output = tmp_path_factory.mktemp("program") / "out"
    subprocess.run([PROGRAM, "run", *options(corpus, output)], check=True, capture_output=True)
    return visible(output)


def visible(output: Path) -> dict[str, bytes]:
    """The files of an output that count, by their path in it, with their bytes."""
    data = {f"data/{path.name}": path.read_bytes() for path in (output / "data").iterdir()}
    others = {name: (output / name).read_bytes() for name in ("_strata/manifest.json", "_SUCCESS") if (output / name).exists()}
    return data | others


class Bucket:
    """A bucket of a server of S3's protocol, which wants to see a name and does not care whose."""

    def __init__(self, port: int):
        self.endpoint = f"http://127.0.0.1:{port}"
        self.ask("PUT", "")

    def ask(self, method: str, path: str) -> bytes:
        name = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none"
        request = urllib.request.Request(f"{self.endpoint}/bucket{path}", method=method, headers={"Authorization": name})
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def options(self) -> list[str]:
        said = {"aws_endpoint": self.endpoint, "aws_region": "us-east-1", "access_key_id": "key", "secret_access_key": "secret"}
        return [word for key, value in said.items() for word in ("--storage-option", f"{key}={value}")]

    def keys(self, prefix: str) -> list[str]:
        return re.findall("<Key>(.*?)</Key>", self.ask("GET", f"?list-type=2&max-keys=1000&prefix={prefix}").decode())

    def parts(self, output: str) -> dict[str, bytes]:
        """The parts of an output by the names that they have in a folder."""
        return {re.sub("-[0-9a-f]{16}[.]", ".", key.removeprefix(f"{output}/")): self.ask("GET", f"/{key}") for key in self.keys(f"{output}/data/")}


@pytest.fixture(scope="session")
def bucket():
    python = REPOSITORY / ".venv-stores" / "bin" / "python"
    server = subprocess.Popen([python, REPOSITORY / "tests" / "stores" / "server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield Bucket(int(server.stdout.readline()))
    server.stdin.close()
    server.wait()


def leftovers(output: Path) -> list[str]:
    """What is half-written in an output, or no part of it."""
    temporary = [path.name for path in (output / "_strata").iterdir() if path.name.endswith(".partial")]
    return temporary + [path.name for path in output.iterdir() if path.name not in ("data", "_strata", "_SUCCESS")]


def wait_until(holds: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def processes(title: str) -> list[int]:
    """This session's processes with such a title."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if title.encode() in (folder / "cmdline").read_bytes() and MARK.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass


def has_java() -> bool:
    """Whether there is a Java that Spark can use."""
    java = shutil.which("java")
    if java is None:
        return False
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    return any(f'version "{version}.' in said for version in (17, 21))
