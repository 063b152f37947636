"""What documents show runs as it stands there."""

import doctest
import re

import pytest
from conftest import REPOSITORY

import strata.duckdb
import strata.encoder

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
DOCUMENTS = [REPOSITORY / "docs" / "python.md"]
BLOCKS = [(document, place, code) for document in DOCUMENTS for place, code in enumerate(BLOCK.findall(document.read_text()))]


@pytest.mark.parametrize(
    ("document", "place", "code"), BLOCKS, ids=[f"{document.name}-{place}" for document, place, _ in BLOCKS]
)
def test_a_documents_example_runs(document, place, code, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    exec(compile(code, f"{document.name}, example {place}", "exec"), {})


@pytest.mark.parametrize("module", [strata, strata.encoder, strata.duckdb], ids=["strata", "strata.encoder", "strata.duckdb"])
def test_docstrings_show_what_comes(module, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    results = doctest.testmod(module)
    assert results.attempted > 0 and results.failed == 0
