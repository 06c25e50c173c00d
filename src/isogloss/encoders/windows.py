"""Long texts in windows: nothing is cut, each text gets one vector of all its windows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.errors import UnsupportedModelError, UsageError
from isogloss.protocols import EncodeReport, Role

_BLOCK = 16_384  # characters that are tokenized together: the library's results take some hundred bytes a token
_PIECES = 1024  # windows that are encoded together
Combine = Literal["mean", "max"]


class WindowedEncoder(EncoderSurface):
    """An encoder that reads texts longer than its base's window in several windows ("parallel context windows").

    The window's vectors are averaged, each weighted by its tokens, or their largest components are taken; the result
    is as long as they are on average, so that vectors of length one stay so. A text that fits has exactly its base's
    vector. As LongEmbed describes it (Zhu et al. 2024, https://arxiv.org/abs/2404.12096); windows end between words
    where there are any. A long text becomes one vector of everything in it: to find a passage, index chunks instead.

    Parameters
    ----------
    base
        A transformer encoder with one dense vector a text.
    overlap
        Tokens that a window repeats from the one before.
    combine
        ``"mean"`` or ``"max"``.

    Raises
    ------
    UnsupportedModelError
        Where the base has no window of tokens, or more than one vector a text.
    UsageError
        Where the overlap is half of the window or more, or there is no such way to combine.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        encoder = windowed(load_encoder("minilm"), overlap=32)
        encoder.encode([open("report.txt").read()])  # (1, 384), however long it is
    """

    kind: Literal["words", "dense"] = "dense"
    window: int = 0  # nothing is cut

    def __init__(self, base: Any, *, overlap: int = 0, combine: Combine = "mean") -> None:
        name = getattr(base, "name", type(base).__name__)
        if getattr(base, "kind", "") != "dense" or not getattr(base, "window", 0) or not hasattr(base, "tokenizer"):
            raise UnsupportedModelError(
                f"{name} is not read in windows", "it has no window of tokens, or more than one vector a text",
                "use it as it is: it either cuts nothing, or gives a vector a token",
            )  # fmt: skip
        if combine not in ("mean", "max"):
            raise UsageError(f"windows are not combined by {combine!r}", "", "one of: mean, max")
        most = (base.window - base.tokenizer.before - base.tokenizer.after - 1) // 2
        if not 0 <= overlap <= most:
            raise UsageError(
                f"an overlap of {overlap} tokens is not possible", f"windows have {base.window}", f"use 0 to {most}"
            )
        self.base, self.overlap, self.combine = base, overlap, combine
        self.name: str = f"{name}:windows"
        self.modality, self.similarity = base.modality, base.similarity
        self.speed: Literal["fast", "slow"] = base.speed
        self.dimensions: int = base.dimensions
        self.languages: frozenset[str] | None = base.languages

    @cached_property
    def identity(self) -> str:
        """Hash of the base's identity, the overlap and how windows are combined."""
        return hashlib.sha256(f"{self.base.identity} windows {self.overlap} {self.combine}".encode()).hexdigest()

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Dense:
        """Encode texts of any length; ``(n, dimensions)`` float32.

        Arguments as those of the base; the prompt or instruction stands in front of every window. At most 1,024
        windows are in memory at a time, with their vectors. ``report`` counts every token once and no cut.
        """
        texts = as_texts(inputs)
        prompt = self.base.plan.prompt(role) if instruction is None else instruction
        gathered = _Gathered(len(texts), self.dimensions, self.combine)
        waiting: list[tuple[int, str, int]] = []
        total = 0
        for number, text in enumerate(texts):
            for piece, own, new in self._pieces(text, prompt):
                waiting.append((number, piece, own))
                total += new
                if len(waiting) == _PIECES:
                    self._encode(waiting, gathered, role, instruction)
                    waiting.clear()
        self._encode(waiting, gathered, role, instruction)
        if report is not None:
            report.add(texts=len(texts), tokens=total)
        return gathered.out

    def _encode(
        self, waiting: Sequence[tuple[int, str, int]], gathered: _Gathered, role: Role | None, instruction: str | None
    ) -> None:
        if waiting:
            inner = EncodeReport()
            vectors = self.base.encode([piece for _, piece, _ in waiting], role=role, instruction=instruction,
                                       report=inner)  # fmt: skip
            if inner.cut:
                raise UsageError(
                    "a single character has more tokens than a window", inner.sentence(), "a longer window"
                )
            for (number, _, tokens), vector in zip(waiting, vectors, strict=True):
                gathered.add(number, vector, tokens)

    def _pieces(self, text: str, prompt: str) -> Iterator[tuple[str, int, int]]:
        """Yield the windows of a text with their tokens, and how many of these no window before had."""
        tokenizer = self.base.tokenizer
        extra = tokenizer.before + tokenizer.after
        room = self.base.window - len(tokenizer.tokenizer.encode(prompt).ids) if prompt else self.base.window - extra
        if room <= 2 * self.overlap:
            raise UsageError(
                f"there is no room for text in windows of {self.base.window} tokens",
                f"the prompt leaves {room}, of which {self.overlap} repeat", "use a shorter prompt or less overlap",
            )  # fmt: skip
        for start, stop, new in self._windows(text, room):
            yield from self._fitting(text[start:stop], new, room)

    def _fitting(self, piece: str, new: int, room: int) -> Iterator[tuple[str, int, int]]:
        """Yield a window, or its halves where a cut inside a word gave it more tokens than there is room for."""
        tokenizer = self.base.tokenizer
        tokens = int(tokenizer([piece]).full[0]) - tokenizer.before - tokenizer.after
        if tokens <= room or len(piece) < 2:
            yield piece, max(tokens, 1), new
            return
        half = len(piece) // 2
        yield from self._fitting(piece[:half], new, room)
        yield from self._fitting(piece[half:], 0, room)

    def _windows(self, text: str, room: int) -> Iterator[tuple[int, int, int]]:
        """Yield start and end of each window in characters, and the tokens that are new in it."""
        held = np.zeros((0, 2), np.int64)  # spans of tokens that no window has yet, those of the overlap in front
        known, first = 0, True
        for start, stop in _blocks(text):
            held = np.concatenate([held, self._spans(text[start:stop]) + start])
            while len(held) > room:
                end = _border(held, room, self.overlap)
                yield (0 if first else int(held[0, 0])), int(held[end - 1, 1]), end - known
                back = _back(held, end, self.overlap)
                held, known, first = held[back:], end - back, False
        if first:
            yield 0, len(text), len(held)
        elif len(held) > known:
            yield int(held[0, 0]), len(text), len(held) - known

    def _spans(self, block: str) -> NDArray[np.int64]:
        """Return the characters of each token, ``(n, 2)``; tokens without any are left out."""
        whole = block.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # half a surrogate pair: one U+FFFD
        found = np.array(self.base.tokenizer.tokenizer.encode(whole, add_special_tokens=False).offsets, np.int64)
        spans = found.reshape(-1, 2)
        return spans[spans[:, 1] > spans[:, 0]]


class _Gathered:
    """The texts' vectors, as their windows come in order: what is added up is that of one text."""

    def __init__(self, texts: int, dimensions: int, combine: Combine) -> None:
        self.combine = combine
        self.out = np.zeros((texts, dimensions), np.float32)
        self._text, self._windows = -1, 0

    def add(self, text: int, vector: Dense, tokens: int) -> None:
        """Add a window's vector ``(d,)``; a text of one window keeps it as it is."""
        if text != self._text:
            self._text, self._windows, self._tokens = text, 0, 0
            self._sum, self._length = np.zeros(len(vector), np.float64), 0.0
        weighted = tokens * vector.astype(np.float64)
        first = self._windows == 0
        self._sum = np.maximum(self._sum, vector) if self.combine == "max" and not first else self._sum + (
            vector if self.combine == "max" else weighted
        )  # fmt: skip
        self._length += float(np.linalg.norm(weighted))
        self._tokens += tokens
        self._windows += 1
        norm = float(np.linalg.norm(self._sum))
        scaled = self._sum * (self._length / self._tokens / norm) if norm else self._sum
        self.out[text] = vector if first else scaled


def windowed(encoder: Any, *, overlap: int = 0, combine: Combine = "mean") -> WindowedEncoder:
    """Return the encoder with long texts read in windows; arguments as those of :class:`WindowedEncoder`."""
    return WindowedEncoder(encoder, overlap=overlap, combine=combine)


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Yield pieces of a text to tokenize, each ending before white space where there is any."""
    start = 0
    while start < len(text):
        stop = min(start + _BLOCK, len(text))
        if stop < len(text):
            space = max(text.rfind(sign, start + 1, stop) for sign in " \n\t")
            stop = space if space > start else stop
        yield start, stop
        start = stop


def _border(spans: NDArray[np.int64], room: int, overlap: int) -> int:
    """Return how many tokens a window takes: ``room``, or fewer so that it ends where a gap follows."""
    least = max(overlap + 1, room - room // 4)
    gaps = np.flatnonzero(spans[least : room + 1, 0] > spans[least - 1 : room, 1])
    return least + int(gaps[-1]) if len(gaps) else room


def _back(spans: NDArray[np.int64], end: int, overlap: int) -> int:
    """Return the token that the next window begins with: ``overlap`` before the end, or later, where a word begins."""
    first = end - overlap
    gaps = np.flatnonzero(spans[first:end, 0] > spans[first - 1 : end - 1, 1])
    return first + int(gaps[0]) if len(gaps) else first
