"""What docs/cluster.md shows runs as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import REPOSITORY, TINY, has_java, texts

BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall((REPOSITORY / "docs" / "cluster.md").read_text())


@pytest.mark.parametrize(("language", "code"), BLOCKS, ids=[f"{language}-{place}" for place, (language, _) in enumerate(BLOCKS)])
def test_an_example_runs(language, code, tmp_path):
    if "pyspark" in code and not has_java():
        pytest.skip("Spark 4 needs Java 17 or 21, and there is none")
    pq.write_table(pa.table({"id": range(500), "text": texts(500)}), tmp_path / "corpus.parquet")
    (tmp_path / "model").symlink_to(TINY)
    paths = '[input]\npaths = ["corpus.parquet"]\n[model]\npath = "model"\n[output]\npath = "vectors"\nrows_per_part = 100\n'
    (tmp_path / "corpus.toml").write_text(paths)
    shell = [sys.executable] if language == "python" else ["sh", "-eu"]
    # Of a cluster that others have on this machine, nothing is wanted.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"RAY_ADDRESS": "local", "PATH": path}
    done = subprocess.run([*shell, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stderr
