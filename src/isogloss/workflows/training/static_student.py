"""A table of token vectors that imitates a sentence encoder: some hundred times as fast, without context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isogloss.arrays import CSR, Dense, Ragged
from isogloss.encoders.names import find_model
from isogloss.encoders.static import StaticEncoder, TokenVectors
from isogloss.errors import UnsupportedModelError
from isogloss.learners.linear_distillation import linear_distillation
from isogloss.protocols import Encoder, EncodeReport, Progress
from isogloss.vocabulary.wordpiece import WordPiece
from isogloss.workflows.vector_cache import encode_kept


def static_student(
    name: str, teacher: Encoder, texts: Sequence[str], vectors: Dense, *, dimensions: int, progress: Progress
) -> StaticEncoder:
    """Fit token vectors whose weighted mean points where the teacher's sentence vectors point.

    Parameters
    ----------
    name, teacher
        The teacher; its vocabulary is used, without the tokens that no text can give.
    texts, vectors
        Sentences, and the teacher's vectors ``(n, d)`` of them.
    dimensions
        Of the student.
    progress
        Told about the tokens, which the teacher encodes one by one.

    Raises
    ------
    UnsupportedModelError
        Where the teacher's vocabulary is not BERT's WordPiece.
    """
    try:
        whole = WordPiece.load(find_model(name))
    except Exception as error:
        raise UnsupportedModelError(
            f"{name} cannot be made static", f"its tokenizer is not a WordPiece of BERT's kind: {error}",
            "use a teacher of BERT shape, or --to layers=N",
        ) from error  # fmt: skip
    pieces = WordPiece([whole.tokens[i] for i in reachable(whole)])
    alone = [token.removeprefix("##") for token in pieces.tokens]
    tokens, _ = encode_kept(teacher, alone, "document", progress, report=EncodeReport(), what="encode the vocabulary")
    special = np.array([pieces.numbers[token] for token in pieces.added], np.int64)
    table = linear_distillation(
        token_counts(pieces, texts), vectors, tokens, dimensions=dimensions, ridge=4.0, rounds=4, iterations=6,
        leave_out=special,
    )  # fmt: skip
    languages = getattr(teacher, "languages", None)
    return StaticEncoder(
        pieces, TokenVectors.quantised(table.rows), skip_unknown=True, name=f"{name}-static", languages=languages
    )


def reachable(pieces: WordPiece) -> list[int]:
    """Return the numbers of the tokens that some text can give: not ``[unused7]``, ``##!`` or ``##`` before CJK."""
    splitter, cleaner = pieces.tokenizer.pre_tokenizer, pieces.tokenizer.normalizer
    found = []
    for number, token in enumerate(pieces.tokens):
        body = "a" + token[2:] if token.startswith("##") and token != "##" else token
        whole = [part for part, _ in splitter.pre_tokenize_str(cleaner.normalize_str(body))] == [body]
        if token in pieces.added or (whole and not token.startswith("[unused")):
            found.append(number)
    return found


def token_counts(pieces: WordPiece, texts: Sequence[str]) -> CSR:
    """Return how often each token occurs in each text, ``(n, V)``."""
    from scipy.sparse import csr_matrix

    tokens: Ragged = pieces.ids(texts)
    ones: Any = np.ones(len(tokens.values), np.float32)
    return CSR.fromcsr(csr_matrix((ones, tokens.values, tokens.offsets), shape=(len(texts), len(pieces))))
