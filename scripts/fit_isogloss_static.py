"""Fit the bundled static model isogloss-static to all-MiniLM-L6-v2, and write it with its card.

    ISOGLOSS_DATA=... python scripts/fit_isogloss_static.py --cache FOLDER [--out FOLDER] [--texts N]

The teacher's vectors of the texts (some 30 minutes on two cores) are kept in the cache folder and used again.
Everything is drawn from one seed: the same data, teacher and libraries give the same files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from isogloss.arrays import CSR, Dense, normalise
from isogloss.encoders.static import StaticEncoder, TokenVectors
from isogloss.learners.linear_distillation import DistilledTable, linear_distillation
from isogloss.protocols import Encoder
from isogloss.seeding import generator
from isogloss.vocabulary.wordpiece import WordPiece
from isogloss.workflows.training.static_student import reachable, token_counts
from isogloss_static_texts import Source, rows, training_texts

SHARD, HELD_OUT, LONGEST = 4096, 4096, 128
OUT = Path(__file__).resolve().parents[1] / "src" / "isogloss" / "encoders" / "assets" / "isogloss-static"


def teacher_vectors(teacher: Encoder, texts: list[str], cache: Path) -> Dense:
    """Encode in shards, each kept as float16 under the hash of its texts."""
    cache.mkdir(parents=True, exist_ok=True)
    parts = []
    for start in range(0, len(texts), SHARD):
        shard = texts[start : start + SHARD]
        file = cache / f"{hashlib.sha256(chr(31).join(shard).encode()).hexdigest()[:24]}.npy"
        if not file.is_file():
            began = time.perf_counter()
            np.save(file, np.asarray(teacher.encode(shard), np.float16))
            print(
                f"teacher: {start + len(shard):,} of {len(texts):,} texts, {time.perf_counter() - began:.0f} s",
                flush=True,
            )
        parts.append(np.load(file).astype(np.float32))
    return normalise(np.concatenate(parts))


def structure(encoder: StaticEncoder, texts: list[str], teacher: Dense) -> dict[str, float]:
    """Compare neighbourhoods: share of the teacher's ten nearest found, and rank correlation of cosines."""
    from scipy.stats import spearmanr

    vectors = encoder.encode(texts)
    ours, theirs = vectors @ vectors.T, teacher @ teacher.T
    for matrix in (ours, theirs):
        np.fill_diagonal(matrix, -1)
    near = [np.argpartition(-matrix, 10, axis=1)[:, :10] for matrix in (ours, theirs)]
    shared = [len(np.intersect1d(a, b)) / 10 for a, b in zip(*near, strict=True)]
    others = generator(0, "structure").integers(0, len(texts), near[1].shape)
    pairs = np.concatenate([near[1], others], 1).ravel()
    lines = np.repeat(np.arange(len(texts)), 20)
    rank = spearmanr(ours[lines, pairs], theirs[lines, pairs])[0]
    return {"neighbours_found": float(np.mean(shared)), "rank_correlation": float(rank)}


def sts(encoder: StaticEncoder, file: Path, *, draws: int = 2000) -> tuple[float, float, float]:
    """Return Spearman's correlation of cosine and score, and its 95 % interval by a bootstrap over pairs."""
    from scipy.stats import rankdata, spearmanr

    pairs = list(rows(file))
    a, b = (encoder.encode([pair[side] for pair in pairs]) for side in ("a", "b"))
    cosines, scores = np.einsum("ij,ij->i", a, b), np.array([pair["score"] for pair in pairs], float)
    random = generator(0, "bootstrap", file.name)
    samples = []
    for _ in range(draws):
        chosen = random.integers(0, len(pairs), len(pairs))
        samples.append(np.corrcoef(rankdata(cosines[chosen]), rankdata(scores[chosen]))[0, 1])
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(spearmanr(cosines, scores)[0]), float(low), float(high)


CARD = """---
license: cc-by-sa-4.0
language: en
library_name: isogloss
tags: [static-embeddings, model2vec, sentence-similarity]
base_model: sentence-transformers/all-MiniLM-L6-v2
---
# isogloss-static

A static sentence encoder for English: a text's vector is the mean of its tokens' vectors, scaled to length one. It has
{tokens:,} tokens and {dimensions} components, stored as int8 with one scale a token.
It reads whole texts (there is no window) at a cost of a few microseconds a sentence. A text without known tokens has a
vector of zeros.

`isogloss` opens it under the name `static`; the folder also opens with model2vec.

## How it was made

`scripts/fit_isogloss_static.py` fitted it to all-MiniLM-L6-v2 (Apache-2.0) without torch: the teacher's vectors of the
single tokens, in the {dimensions} principal directions of its sentence vectors ({kept:.1%} of their
variance), weighted by smooth inverse frequency, then a ridge least-squares fit from token counts to the teacher's
vectors of {texts:,} sentences, passages and questions, solved by conjugate gradients. Settings were chosen on
held-out training texts only (those of the figures below, which may flatter them a little). Tokens that no text can give
were dropped from BERT's uncased vocabulary.

## Figures

| what | value |
|---|---|
| STS-B test, Spearman (95 % interval, bootstrap over pairs) | {score:.4f} ({low:.4f} to {high:.4f}) |
| held-out training texts ({held_out:,}): mean cosine to the projected teacher | {cosine:.4f} |
| the same texts: share of the teacher's ten nearest neighbours found | {neighbours_found:.3f} |
| the same texts: rank correlation of cosines with the teacher's | {rank_correlation:.3f} |
| size of the vectors | {bytes:,} bytes |

## Texts

| data set | what | licence | texts |
|---|---|---|---|
{table}

No text of an evaluation set is among them: {left_out:,} sentences that also occur in one (STS-B and other
SemEval STS years, Cranfield, MEDLINE, CACM, SciFact, the SQuAD-style retrieval sets, Natural Questions, Tatoeba and
others; compared by letters and digits) were left out. The teacher itself was trained by its authors on other data,
which its own card lists.

## Limits

English only; no word order, no context: "dog bites man" and "man bites dog" are equal. The licence of the fitted
vectors follows the most demanding of the texts, CC BY-SA 4.0.
"""


def card(facts: dict[str, Any], sources: list[tuple[Source, int]]) -> str:
    """Return the text of the model's README."""
    table = "\n".join(f"| {s.name} | {s.origin} | {s.licence} | {n:,} |" for s, n in sources)
    score, low, high = facts["sts_b_test"]
    return CARD.format(**facts, table=table, score=score, low=low, high=high)


def fit(pieces: WordPiece, counts: CSR, teacher: Dense, tokens: Dense) -> DistilledTable:
    """Fit the table with the settings that were chosen on held-out texts."""
    special = np.array([pieces.numbers[token] for token in pieces.added], np.int64)
    return linear_distillation(counts, teacher, tokens, ridge=4.0, rounds=4, iterations=6, leave_out=special)


def main() -> None:
    """Fit, measure, and write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("ISOGLOSS_DATA"), help="default: $ISOGLOSS_DATA")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the teacher's vectors")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--texts", type=int, default=10**9, help="use only so many texts")
    arguments = parser.parse_args()
    from isogloss.encoders.names import find_model, load_encoder

    teacher = load_encoder("minilm", max_length=LONGEST)
    whole = WordPiece.load(find_model("minilm"))
    pieces = WordPiece([whole.tokens[i] for i in reachable(whole)])
    texts, sources, left_out = training_texts(arguments.data)
    texts = texts[: HELD_OUT + arguments.texts]
    vectors = teacher_vectors(teacher, texts, arguments.cache)
    alone = teacher_vectors(teacher, [token.removeprefix("##") for token in pieces.tokens], arguments.cache)
    held, used = texts[:HELD_OUT], texts[HELD_OUT:]
    table = fit(pieces, token_counts(pieces, used), vectors[HELD_OUT:], alone)
    encoder = StaticEncoder(
        pieces,
        TokenVectors.quantised(table.rows),
        skip_unknown=True,
        name="isogloss-static",
        languages=frozenset({"en"}),
        threads=1,
    )
    agreement = np.einsum("ij,ij->i", encoder.encode(held), table.targets(vectors[:HELD_OUT]))
    facts: dict[str, Any] = {
        "tokens": len(pieces),
        "dimensions": encoder.dimensions,
        "kept": table.kept,
        "texts": len(used),
        "held_out": len(held),
        "left_out": left_out,
        "cosine": float(agreement.mean()),
        **structure(encoder, held, vectors[:HELD_OUT]),
        "sts_b_test": sts(encoder, arguments.data / "sts-b" / "test.jsonl"),
        "bytes": encoder.vectors.rows.nbytes + encoder.vectors.weights.nbytes // 2,
    }
    encoder.save(arguments.out, card=card(facts, sources))
    size = sum(file.stat().st_size for file in arguments.out.iterdir())
    print(json.dumps({**facts, "folder_bytes": size}))
    if size > 8_000_000:
        raise SystemExit(f"the folder has {size:,} bytes, more than 8,000,000")


if __name__ == "__main__":
    main()
