"""Causal language models as encoders: texts in prompts go through the model, a reading makes vectors of the passes."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from isogloss.arrays import CSR, Dense, Similarity, Vectors, charge
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.errors import NonFiniteError, TruncationWarning, UsageError
from isogloss.nn.packing import Packed, pack
from isogloss.protocols import EncodeReport, Role
from isogloss.training.causal_models import CausalModel, Passed, Wanted, check_wanted
from isogloss.training.causal_prompts import PLAIN, Prompt
from isogloss.training.causal_readings import CausalReading, StateReading
from isogloss.training.language_model import alike
from isogloss.training.weights_digest import module_identity

Ids = NDArray[np.int64]
_BUDGET = 4096
_NOTHING = torch.nn.Identity()


@dataclass(frozen=True, slots=True)
class Pass:
    """What one batch of one prompt gave: which texts, their tokens (types 1 at the text's own), and the model's answer.

    Attributes
    ----------
    prompt
        Its number among those of the role.
    rows
        Numbers of the texts.
    packed
        Their tokens.
    passed
        What the model gave.
    """

    prompt: int
    rows: list[int]
    packed: Packed
    passed: Passed


class PromptedTexts(EncoderSurface):
    """What encoders over causal models share: how texts get into prompts, and how they go through the model.

    An input is the model's begin, the instruction, the prompt with the text in it once or more often, and the model's
    end. Instruction, prompt and text are cut into tokens each for itself, so all copies of a text have the same tokens.
    Where the window is too short, the text is cut, in all copies alike (so a text that stands twice has half of the
    room), and the report counts its lost tokens once; instruction and prompt are never cut.

    Parameters
    ----------
    model
        Behind the seam: :class:`~isogloss.training.causal_models.LabCausal` or
        :func:`~isogloss.training.local_causal.open_causal`.
    prompts
        What stands around a text.
    query_prompts
        What stands around it in the role of a query; the same where None.
    window
        Most tokens of an input; the model's own where None.
    bidirectional
        Let every token see all others.
    name
        Of the encoder; the model's where empty.

    Raises
    ------
    UsageError
        Where the window is larger than the model's, or a prompt leaves no room for text.
    """

    speed: Literal["fast", "slow"] = "slow"
    languages: frozenset[str] | None = None
    similarity: Similarity
    dimensions: int

    def __init__(
        self, model: CausalModel, prompts: Prompt | Sequence[Prompt], query_prompts: Prompt | Sequence[Prompt] | None,
        *, window: int | None, bidirectional: bool, name: str,
    ) -> None:  # fmt: skip
        self.model, self.name, self.bidirectional = model, name or model.name, bidirectional
        self.prompts = (prompts,) if isinstance(prompts, Prompt) else tuple(prompts)
        asked = self.prompts if query_prompts is None else query_prompts
        self.query_prompts = (asked,) if isinstance(asked, Prompt) else tuple(asked)
        self.window: int = model.window if window is None else window
        if self.window > model.window:
            raise UsageError(f"a window of {self.window} tokens is too long", f"{model.name} takes {model.window}")
        if not self.prompts or not self.query_prompts:
            raise UsageError("a prompt needs the text", "there is none", "give one prompt or more")
        for prompt in (*self.prompts, *self.query_prompts):
            self._frame(prompt, None)

    @property
    def identity(self) -> str:
        """Hash of the model's identity, prompts, window, mask and reading."""
        told = [self.prompts, self.query_prompts, self.window, self.bidirectional, self.similarity.value]
        return module_identity([self.model.identity, repr(told), type(self).__name__, self._reading], _NOTHING)

    @property
    @abstractmethod
    def _reading(self) -> str:
        """What tells one way of reading from others."""

    @abstractmethod
    def _read(self, texts: list[str], role: Role | None, instruction: str | None, report: EncodeReport) -> Vectors:
        """Return the vectors."""

    def _encode(
        self, inputs: str | Iterable[str], role: Role | None, instruction: str | None, report: EncodeReport | None
    ) -> Vectors:
        texts = as_texts(inputs)
        own = report if report is not None else EncodeReport()
        vectors = self._read(texts, role, instruction, own)
        bad = _not_finite(vectors)
        if len(bad):
            what = f"{self.name} gave a vector that is not finite"
            why = f"text {bad[0]}: {texts[bad[0]][:80]!r}, and so are {len(bad)} of {len(texts)}"
            raise NonFiniteError(what, why)
        if report is None and own.cut:
            warnings.warn(own.sentence(), TruncationWarning, stacklevel=3)
        return vectors

    def passes(
        self, texts: Sequence[str], wanted: Wanted, *, role: Role | None = None, instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Iterator[Pass]:  # fmt: skip
        """Yield what the model gives for texts in each prompt of a role, batch by batch.

        Parameters
        ----------
        texts
            Any texts.
        wanted
            What each pass gives.
        role
            ``"query"`` takes the prompts of queries.
        instruction
            Stands before the prompt and is never pooled.
        report
            Is added to, once a text.
        """
        ids = self._ids(texts)
        wanted = replace(wanted, bidirectional=self.bidirectional)
        for number, prompt in enumerate(self.query_prompts if role == "query" else self.prompts):
            frame = self._frame(prompt, instruction)
            rows, marks = self._placed(ids, frame, EncodeReport() if number or report is None else report)
            for batch in alike([len(row) for row in rows], _BUDGET):
                packed = pack([rows[i] for i in batch], [marks[i] for i in batch])
                charge(multiply_adds=self.model.multiply_adds(packed.lengths))
                yield Pass(number, batch, packed, self.model(packed, wanted))

    def tokens(self, texts: Sequence[str], role: Role | None = None) -> tuple[list[Ids], list[Ids]]:
        """Return each text's tokens in the first prompt of a role, and 1 at those of the text: what training takes."""
        prompt = (self.query_prompts if role == "query" else self.prompts)[0]
        return self._placed(self._ids(texts), self._frame(prompt, None), EncodeReport())

    def tokens_read(self, texts: Sequence[str], role: Role | None = None) -> int:
        """Return how many tokens the model reads for these texts, prompts and copies included."""
        ids, prompts = self._ids(texts), self.query_prompts if role == "query" else self.prompts
        frames = [self._frame(prompt, None) for prompt in prompts]
        return sum(len(row) for frame in frames for row in self._placed(ids, frame, EncodeReport())[0])

    def _ids(self, texts: Sequence[str]) -> list[Ids]:
        clean = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
        found = self.model.tokenizer.encode_batch(clean, add_special_tokens=False)
        return [np.array(one.ids, np.int64) for one in found]

    def _frame(self, prompt: Prompt, instruction: str | None) -> list[Ids]:
        """Return the tokens before, between and after the copies of the text."""
        front, *parts = self._ids([instruction or "", *prompt.pieces])
        parts[0] = np.concatenate([np.array(self.model.begin, np.int64), front, parts[0]])
        parts[-1] = np.concatenate([parts[-1], np.array(self.model.end, np.int64)])
        taken = sum(map(len, parts))
        if self.window - taken < prompt.copies:
            why = f"with its instruction it takes {taken} of {self.window} tokens"
            raise UsageError("a prompt leaves no room for text", why, "shorten it")
        return parts

    def _placed(self, ids: list[Ids], frame: list[Ids], report: EncodeReport) -> tuple[list[Ids], list[Ids]]:
        """Return for each text its tokens in the prompt, and 1 at those of its last copy."""
        room = (self.window - sum(map(len, frame))) // (len(frame) - 1)
        after = len(frame[-1])
        rows, marks = [], []
        for text in ids:
            kept = text[:room]
            row = np.concatenate([part for piece in frame[:-1] for part in (piece, kept)] + [frame[-1]])
            mark = np.zeros(len(row), np.int64)
            mark[len(row) - after - len(kept) : len(row) - after] = 1
            rows.append(row if len(row) else np.array([self.model.blank], np.int64))
            marks.append(mark if len(row) else np.zeros(1, np.int64))
            lost = len(text) - len(kept)
            report.add(texts=1, tokens=len(text), cut=int(lost > 0), lost=lost, window=self.window)
        return rows, marks


def _not_finite(vectors: Vectors) -> Ids:
    """Return the numbers of the rows with NaN or infinity."""
    if isinstance(vectors, CSR):
        return np.unique(np.searchsorted(vectors.offsets, np.flatnonzero(~np.isfinite(vectors.values)), "right") - 1)
    return np.flatnonzero(~np.isfinite(np.asarray(vectors)).all(1))


class PromptedEncoder(PromptedTexts):
    """Dense vectors of a causal language model; those of several prompts are averaged.

    Parameters
    ----------
    model, prompts, query_prompts, window, bidirectional, name
        As for :class:`PromptedTexts`.
    reading
        What of a pass becomes the vector.
    normalise
        Scale the mean over the prompts to length one; the vectors of single prompts are averaged as they are.

    Examples
    --------
    With a base model of the Lab::

        model = LabCausal.of(lab.model("base"))
        PromptedEncoder(model, TWICE, reading=StateReading("mean"))  # echo
        PromptedEncoder(model, all_prompts())  # several meta-tasks averaged
        PromptedEncoder(model, PLAIN, reading=StateReading("mean"), bidirectional=True)
        PromptedEncoder(mixture, ONE_WORD, reading=SummedReading())  # states and routers
    """

    kind: Literal["dense"] = "dense"
    similarity = Similarity.COSINE

    def __init__(
        self, model: CausalModel, prompts: Prompt | Sequence[Prompt] = PLAIN, *, reading: CausalReading | None = None,
        query_prompts: Prompt | Sequence[Prompt] | None = None, window: int | None = None,
        bidirectional: bool = False, normalise: bool = True, name: str = "",
    ) -> None:  # fmt: skip
        super().__init__(model, prompts, query_prompts, window=window, bidirectional=bidirectional, name=name)
        self.reading: CausalReading = StateReading() if reading is None else reading
        self.normalise = normalise
        check_wanted(model, self.reading.wanted)
        self.dimensions = self.reading.size(model)

    def over(self, model: CausalModel) -> PromptedEncoder:
        """Return the same encoder over another model."""
        return PromptedEncoder(
            model, self.prompts, reading=self.reading, query_prompts=self.query_prompts, window=self.window,
            bidirectional=self.bidirectional, normalise=self.normalise, name=self.name,
        )  # fmt: skip

    @property
    def _reading(self) -> str:
        return repr((self.reading, self.normalise))

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Dense:
        """Encode texts; ``(n, dimensions)`` float32.

        Parameters
        ----------
        inputs
            Texts; a single string gives a batch of one.
        role
            ``"query"`` takes the prompts of queries.
        instruction
            Stands before the prompt and is never pooled.
        report
            Is added to; without one, texts that were cut give one ``TruncationWarning``.

        Raises
        ------
        NonFiniteError
            Where a vector has NaN or infinity; the message names the text.
        """
        return np.asarray(self._encode(inputs, role, instruction, report), np.float32)

    def _read(self, texts: list[str], role: Role | None, instruction: str | None, report: EncodeReport) -> Dense:
        mean = DenseMean(len(texts), self.dimensions, normalise=self.normalise)
        for one in self.passes(texts, self.reading.wanted, role=role, instruction=instruction, report=report):
            mean.add(one, self.reading)
        return mean.vectors()


class DenseMean:
    """Sums the vectors of several prompts, and gives their mean.

    Parameters
    ----------
    texts, dimensions
        Shape of the result.
    normalise
        Scale the means to length one.
    """

    def __init__(self, texts: int, dimensions: int, *, normalise: bool) -> None:
        self.total = np.zeros((texts, dimensions), np.float64)
        self.normalise, self.prompts = normalise, 0

    def add(self, one: Pass, reading: Any) -> None:
        """Add what a pass gives in a reading."""
        self.prompts = max(self.prompts, one.prompt + 1)
        self.total[one.rows] += reading(one.passed, one.packed).float().numpy()

    def vectors(self) -> Dense:
        """Return the means, ``(n, dimensions)`` float32."""
        out = self.total / max(1, self.prompts)
        if self.normalise:
            out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
        return np.asarray(out, np.float32)
