"""What everyone in the race works on: a corpus of documents or sentences, and a BERT.

Both are functions of their arguments alone, so two machines race over the same bytes. What is
already in place is kept.
"""

import io
import json
import math
import random
import shutil
import struct
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tokenizers import Tokenizer

# Texts: tokens of the median, at 95 %, and at most, special tokens counted.
LENGTHS = {"documents": (120, 450, 512), "sentences": (18, 45, 128)}
MAX_TOKENS = 512
SPECIAL_TOKENS = 2
MIN_TOKENS = SPECIAL_TOKENS + 2  # a word and a full stop
SEED = 20
TINY_BERT = Path(__file__).resolve().parent.parent / "tests/fixtures/tiny-bert"
SLICE = 1_000_000  # rows of a large file that are made at a time
CORPUS_VERSION = 2  # part of the file's name: raise it when the generator changes


def corpus(
    folder: Path, tokenizer_json: Path, rows: int, tokens: int | None = None, kind: str = "documents"
) -> Path:
    """A Parquet file of `rows` texts, columns `id` (int64) and `text` (string).

    All have as many `tokens`, or where that is not given the lengths of their kind. No two are equal: strata encodes
    equal texts once, which is not what a race is about.
    """
    of_tokens = f"x{tokens}" if tokens else ""
    path = folder / f"{kind}-v{CORPUS_VERSION}-{rows}{of_tokens}.parquet"
    if path.is_file():
        return path
    rng = random.Random(SEED)
    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    words = whole_words(tokenizer)
    lengths = [tokens] * rows if tokens else token_lengths(rows, rng, kind)
    texts = distinct(lengths, words, rng)
    check_lengths(lengths, [len(encoding) for encoding in tokenizer.encode_batch_fast(texts)])
    write(path, pa.table({"id": pa.array(range(rows), pa.int64()), "text": texts}))
    return path


def token_ids(tokenizer_json: Path, texts: list[str]) -> list[list[int]]:
    """The `input_ids` of each text, as far as the model takes them."""
    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]


def part_of(corpus: Path, rows: int) -> Path:
    """A file of the first rows of a corpus, whose lengths are in random order."""
    path = corpus.with_name(f"{corpus.stem}-first-{rows}.parquet")
    if not path.is_file():
        write(path, pq.read_table(corpus).slice(0, rows))
    return path


def write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    pq.write_table(table, partial)
    partial.rename(path)


def distinct(lengths: list[int], words: list[str], rng: random.Random) -> list[str]:
    """A text of each length; one that is there already is drawn again."""
    texts: dict[str, None] = {}
    for length in lengths:
        while (text := document(length - SPECIAL_TOKENS, words, rng)) in texts:
            pass
        texts[text] = None
    return list(texts)


def token_lengths(rows: int, rng: random.Random, kind: str = "documents") -> list[int]:
    """Lognormal lengths in random order, special tokens counted.

    They are the distribution's own quantiles, not a sample of it, so that a race over few rows has
    the same shape as one over many.
    """
    middle, at_95_percent, most = LENGTHS[kind]
    normal = NormalDist(math.log(middle), math.log(at_95_percent / middle) / NormalDist().inv_cdf(0.95))
    lengths = [round(math.exp(normal.inv_cdf((row + 0.5) / rows))) for row in range(rows)]
    lengths = [min(max(length, MIN_TOKENS), most) for length in lengths]
    rng.shuffle(lengths)
    return lengths


def whole_words(tokenizer: Tokenizer) -> list[str]:
    """The vocabulary's plain words, in its own order: a word of text is then one token."""
    by_id = sorted(tokenizer.get_vocab(with_added_tokens=False).items(), key=lambda item: item[1])
    return [word for word, _ in by_id if len(word) > 1 and word.isascii() and word.isalpha()]


def document(tokens: int, words: list[str], rng: random.Random) -> str:
    """Sentences of `tokens` tokens together; a word's chance falls with its rank, as in a language."""
    sentences = []
    while tokens > 0:
        size = min(tokens, rng.randint(6, 24))
        # What would leave one token behind takes it along: a full stop needs a word before it.
        size += tokens - size == 1
        ranks = (int(len(words) ** rng.random()) - 1 for _ in range(size - 1))
        sentences.append(" ".join(words[rank] for rank in ranks).capitalize() + ".")
        tokens -= size
    return " ".join(sentences)


def check_lengths(wanted: list[int], found: list[int]) -> None:
    """Stops a race over a corpus that is not the promised one."""
    if wanted != found:
        wrong = sum(a != b for a, b in zip(wanted, found))
        raise SystemExit(
            f"error: {wrong} of {len(wanted)} documents did not get the length in tokens that they were made for; "
            "expected a tokenizer to which a lower-case English word of its vocabulary is one token"
        )


def model(folder: Path, tokenizer_folder: Path) -> Path:
    """A Hugging Face folder of BERT-base shapes with random weights and a real tokenizer."""
    if (folder / "model.safetensors").is_file():
        return folder
    import torch
    from transformers import BertConfig, BertModel

    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    torch.manual_seed(SEED)
    BertModel(BertConfig()).eval().save_pretrained(partial)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer_folder / name, partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def copied(folder: Path, model_folder: Path) -> Path:
    """A real model's weights and tokenizer, without what says how its sentence vectors are made or cut.

    Exports of it lie beside it, and so not in the folder that everything else uses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        if not (folder / name).is_file():
            shutil.copy(model_folder / name, folder)
    return folder


def files_of_one_row(folder: Path, files: int) -> Path:
    """A folder of Parquet files with one row each, no two texts equal.

    All are one file but for the bytes of the number, which makes a million of them in a minute.
    """
    if folder.is_dir():
        return folder
    number, name = struct.unpack("<q", b"identity")[0], b"########"
    buffer = io.BytesIO()
    table = pa.table({"id": [number], "text": [f"the cat {name.decode()} sat on the dog"]})
    pq.write_table(table, buffer, compression="none", use_dictionary=False, write_statistics=False, store_schema=False)
    template = buffer.getvalue()
    assert template.count(b"identity") == template.count(name) == 1
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for each in range(files):
        content = template.replace(b"identity", struct.pack("<q", each)).replace(name, b"%08d" % each)
        (partial / f"{each:08}.parquet").write_bytes(content)
    partial.rename(folder)
    return folder


def many_rows(path: Path, rows: int, tokens: int) -> Path:
    """A Parquet file of so many short rows for the tiny model, `id` and `text`, no two texts equal.

    A text is the row's number, with the vocabulary's words for digits, before words that all have; a word is a token.
    """
    if path.is_file():
        return path
    vocabulary = json.loads((TINY_BERT / "tokenizer.json").read_text())["model"]["vocab"]
    digits = pa.array([word for word in vocabulary if word.isascii() and word.isalnum()])
    base, places = len(digits), 5
    rest = " ".join(["the cat sat on the dog"] * 8).split()[: tokens - SPECIAL_TOKENS - places]
    assert len(rest) == tokens - SPECIAL_TOKENS - places and rows <= base**places
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with pq.ParquetWriter(partial, pa.schema([("id", pa.int64()), ("text", pa.string())]), compression="zstd") as writer:
        for first in range(0, rows, SLICE):
            ids = np.arange(first, min(first + SLICE, rows))
            words = [digits.take(pa.array(ids // base**place % base)) for place in range(places)]
            texts = pc.binary_join_element_wise(*words, *rest, " ")
            writer.write_table(pa.table({"id": ids, "text": texts}))
    partial.rename(path)
    return path
