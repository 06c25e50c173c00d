"""Why two sources of "the same" vectors differ: each likely cause is checked or tried, the surest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.encoders.variants import Variant, best_variants, encode_as, long_variants, short_variants
from isogloss.encoders.vector_comparison import cosines, same_geometry, shared_width
from isogloss.protocols import Encoder, Role

SHORT = 120
"""Texts up to this many characters are short: no implementation cuts them."""
CLOSE = 0.98
"""Lowest cosine at which a tried cause counts, where what is left is of the size of a lower precision."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A likely cause: its stable name, the words with numbers, and what to change."""

    cause: str = ""
    explanation: str = ""
    fix: str = ""


def refused(answer_refused: Mapping[int, str], texts: int) -> Finding:
    """Say that a server refused texts, and which."""
    number, why = next(iter(answer_refused.items()))
    words = f"the source refuses {len(answer_refused)} of {texts} texts, the first is number {number}: {why}"
    return Finding("refused", words, "let it truncate, or send chunks that fit its window")


def norms(ours: Dense, theirs: Dense) -> Finding | None:
    """Name a difference of lengths between vectors of the same direction."""
    left, right = (np.linalg.norm(x.astype(np.float64), axis=1) for x in (ours, theirs))
    if np.allclose(left, right, rtol=5e-3, atol=1e-6):
        return None
    words = f"same directions, but lengths of {right.mean():.4g} in the source and {left.mean():.4g} in the model"
    if np.allclose(right, 1, atol=1e-3):
        return Finding("normalisation", f"{words}: only the source normalises", "switch normalisation off there")
    if np.allclose(left, 1, atol=1e-3):
        fix = "normalise there, or compare by cosine and never by dot product"
        return Finding("normalisation", f"{words}: the source does not normalise", fix)
    return Finding("normalisation", words, "compare by cosine, or use one implementation for all vectors")


def explain(
    encoder: Encoder,
    ours: Dense,
    theirs: Dense,
    texts: Sequence[str],
    *,
    role: Role | None = None,
    tolerance: float = 0.9999,
    other: Encoder | None = None,
    again: Callable[[Sequence[str]], Dense] | None = None,
) -> Finding:
    """Name the likely cause of a difference; some text is below the tolerance.

    Parameters
    ----------
    encoder
        The model that gave ``ours``.
    ours, theirs
        ``(n, d)`` and ``(n, e)`` vectors of ``texts``, from the model and from the other source.
    texts
        What was encoded.
    role
        Role in which ``ours`` was encoded.
    tolerance
        Lowest cosine that counts as the same.
    other
        The other source, where it is an encoder: it is varied, too.
    again
        Asks the other source for each text alone, where it is a server.
    """
    for check in (_broken, _dimension, _order):
        if finding := check(ours, theirs, tolerance):
            return finding
    if again is not None and (finding := _batch(ours, theirs, texts, tolerance, again)):
        return finding
    if finding := _tried(encoder, ours, theirs, texts, role, tolerance, they="the source", we="the model"):
        return finding
    # the source may have what no variant of the model has, such as Dense layers
    if other and (finding := _tried(other, theirs, ours, texts, role, tolerance, they="the model", we="the source")):
        return finding
    if ours.shape != theirs.shape:
        words = f"vectors of {theirs.shape[1]} dimensions, the model gives {ours.shape[1]}: another model"
        return Finding("model", words, "name the model that made them")
    return _precision(cosines(ours, theirs)) or _letters(ours, theirs, texts, tolerance) or _unrelated(ours, theirs)


def _broken(ours: Dense, theirs: Dense, tolerance: float) -> Finding | None:
    bad = ~np.isfinite(theirs).all(1)
    if bad.any():
        words = f"{int(bad.sum())} of {len(theirs)} vectors of the source hold NaN or infinity"
        return Finding("non-finite", words, "its weights or its half precision are broken: reload it, or use float32")
    if len(theirs) > 2 and (cosines(np.broadcast_to(theirs[:1], theirs.shape), theirs) > 1 - 1e-7).all():
        words = "the source gives the same vector for every text"
        return Finding("constant", words, "check that it passes the input on, and that its attention mask is right")
    return None


def _dimension(ours: Dense, theirs: Dense, tolerance: float) -> Finding | None:
    if ours.shape == theirs.shape:
        return None
    width, found = shared_width(ours, theirs)
    if found.min() < min(tolerance, CLOSE):
        return None
    shorter = "source" if theirs.shape[1] == width else "model"
    larger = max(ours.shape[1], theirs.shape[1])
    words = (
        f"the {shorter} keeps the first {width} of {larger} dimensions; those agree (lowest cosine {found.min():.6f})"
    )
    return Finding("dimension", words, "ask both for the same number of dimensions")


def _order(ours: Dense, theirs: Dense, tolerance: float) -> Finding | None:
    if ours.shape != theirs.shape or len(ours) < 2:
        return None
    left, right = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (ours, theirs))
    nearest, back = (left @ right.T).argmax(1), (right @ left.T).argmax(1)
    # both ways, as equal texts share a vector
    if min(cosines(ours, theirs[nearest]).min(), cosines(ours[back], theirs).min()) < tolerance:
        return None
    moved = int((cosines(ours, theirs) < tolerance).sum())
    words = f"the source mixes up the order: {moved} of {len(ours)} texts got the vector of another text"
    return Finding("order", words, "its batching mixes up the texts: send one text a request, and report it there")


def _batch(
    ours: Dense, theirs: Dense, texts: Sequence[str], tolerance: float, again: Callable[[Sequence[str]], Dense]
) -> Finding | None:
    """Ask for the worst texts alone: a difference that goes away comes from their batch."""
    chosen = np.argsort(cosines(ours, theirs))[:4]
    alone = again([texts[i] for i in chosen])
    before, after = cosines(ours[chosen], theirs[chosen]), cosines(ours[chosen], alone)
    if after.min() < tolerance:
        return None
    words = f"a vector depends on what it is sent with: cosine {before.min():.4f} in a batch, {after.min():.6f} alone"
    return Finding("batch", words, "padding leaks into the vectors there (attention mask): send one text a request")


def _tried(
    encoder: Encoder,
    ours: Dense,
    theirs: Dense,
    texts: Sequence[str],
    role: Role | None,
    tolerance: float,
    *,
    they: str,
    we: str,
) -> Finding | None:
    """Look for variants: on short texts first, which nobody cuts, then for the cut of long ones."""
    short = np.array([len(text) <= SHORT for text in texts])
    chosen: tuple[Variant, ...] = ()
    if short.any() and cosines(ours[short], theirs[short]).min() < min(tolerance, _noise(ours, theirs, short)):
        some = [text for text, is_short in zip(texts, short, strict=True) if is_short]
        variants = short_variants(encoder, role)
        chosen, lowest = best_variants(encoder, theirs[short], some, role, variants, tolerance=tolerance)
        if lowest < CLOSE:
            return None
        ours = encode_as(encoder, chosen, texts, role)
    found = cosines(ours, theirs)
    gap = 1 - float(np.median(found[short])) if short.any() else 0.0
    if (~short).any() and found[~short].min() < min(tolerance, 1 - 20 * gap):
        some = [text for text, is_short in zip(texts, short, strict=True) if not is_short]
        variants = long_variants(encoder)
        more, lowest = best_variants(encoder, theirs[~short], some, role, variants, given=chosen, tolerance=tolerance)
        if lowest >= CLOSE and 1 - lowest < 0.2 * (1 - found[~short].min()):
            chosen, found[~short] = (*chosen, *more[:1]), lowest
        elif not chosen and found[short].min(initial=1) >= tolerance:
            return _long_only(found, short)
    return _name(chosen, found, tolerance, they, we) if chosen else None


def _noise(ours: Dense, theirs: Dense, short: NDArray[np.bool_]) -> float:
    """Return the lowest cosine that lower precision alone explains: it moves all texts by about as much."""
    middle = float(np.median(cosines(ours[short], theirs[short])))
    return max(0.9, 1 - 6 * (1 - middle)) if middle > CLOSE else 1.0


def _long_only(found: NDArray[np.float64], short: NDArray[np.bool_]) -> Finding:
    low, lower = found[short].min(initial=1), found[~short].min()
    words = (
        f"short texts agree (lowest cosine {low:.6f}), long ones do not ({lower:.4f}): they are cut or joined otherwise"
    )
    return Finding("truncation", words, "compare the maximum lengths, and whether one side averages chunks")


def _name(chosen: Sequence[Variant], found: NDArray[np.float64], tolerance: float, they: str, we: str) -> Finding:
    names = {"they": they, "we": we}
    causes = [variant.kind for variant in chosen]
    words = " and ".join(variant.says.format(**names) for variant in chosen)
    words += f" (with that, the lowest cosine is {found.min():.6f})"
    if found.min() < tolerance:
        causes.append("precision")
        words += "; what is left is of the size of a lower precision"
    fixes = dict.fromkeys(variant.fix.format(**names) for variant in chosen)
    return Finding("+".join(dict.fromkeys(causes)), words, "; ".join(fixes))


def _precision(found: NDArray[np.float64]) -> Finding | None:
    middle = float(np.median(found))
    if found.min() < 0.9 or middle < CLOSE:
        return None
    size = "float16" if middle > 1 - 1e-5 else "bfloat16" if middle > 1 - 5e-4 else "int8 weights"
    words = f"all texts differ a little (median cosine {middle:.6f}), as with lower precision: the size of {size}"
    return Finding("precision", words, "use float32 there, or measure what it costs and lower the tolerance")


def _letters(ours: Dense, theirs: Dense, texts: Sequence[str], tolerance: float) -> Finding | None:
    """Ask which texts agree: only those in lower case, or only those in ASCII."""
    good = cosines(ours, theirs) >= tolerance
    lower, ascii_only = np.array([text == text.lower() for text in texts]), np.array([text.isascii() for text in texts])
    capitals = "texts in lower case agree, those with capitals do not: one side ignores case"
    scripts = "ASCII texts agree, others do not: accents or scripts are normalised in another way"
    for cause, plain, words in (("case", lower, capitals), ("characters", ascii_only, scripts)):
        if plain.sum() >= 3 and (~plain).any() and good[plain].all() and good[~plain].mean() < 0.5:
            return Finding(cause, words, "use the model's own tokenizer.json on both sides")
    return None


def _unrelated(ours: Dense, theirs: Dense) -> Finding:
    mean, geometry = cosines(ours, theirs).mean(), same_geometry(ours, theirs) if len(ours) > 3 else 0.0
    alike = f"mean cosine {mean:.2f}, correlation of the texts' similarities {geometry:.2f}"
    if geometry > CLOSE:
        words = f"the same space in another orientation ({alike}): a rotation, projection or whitening"
        return Finding("space", words, "leave out the extra step, or encode everything with one of the two")
    return Finding("model", f"another model, or other weights ({alike})", "check which model is loaded there")
