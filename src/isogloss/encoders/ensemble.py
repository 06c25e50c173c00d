"""Several encoders as one: their vectors joined by a fixed linear map each.

Joining vectors of several sources is called a meta-embedding: concatenation and its singular value decomposition (Yin
and Schuetze 2016, https://arxiv.org/abs/1508.04257), the plain average (Coates and Bollegala 2018,
https://arxiv.org/abs/1804.05262), generalised canonical correlation (Rastogi et al. 2015, "Multiview LSA",
https://aclanthology.org/N15-1058; for sentences Poerner et al. 2020, https://arxiv.org/abs/1911.03700).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Dense, Ragged, Similarity, normalise
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.errors import UsageError
from isogloss.protocols import EncodeReport, Role

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Joint:
    """How the vectors of several sources become one.

    Attributes
    ----------
    maps
        For each source ``(d_i, d)``.
    centres
        For each source ``(d_i,)``, subtracted from its vectors of length one before they are mapped.
    origin
        Hash of what the maps were fitted on and how; empty: nothing was fitted.
    """

    maps: tuple[Floats, ...]
    centres: tuple[Floats, ...]
    origin: str = ""

    def apply(self, parts: Sequence[NDArray[Any]]) -> Dense:
        """Return the sum of the mapped vectors, ``(n, d)``.

        Each source's vectors are brought to length one first. A vector of zeros means that its source does not know
        the text: it adds nothing, and is not centred.
        """
        total: Floats = np.zeros((len(parts[0]), self.maps[0].shape[1]))
        for part, matrix, centre in zip(parts, self.maps, self.centres, strict=True):
            unit = _units(part)
            known = unit.any(1)
            total[known] += (unit[known] - centre) @ matrix  # (k, d_i) @ (d_i, d) -> (k, d)
        return np.asarray(total, np.float32)


def concatenation(dimensions: Sequence[int], weights: Sequence[float] | None = None) -> Joint:
    """Return the map that sets vectors one behind the other, each times its weight.

    Examples
    --------
    >>> concatenation([2, 1], [1, 2]).apply([np.array([[3.0, 4.0]]), np.array([[5.0]])]).round(3).tolist()
    [[0.6000000238418579, 0.800000011920929, 2.0]]
    """
    shares = _weights(weights, len(dimensions))
    starts = np.cumsum([0, *dimensions])
    whole = np.eye(int(starts[-1]))
    maps = [share * whole[a:b] for share, a, b in zip(shares, starts, starts[1:], strict=False)]
    return Joint(tuple(maps), tuple(np.zeros(size) for size in dimensions))


def average(dimensions: Sequence[int], weights: Sequence[float] | None = None) -> Joint:
    """Return the map that averages vectors, shorter ones filled up with zeros; weights are shares of their sum.

    Examples
    --------
    >>> average([2, 1]).apply([np.array([[3.0, 4.0]]), np.array([[5.0]])]).round(3).tolist()
    [[0.800000011920929, 0.4000000059604645]]
    """
    shares = _weights(weights, len(dimensions))
    width, total = max(dimensions), float(sum(shares)) or 1.0
    maps = [share / total * np.eye(size, width) for share, size in zip(shares, dimensions, strict=True)]
    return Joint(tuple(maps), tuple(np.zeros(size) for size in dimensions))


def decomposition(parts: Sequence[NDArray[Any]], dimensions: int, weights: Sequence[float] | None = None) -> Joint:
    """Return the map onto the leading right singular vectors of the concatenation of ``parts``, ``(n, d_i)`` each.

    Raises
    ------
    UsageError
        Where there are fewer rows or columns than ``dimensions``.
    """
    widths, shares = [part.shape[1] for part in parts], _weights(weights, len(parts))
    joined = np.concatenate([share * _units(part) for share, part in zip(shares, parts, strict=True)], axis=1)
    _enough(joined, dimensions)
    _, vectors = np.linalg.eigh(joined.T @ joined)  # right singular vectors, ascending
    leading = _signed(vectors[:, ::-1][:, :dimensions])
    starts = np.cumsum([0, *widths])
    maps = [share * leading[a:b] for share, a, b in zip(shares, starts, starts[1:], strict=False)]
    return Joint(tuple(maps), tuple(np.zeros(width) for width in widths))


def correlation(
    parts: Sequence[NDArray[Any]], dimensions: int, *, ridge: float = 1e-2, weights: Sequence[float] | None = None
) -> Joint:
    r"""Return the maps of generalised canonical correlation analysis: the directions that the sources agree on.

    With centred sources ``X_i`` the common space ``G`` are the leading eigenvectors of
    ``sum_i w_i X_i (X_i' X_i + r_i)^-1 X_i'``, and each map is ``(X_i' X_i + r_i)^-1 X_i' G``; the regression of the
    common space on the source. They are found from the singular value decomposition of each source, so that nothing
    of ``n x n`` is made.

    Parameters
    ----------
    parts
        For each source ``(n, d_i)``, row by row of the same texts.
    dimensions
        Components of the common space.
    ridge
        ``r_i`` as a share of the mean of the diagonal of ``X_i' X_i``.
    weights
        Of the sources; None: all the same.

    Raises
    ------
    UsageError
        Where there are fewer rows or columns than ``dimensions``, or a source says nothing.
    """
    shares, centres, bases, back = _weights(weights, len(parts)), [], [], []
    for part in parts:
        unit = _units(part)
        centres.append(unit.mean(0))
        left, values, right = np.linalg.svd(unit - centres[-1], full_matrices=False)
        strength = ridge * float((values**2).mean())
        kept = values > 1e-10 * max(1e-300, float(values[0]))
        if not kept.any() or not strength + values[0]:
            raise UsageError("a source says nothing", f"its {len(part):,} vectors are all the same", "leave it out")
        left, values, right = left[:, kept], values[kept], right[kept]
        shrunk = values**2 / (values**2 + strength)
        bases.append(left * np.sqrt(shrunk))
        back.append((right.T * (values / (values**2 + strength))) @ left.T)  # (d_i, n)
    joined = np.concatenate([np.sqrt(share) * base for share, base in zip(shares, bases, strict=True)], axis=1)
    _enough(joined, dimensions)
    common, _, _ = np.linalg.svd(joined, full_matrices=False)  # eigenvectors of the weighted sum of projections
    space = _signed(common[:, :dimensions])
    maps = [share * (matrix @ space) * np.sqrt(len(space)) for share, matrix in zip(shares, back, strict=True)]
    return Joint(tuple(maps), tuple(centres))


class EnsembleEncoder(EncoderSurface):
    """Encodes with several encoders and joins their vectors; made by :func:`joined`.

    A text is encoded once by each; its joined vector has length one, or zero where no encoder knows it.

    Parameters
    ----------
    encoders
        Encoders with dense vectors.
    joint
        One map for each of them.
    name
        For messages and the index.
    """

    kind: Literal["words", "dense"] = "dense"
    similarity = Similarity.COSINE

    def __init__(self, encoders: Sequence[Any], joint: Joint, *, name: str = "") -> None:
        self.encoders, self.joint = tuple(encoders), joint
        if len(self.encoders) != len(joint.maps) or not self.encoders:
            raise UsageError("encoders and maps do not belong together", f"{len(self.encoders)} and {len(joint.maps)}")
        self.name: str = name or "&".join(str(one.name) for one in self.encoders)
        self.dimensions: int = joint.maps[0].shape[1]
        self.window: int = min((one.window for one in self.encoders if one.window), default=0)
        slow = any(one.speed == "slow" for one in self.encoders)
        self.speed: Literal["fast", "slow"] = "slow" if slow else "fast"
        named = [one.languages for one in self.encoders if one.languages is not None]
        self.languages: frozenset[str] | None = frozenset.intersection(*named) if named else None

    @cached_property
    def identity(self) -> str:
        """Hash of the encoders' identities, and of the maps, or of what they were fitted on.

        The last bits of a decomposition differ between processes and machines, and the same fit must be the same there.
        """
        digest = hashlib.sha256("\x1f".join([*(one.identity for one in self.encoders), self.joint.origin]).encode())
        for array in (*self.joint.maps, *self.joint.centres):
            digest.update(str(array.shape).encode())
            if not self.joint.origin:
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def encode(
        self, inputs: str | Iterable[str], *, role: Role | None = None, instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Dense:  # fmt: skip
        """Encode with each encoder and join, ``(n, d)``; what is cut is counted for the encoder that cuts most."""
        texts = as_texts(inputs)
        reports = [EncodeReport() if report is not None else None for _ in self.encoders]
        vectors = [
            _dense(one, one.encode(texts, role=role, instruction=instruction, report=own))
            for one, own in zip(self.encoders, reports, strict=True)
        ]
        if report is not None:
            worst = max((own for own in reports if own is not None), key=lambda own: (own.lost, own.tokens))
            report.add(**worst.to_dict())
        return normalise(self.joint.apply(vectors))


Join = Literal["concat", "average", "svd", "gcca"]


def joined(
    encoders: Sequence[Any],
    join: Join = "concat",
    *,
    texts: Sequence[str] = (),
    dimensions: int = 0,
    weights: Sequence[float] | None = None,
    ridge: float = 1e-2,
    name: str = "",
) -> EnsembleEncoder:
    """Return several encoders as one.

    Parameters
    ----------
    encoders
        With dense vectors; each is asked for every text.
    join
        ``"concat"``, ``"average"`` (shorter ones filled up with zeros), ``"svd"`` or ``"gcca"``.
    texts
        From which the last two are fitted.
    dimensions
        Components of what the last two give; 0: as many as the widest encoder has.
    weights
        Of the encoders; None: all the same.
    ridge
        Of ``"gcca"``.
    name
        For messages and the index.

    Raises
    ------
    UsageError
        Where texts are missing or too few, or an encoder has no dense vectors.

    Examples
    --------
    >>> from isogloss.encoders.static import bundled_static
    >>> both = joined([bundled_static(), bundled_static()])
    >>> both.encode(["a small dog"]).shape
    (1, 512)
    """
    widths = [int(one.dimensions) for one in encoders]
    if join in ("svd", "gcca") and not texts:
        raise UsageError(f"{join} is fitted on texts", "none are given", "pass texts=")
    size = dimensions or max(widths)
    if join == "concat":
        joint = concatenation(widths, weights)
    elif join == "average":
        joint = average(widths, weights)
    elif join in ("svd", "gcca"):
        parts = [_dense(one, one.encode(list(texts))) for one in encoders]
        joint = (
            decomposition(parts, size, weights)
            if join == "svd"
            else correlation(parts, size, ridge=ridge, weights=weights)
        )
        settings = json.dumps([join, size, ridge, _weights(weights, len(parts)), list(texts)])
        joint = replace(joint, origin=hashlib.sha256(settings.encode()).hexdigest())
    else:
        raise UsageError(f"encoders are not joined by {join!r}", "", "concat, average, svd or gcca")
    return EnsembleEncoder(encoders, joint, name=name)


def _units(part: NDArray[Any]) -> Floats:
    rows = np.asarray(part, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))


def _weights(weights: Sequence[float] | None, count: int) -> list[float]:
    found = [1.0] * count if weights is None else [float(one) for one in weights]
    if len(found) != count or min(found) < 0 or not sum(found) or not np.isfinite(found).all():
        raise UsageError("weights and sources do not belong together", f"{weights} for {count} sources")
    return found


def _enough(joined: Floats, dimensions: int) -> None:
    if not 1 <= dimensions <= min(joined.shape):
        why = f"{joined.shape[0]:,} texts and {joined.shape[1]:,} components in all"
        raise UsageError(f"{dimensions} components cannot be made", why, "ask for fewer, or give more texts")


def _signed(vectors: Floats) -> Floats:
    """Turn each column so that its largest component is positive: the same on every machine."""
    largest = np.abs(vectors).argmax(0)
    return np.asarray(vectors * np.where(vectors[largest, np.arange(vectors.shape[1])] < 0, -1, 1))


def _dense(encoder: Any, vectors: Any) -> NDArray[Any]:
    if isinstance(vectors, (CSR, Ragged)):
        why = f"{getattr(encoder, 'name', type(encoder).__name__)} gives {type(vectors).__name__}"
        raise UsageError("only dense vectors can be joined", why, "use an encoder with dense vectors")
    return np.asarray(vectors)
