"""What everyone in the race works on: a corpus of documents and a BERT of random weights.

Both are functions of their arguments alone, so two machines race over the same bytes. What is
already in place is kept.
"""

import math
import random
import shutil
from pathlib import Path
from statistics import NormalDist

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer

MEDIAN_TOKENS, TOKENS_AT_95_PERCENT, MAX_TOKENS = 120, 450, 512
SPECIAL_TOKENS = 2
MIN_TOKENS = SPECIAL_TOKENS + 2  # a word and a full stop
SEED = 20
CORPUS_VERSION = 1  # part of the file's name: raise it when the generator changes


def corpus(folder: Path, tokenizer_json: Path, rows: int, tokens: int | None = None) -> Path:
    """A Parquet file of `rows` documents, columns `id` (int64) and `text` (string).

    All have as many `tokens`, or lengths as in the world where that is not given.
    """
    of_tokens = f"x{tokens}" if tokens else ""
    path = folder / f"corpus-v{CORPUS_VERSION}-{rows}{of_tokens}.parquet"
    if path.is_file():
        return path
    rng = random.Random(SEED)
    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    words = whole_words(tokenizer)
    lengths = [tokens] * rows if tokens else token_lengths(rows, rng)
    texts = [document(length - SPECIAL_TOKENS, words, rng) for length in lengths]
    check_lengths(lengths, [len(encoding) for encoding in tokenizer.encode_batch_fast(texts)])
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    pq.write_table(pa.table({"id": pa.array(range(rows), pa.int64()), "text": texts}), partial)
    partial.rename(path)
    return path


def token_lengths(rows: int, rng: random.Random) -> list[int]:
    """Lognormal lengths in random order, special tokens counted.

    They are the distribution's own quantiles, not a sample of it, so that a race over few rows has
    the same shape as one over many.
    """
    sigma = math.log(TOKENS_AT_95_PERCENT / MEDIAN_TOKENS) / NormalDist().inv_cdf(0.95)
    normal = NormalDist(math.log(MEDIAN_TOKENS), sigma)
    lengths = [round(math.exp(normal.inv_cdf((row + 0.5) / rows))) for row in range(rows)]
    lengths = [min(max(length, MIN_TOKENS), MAX_TOKENS) for length in lengths]
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
