"""What ``isogloss doctor`` says about a static model: token vectors, comparison, texts without a direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isogloss.encoders.static import StaticEncoder
from isogloss.protocols import Diagnosis, EncodeReport

MUCH_LOST = 0.01


def check_static(encoder: StaticEncoder, texts: Sequence[str] | None) -> list[Diagnosis]:
    """Check the token vectors, and the user's texts where they are given.

    Parameters
    ----------
    encoder
        A static encoder.
    texts
        The user's texts; None: not checked.
    """
    findings = [_token_vectors(encoder), _normalisation(encoder)]
    return findings if texts is None else [*findings, _direction(encoder, texts)]


def _token_vectors(encoder: StaticEncoder) -> Diagnosis:
    rows, weights = encoder.vectors.rows, encoder.vectors.weights
    broken = ~np.isfinite(weights)
    if rows.dtype.kind == "f":
        broken |= ~np.isfinite(rows).all(1)
    if broken.any():
        found = f"{int(broken.sum()):,} of {len(rows):,} token vectors hold NaN or infinity"
        return Diagnosis("weights", "problem", found, "fetch the model again")
    zero = int(np.count_nonzero((weights == 0) | ~rows.any(1)))
    found = f"{len(rows):,} tokens, {rows.shape[1]} dimensions, {rows.dtype.name}, all finite, {zero:,} without weight"
    if zero > len(rows) / 2:
        return Diagnosis("weights", "problem", f"{found}: most are zero", "the file is damaged: fetch the model again")
    return Diagnosis("weights", "ok", found)


def _normalisation(encoder: StaticEncoder) -> Diagnosis:
    if encoder.finish == "unit":
        return Diagnosis("normalisation", "ok", "vectors have length one; compared by cosine")
    found = f"vectors are a {encoder.finish}, not of length one; compared by cosine, which does not mind"
    return Diagnosis("normalisation", "ok", found)


def _direction(encoder: StaticEncoder, texts: Sequence[str]) -> Diagnosis:
    """Count texts whose every token is unknown: their vector is zero, and no search finds them."""
    lost, example = 0, ""
    for start in range(0, len(texts), 8192):
        some = list(texts[start : start + 8192])
        zero = np.flatnonzero(~encoder.encode(some, report=EncodeReport()).any(1))
        lost += len(zero)
        example = example or next((some[i][:60] for i in zero), "")
    found = f"{lost:,} of {len(texts):,} texts have no token that the model knows"
    if not lost:
        return Diagnosis("known words", "ok", found)
    much = lost / len(texts) >= MUCH_LOST
    fix = "search by words finds them; for vectors take a model of their language"
    return Diagnosis("known words", "warning" if much else "note", f"{found}, such as {example!r}", fix)
