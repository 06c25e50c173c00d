"""Static encoding beside model2vec: the same token vectors, from text to vector.

Contests: ``english`` (sentences), ``udhr`` (lines of the Declaration of Human Rights in 378 languages) and
``tatoeba`` (sentences in some 90 languages). Every round takes texts that were not seen before, so no cache is warm for
them. All run the model that model2vec distilled from MiniLM (256-d, float32); ``isogloss-int8`` rounds it to int8, as
the bundled model is.
``report`` has the mean and least cosine to model2vec's vectors of the same texts. Options: ``n``, texts a round.
Before the first run: ``python benchmarks/runner.py prepare model2vec`` and ``python benchmarks/rival_models.py``.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rival_models import model2vec_minilm
from runner import Contest, Contestant, main

Encode = Callable[[list[str]], Any]
ROUNDS = 7
CHECKED = 2000


def _lines(path: Path) -> list[str]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        return [line.rstrip("\n") for line in lines]


def _texts(kind: str) -> list[str]:
    data = Path(os.environ["ISOGLOSS_DATA"])
    if kind == "udhr":
        texts = [json.loads(line)["text"] for line in _lines(data / "udhr" / "udhr.jsonl.gz")]
        return [line for text in texts for line in text.split("\n") if line.strip()]
    if kind == "tatoeba":
        return [
            part
            for path in sorted((data / "tatoeba").glob("*.tsv*"))
            for line in _lines(path)
            for part in line.split("\t")
        ]
    found = [json.loads(line)["text"] for line in _lines(data / "wiki-passages" / "passages.jsonl.gz")]
    found += [json.loads(line)["text"] for line in _lines(data / "movie-reviews" / "train.jsonl.gz")]
    found += [json.loads(line)["text"] for line in _lines(data / "medical-abstracts" / "train.jsonl.gz")]
    pairs = [json.loads(line) for part in ("train", "dev") for line in _lines(data / "wiki-split" / f"{part}.jsonl.gz")]
    found += [pair[side] for pair in pairs for side in ("a", "b")]
    sentences = [part.strip() for text in found for part in re.split(r"(?<=[.?!])\s+|\n", text) if len(part) > 20]
    random.Random(0).shuffle(sentences)
    return sentences


def _contestant(make: Callable[[int], Encode], writes: bool) -> Callable[..., Any]:
    def setup(threads: int, kind: str, n: int) -> Any:
        encode, texts, done = make(threads), _texts(kind), [0]
        kept = Path(tempfile.gettempdir()) / f"isogloss-benchmark-static-{kind}-{os.getuid()}.npy"

        def run() -> int:
            batch = texts[done[0] % ROUNDS :: ROUNDS][:n]
            done[0] += 1
            return len(encode(batch))

        def report() -> dict[str, Any]:
            import numpy as np

            vectors = np.asarray(encode(texts[:: max(1, len(texts) // CHECKED)][:CHECKED]), np.float64)
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
            if writes:
                np.save(kept, vectors)
                return {}
            theirs = np.load(kept)
            some = np.linalg.norm(theirs, axis=1) > 0.5
            cosines = np.einsum("ij,ij->i", vectors, theirs)[some]
            return {
                "cosine_mean": float(cosines.mean()),
                "cosine_least": float(cosines.min()),
                "texts": int(some.sum()),
            }

        return run, report

    return setup


def model2vec(threads: int) -> Encode:
    from model2vec import StaticModel

    model = StaticModel.from_pretrained(str(model2vec_minilm()))
    return lambda texts: model.encode(texts, max_length=None)


def isogloss(threads: int) -> Encode:
    from isogloss.encoders.static import StaticEncoder

    return StaticEncoder.load(model2vec_minilm(), threads=threads).encode


def isogloss_int8(threads: int) -> Encode:
    from isogloss.encoders.static import StaticEncoder, TokenVectors

    full = StaticEncoder.load(model2vec_minilm())
    small = TokenVectors.quantised(full.vectors.rows * full.vectors.weights[:, None])
    return StaticEncoder(full.pieces, small, skip_unknown=True, threads=threads).encode


CONTESTS = tuple(
    Contest(
        kind,
        (
            Contestant(
                "model2vec",
                _contestant(model2vec, True),
                rival="model2vec",
                packages=("model2vec", "tokenizers"),
            ),
            Contestant("isogloss", _contestant(isogloss, False), packages=("numba", "tokenizers")),
            Contestant("isogloss-int8", _contestant(isogloss_int8, False), packages=("numba", "tokenizers")),
        ),
        unit="texts",
        rounds=ROUNDS - 1,
        options={"kind": kind, "n": 20_000},
    )
    for kind in ("english", "udhr", "tatoeba")
)

if __name__ == "__main__":
    main(*CONTESTS)
