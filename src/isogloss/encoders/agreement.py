"""Are two sources of "the same" vectors the same? If not, the likely cause (``isogloss verify``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isogloss.arrays import Dense
from isogloss.encoders.causes import Finding, explain, norms, refused
from isogloss.encoders.endpoint import Answer, Endpoint, connect, embed
from isogloss.encoders.names import load_encoder
from isogloss.encoders.vector_comparison import cosines, rounded_to
from isogloss.errors import UsageError
from isogloss.protocols import PROBE_TEXTS, Encoder, EncodeReport, Role

_SENTENCES = (
    "The survey of the harbour in {year} counted {n} ships, most of them loaded with timber, salt and grain.",
    "A committee of {n} members was asked to report on the bridge, its cost, and the traffic expected by {year}.",
    "When the valve closes too fast, pressure rises to {n} bar and the second gauge shows it a moment later.",
    "In {year} the library moved {n} boxes of letters to the new building, where they are kept cool and dry.",
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the comparison of two sources found.

    Attributes
    ----------
    source, model
        What was compared.
    same
        Whether every text reaches the tolerance, the norms agree, and no text was refused.
    texts, equal
        Texts compared, and those that reach the tolerance.
    lowest, mean
        Cosine between the two vectors of a text (-1 where they cannot be compared).
    tolerance
        Lowest cosine that counts as the same.
    worst
        The text with the lowest cosine, shortened.
    dimensions
        Components in the source and in the model.
    cause
        Likely cause of a difference: ``pooling``, ``prompt``, ``case``, ``dense``, ``truncation``, ``normalisation``,
        ``precision``, ``dimension``, ``order``, ``batch``, ``refused``, ``non-finite``, ``constant``, ``space``
        (another orientation of the same space), ``model``; two are joined by ``+``; empty where they are the same.
    explanation
        The cause in words, with numbers.
    fix
        What to change.
    notes
        Further findings that are no difference.
    """

    source: str
    model: str
    same: bool
    texts: int
    equal: int
    lowest: float
    mean: float
    tolerance: float
    worst: str
    dimensions: tuple[int, int]
    cause: str = ""
    explanation: str = ""
    fix: str = ""
    notes: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Return the result in one line.

        Examples
        --------
        >>> Agreement("a", "b", True, 32, 32, 0.999998, 0.999999, 0.9999, "", (384, 384)).sentence()
        'same vectors: 32/32 texts, lowest cosine 0.999998'
        """
        kind = "same vectors" if self.same else "different vectors"
        # rounded down: a difference must not look like none
        line = f"{kind}: {self.equal}/{self.texts} texts, lowest cosine {np.floor(self.lowest * 1e6) / 1e6:.6f}"
        return line if self.same else f"{line}; likely cause: {self.explanation}"

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {**found, "dimensions": list(self.dimensions), "notes": list(self.notes)}


def probe_texts(window: int = 512) -> list[str]:
    """Return 32 texts that make differences visible; the same ones each time.

    Short ones in several cases and scripts, pairs that differ in case or in a prefix only, and long ones of about 30
    to 400 words; the last is longer than ``window`` tokens (than 1,024 where the window is larger).

    Examples
    --------
    >>> len(probe_texts()), len(set(probe_texts()))
    (32, 32)
    """
    short = [
        *PROBE_TEXTS,
        "heat transfer in composite slabs",
        "HEAT TRANSFER IN COMPOSITE SLABS",
        "query: heat transfer in composite slabs",
        "passage: heat transfer in composite slabs",
        "Apple sued Orange in March",
        "apple sued orange in march",
        "Αθήνα, Москва, القاهرة",
        "東京は日本の首都です。",
        "El niño comió piñas; la señora rió.",
        "😀 great, really great!!!",
        "   spaces\t and\n line ends   ",
        "0.5 % of 3,141,592 = 15707.96",
        "x",
        "https://example.org/a/b?c=d&e=f#g",
        "“Quotes” — dashes – and … ellipses",
        "ﬁnal eﬀort, ½ cup, Ⅳ, Ａ",
    ]
    words = [30, 60, 90, 120, 180, 240, 400]
    longest = int(min(window or 1024, 1024) * 1.2)
    return [*short, *(_long_text(count, i) for i, count in enumerate([*words, max(500, longest)]))]


def _long_text(words: int, seed: int) -> str:
    parts: list[str] = []
    for i in range(1000):
        if sum(part.count(" ") + 1 for part in parts) >= words:
            break
        year, count = 1700 + (37 * i + 11 * seed) % 300, 3 + (53 * i + 7 * seed) % 900
        parts.append(_SENTENCES[(i + seed) % len(_SENTENCES)].format(year=year, n=count))
    return " ".join(parts)


def verify(
    source: str,
    model: str,
    *,
    texts: Sequence[str] | None = None,
    role: Role | None = None,
    tolerance: float = 0.9999,
    key: str | None = None,
    served: str | None = None,
    timeout_s: float = 60.0,
) -> Agreement:
    """Compare the vectors of ``source`` with those of ``model``, and name the likely cause of a difference.

    Parameters
    ----------
    source
        Address of a server (OpenAI's ``/v1/embeddings`` or the ``/embed`` of text-embeddings-inference; nothing but
        this host is contacted), or a model's name or folder.
    model
        A model's name or folder, taken as right.
    texts
        What to compare; None: 32 probe texts of :func:`probe_texts`.
    role
        Role in which ``model`` (and a source that is a model) encodes; a server gets the bare text.
    tolerance
        Lowest cosine that counts as the same.
    key, served, timeout_s
        For servers: bearer token (None: ``ISOGLOSS_API_KEY``), model name there, and seconds a request may take.

    Returns
    -------
    Agreement
        The figures, and the cause in words.

    Raises
    ------
    UsageError
        Where a model has no dense vectors, or there is no text to compare.
    EndpointError
        Where the server does not answer with vectors.
    ModelError
        Where a model cannot be loaded.
    """
    encoder = _dense(model)
    texts = probe_texts(int(getattr(encoder, "window", 0))) if texts is None else list(texts)
    if not texts:
        raise UsageError("there is no text to compare", "texts is empty", "give at least one text")
    if source.lower().startswith(("http://", "https://")):
        endpoint = connect(source, model=served, key=key, timeout_s=timeout_s)
        answer = embed(endpoint, texts)

        def again(chosen: Sequence[str]) -> Dense:
            return embed(endpoint, chosen, batch=1).vectors

        found = _compare((source, model), encoder, answer, texts, role, tolerance, None, again)
        return replace(found, notes=(*found.notes, *_base64_notes(endpoint, texts, answer)))
    other = _dense(source)
    answer = Answer(_encode(other, texts, role), {})
    return _compare((source, model), encoder, answer, texts, role, tolerance, other, None)


def _dense(name: str) -> Encoder:
    encoder = load_encoder(name)
    if getattr(encoder, "kind", "dense") != "dense":
        raise UsageError(
            f"{name} has no dense vectors", "verify compares dense vectors", "name a static or transformer model"
        )
    return encoder


def _encode(encoder: Encoder, texts: Sequence[str], role: Role | None) -> Dense:
    return np.asarray(encoder.encode(list(texts), role=role, report=EncodeReport()), np.float32)


def _base64_notes(endpoint: Endpoint, texts: Sequence[str], answer: Answer) -> list[str]:
    """Ask an OpenAI server for one vector in base64, as OpenAI's own client does by default."""
    first = next((i for i in range(len(texts)) if i not in answer.refused), None)
    if endpoint.shape != "openai" or first is None:
        return []
    try:
        packed = embed(endpoint, [texts[first]], encoding="base64").vectors
    except Exception as error:  # a note must not stop the comparison
        return [f"base64, which OpenAI's client asks for by default, fails: {getattr(error, 'why', '') or error}"]
    if packed.shape[1] != answer.vectors.shape[1] or not np.allclose(packed[0], answer.vectors[first], atol=1e-3):
        return ["base64 vectors, which OpenAI's client asks for by default, differ from the numbers of the same text"]
    return []


def _compare(
    names: tuple[str, str],
    encoder: Encoder,
    answer: Answer,
    texts: Sequence[str],
    role: Role | None,
    tolerance: float,
    other: Encoder | None,
    again: Callable[[Sequence[str]], Dense] | None,
) -> Agreement:
    kept = [i for i in range(len(texts)) if i not in answer.refused]
    texts_kept, theirs = [texts[i] for i in kept], answer.vectors[kept]
    ours = _encode(encoder, texts_kept, role)
    found = cosines(ours, theirs)
    finding: Finding | None = None
    if (found < tolerance).any():
        finding = explain(encoder, ours, theirs, texts_kept, role=role, tolerance=tolerance, other=other, again=again)
    else:
        finding = norms(ours, theirs) or (refused(answer.refused, len(texts)) if answer.refused else None)
    rounding = rounded_to(theirs) if not rounded_to(ours) else ""
    worst = texts_kept[int(found.argmin())]
    return Agreement(
        source=names[0],
        model=names[1],
        same=finding is None,
        texts=len(texts),
        equal=int((found >= tolerance).sum()),
        lowest=float(found.min()),
        mean=float(found.mean()),
        tolerance=tolerance,
        worst=worst if len(worst) <= 80 else worst[:77] + "...",
        dimensions=(theirs.shape[1], ours.shape[1]),
        cause=finding.cause if finding else "",
        explanation=finding.explanation if finding else "",
        fix=finding.fix if finding else "",
        notes=(f"the source's numbers are rounded to {rounding}",) if rounding else (),
    )
