"""Sentence encoders of the BERT family from their folders, without torch."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Ragged, Similarity, charge
from isogloss.encoders.batching import in_order, length_batches, padded
from isogloss.encoders.digests import remembered
from isogloss.encoders.engines.architectures import Weights
from isogloss.encoders.engines.onnx import FileEngine, GraphEngine, default_threads
from isogloss.encoders.engines.weights import digest, read_headers
from isogloss.encoders.model_folder import resolve
from isogloss.encoders.model_plan import ModelPlan, NormaliseStep
from isogloss.encoders.pooling import layer_mean, load_layer_weights, load_step, pool
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.encoders.tokenizer_file import TokenizerFile
from isogloss.errors import IsoglossWarning, NonFiniteError, TruncationError, TruncationWarning, UnsupportedModelError
from isogloss.protocols import EncodeReport, Role

TOKEN_BUDGET = 256
"""Tokens of one batch, padding included: small enough for its activations to stay in a processor's cache."""
_BLOCK = 8192  # texts that are tokenized and sorted by length together


class TransformerEncoder(EncoderSurface):
    """A sentence-transformers folder of BERT, RoBERTa, XLM-R, MPNet or DistilBERT shape, run by ONNX Runtime.

    Mechanism: tokens, the Transformer's hidden states, pooling, dense layers, normalisation, as the folder's files
    say (Sentence-BERT, https://arxiv.org/abs/1908.10084). The weights stay in ``model.safetensors`` and are mapped
    into memory; nothing is written into the folder, and no code from it is run.

    Parameters
    ----------
    folder
        The model's folder.
    threads
        Batches that are encoded side by side; ``None`` for the processors of this process, at most 8.
    max_length
        Longest input in tokens; ``None`` for what the folder says.
    long
        What happens to longer texts: ``"truncate"`` (counted and reported) or ``"error"``.
    name
        Name of the model, where it is known better than from the folder.

    Attributes
    ----------
    plan
        Every setting with its sources: :class:`~isogloss.encoders.model_plan.ModelPlan`.

    Raises
    ------
    ModelError
        Where the folder is incomplete or contradicts itself.
    UnsupportedModelError
        Where its architecture, a module or the weights' format is not supported.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        encoder = TransformerEncoder(find_model("minilm"))
        encoder.encode(["a small dog", "a puppy"])  # (2, 384)
    """

    kind: Literal["words", "dense"] = "dense"
    speed: Literal["fast", "slow"] = "slow"
    budget: int = TOKEN_BUDGET

    def __init__(
        self,
        folder: str | Path,
        *,
        threads: int | None = None,
        max_length: int | None = None,
        long: Literal["truncate", "error"] = "truncate",
        name: str = "",
    ) -> None:
        self._settle(resolve(folder, max_length=max_length, name=name), threads, long)

    @classmethod
    def from_plan(
        cls, plan: ModelPlan, *, threads: int | None = None, long: Literal["truncate", "error"] = "truncate"
    ) -> TransformerEncoder:
        """Return the encoder of a plan that is made already; arguments as those of the class."""
        made = cls.__new__(cls)
        made._settle(plan, threads, long)
        return made

    def _settle(self, plan: ModelPlan, threads: int | None, long: Literal["truncate", "error"]) -> None:
        self.plan: ModelPlan = plan
        self.threads: int = threads or default_threads()
        self.long: Literal["truncate", "error"] = long
        self.name: str = self.plan.name
        self.similarity: Similarity = self.plan.similarity.value
        self.dimensions: int = self.plan.dimensions
        self.window: int = self.plan.max_length.value
        self.languages: frozenset[str] | None = self.plan.languages
        for warning in self.plan.warnings:
            warnings.warn(warning, IsoglossWarning, stacklevel=3)

    @cached_property
    def tokenizer(self) -> TokenizerFile:
        """The tokenizer, cut at the window."""
        plan = self.plan
        return TokenizerFile(
            plan.transformer,
            max_length=self.window,
            lower_case=plan.lower_case.value,
            side=plan.truncation_side.value,
        )

    @cached_property
    def engine(self) -> GraphEngine | FileEngine:
        """The engine; made at first use."""
        plan = self.plan
        if plan.onnx is not None or plan.architecture is None:
            return FileEngine(plan.onnx or plan.transformer / "model.onnx")
        weights = Weights(read_headers(plan.transformer), plan.architecture).used()
        return GraphEngine(plan.architecture, weights)

    @cached_property
    def _steps(self) -> list[Callable[[Dense], Dense]]:
        return [load_step(step) for step in self.plan.steps.value]

    @cached_property
    def _token_steps(self) -> list[Callable[[Dense], Dense]]:
        return [load_step(step) for step in self.plan.token_steps]

    @cached_property
    def _layer_weights(self) -> Dense | None:
        return load_layer_weights(self.plan.layers) if self.plan.layers else None

    @cached_property
    def identity(self) -> str:
        """Hash of weights, tokenizer, pooling, prompts, window, dimensions, normalisation and similarity."""
        plan = self.plan
        settings = [
            self._weights_digest(),
            remembered("tokenizer", [plan.transformer / "tokenizer.json"], self._tokenizer_digest),
            plan.pooling.value,
            plan.include_prompt.value,
            sorted(plan.prompts.value.items()),
            plan.max_length.value,
            plan.truncation_side.value,
            plan.lower_case.value,
            plan.dimensions,
            [step.to_dict() for step in plan.steps.value],
            plan.similarity.value.value,
        ]
        if plan.layers or plan.token_steps:  # most models have neither: their identity says nothing of them
            settings.append(plan.layers and plan.layers.to_dict())
            settings.append([step.to_dict() for step in plan.token_steps])
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()

    def _tokenizer_digest(self) -> str:
        return hashlib.sha256(self.tokenizer.canonical().encode("utf-8", "surrogatepass")).hexdigest()

    def _weights_digest(self) -> str:
        plan = self.plan
        digests = []
        if plan.architecture is None:
            onnx = plan.onnx or plan.transformer / "model.onnx"
            files = [onnx, *sorted(path for path in onnx.parent.glob(onnx.name + "?*") if path.is_file())]
            digests.append(remembered("files", files, lambda: digest({}, files)))
        else:
            used = Weights(read_headers(plan.transformer), plan.architecture).used()
            places = sorted({place.path for place in used.values()})
            digests.append(remembered(f"weights {plan.model_type}", places, lambda: digest(used)))
        folders = [plan.layers.folder] if plan.layers else []
        folders += [
            step.folder for step in (*plan.token_steps, *plan.steps.value) if not isinstance(step, NormaliseStep)
        ]
        digests += [digest(read_headers(folder)) for folder in folders]
        return " ".join(digests)

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Dense:
        """Encode texts; ``(n, dimensions)`` float32, in the order of the inputs.

        Parameters
        ----------
        inputs
            Texts; a single string gives a batch of one.
        role
            Chooses the model's prompt.
        instruction
            Text to put in front of each input instead of the model's prompt.
        report
            Is added to; without one, texts that were cut give one ``TruncationWarning``.

        Raises
        ------
        NonFiniteError
            Where a vector has NaN or infinity; the message names the text.
        TruncationError
            Where a text is longer than the window and ``long="error"``.
        """
        texts = as_texts(inputs)
        out = np.empty((len(texts), self.dimensions), np.float32)
        for positions, vectors in self.encode_batches(texts, role=role, instruction=instruction, report=report):
            out[positions] = vectors
        return out

    def encode_batches(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Iterator[tuple[NDArray[np.int64], Dense]]:
        """Encode texts and give each batch as it is done, so that the caller can keep it and show progress.

        Parameters as :meth:`encode`; ``report`` has grown by a batch each time one is given.

        Yields
        ------
        positions : ``(m,)`` int64
            Positions of the batch's texts in ``inputs``.
        vectors : ``(m, dimensions)`` float32
            Their vectors.
        """
        texts = as_texts(inputs)
        own = report if report is not None else EncodeReport()
        prompt = self.plan.prompt(role) if instruction is None else instruction
        skip = 0 if self.plan.include_prompt.value or not prompt else self.tokenizer.prompt_length(prompt)
        for start in range(0, len(texts), _BLOCK):
            block = texts[start : start + _BLOCK]
            tokens = self.tokenizer([prompt + text for text in block] if prompt else block)
            lengths = np.minimum(tokens.full, self.window)
            self._check_lengths(tokens.full, start)
            batches = length_batches(lengths, self.budget)
            encode = partial(self._vectors, tokens.ids, lengths, skip)
            for batch, vectors in zip(batches, in_order(encode, batches, self.threads), strict=True):
                self._charge(len(batch), int(lengths[batch].max()))
                self._check_finite(vectors, batch + start, texts)
                full = tokens.full[batch]
                lost = full - lengths[batch]
                own.add(
                    texts=len(batch),
                    tokens=int(full.sum()),
                    cut=int((lost > 0).sum()),
                    lost=int(lost.sum()),
                    window=self.window,
                )
                yield batch + start, vectors
        if report is None and own.cut:
            warnings.warn(own.sentence(), TruncationWarning, stacklevel=3)

    def _vectors(
        self, ids: list[NDArray[np.int64]], lengths: NDArray[np.int64], skip: int, batch: NDArray[np.int64]
    ) -> Dense:
        states = self.token_vectors(padded([ids[i] for i in batch]), lengths[batch])
        vectors = pool(states, lengths[batch], self.plan.pooling.value, skip=skip)
        for step in self._steps:
            vectors = step(vectors)
        return vectors

    def token_vectors(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> Dense:
        """Return what is pooled: ``(n, L, d)`` float32 for token ids ``(n, L)``, of which ``lengths (n,)`` count.

        These are the states of the last layer, or the weighted mean of several, behind the plan's token steps.
        """
        weights, layers = self._layer_weights, self.plan.layers
        if weights is None or layers is None:
            states = self.engine.last(ids, lengths)
        else:
            chosen = range(layers.start, layers.layers + 1)
            states = layer_mean(self._open_engine().states(ids, lengths, chosen), weights)
        for step in self._token_steps:
            states = step(states.reshape(-1, states.shape[2])).reshape(*ids.shape, -1)
        return states

    def _charge(self, texts: int, width: int) -> None:
        if isinstance(self.engine, GraphEngine):
            charge(multiply_adds=self.engine.multiply_adds(texts, width))

    def _check_lengths(self, full: NDArray[np.int64], start: int) -> None:
        if self.long == "error" and (full > self.window).any():
            i = int((full > self.window).argmax())
            raise TruncationError(
                f"text {start + i} is too long",
                f"it has {int(full[i])} tokens, {self.name} takes {self.window}",
                "split it, or allow truncation",
            )

    def _check_finite(self, vectors: Dense, positions: NDArray[np.int64], texts: Sequence[str]) -> None:
        bad = ~np.isfinite(vectors).all(1)
        if bad.any():
            i = int(positions[bad.argmax()])
            raise NonFiniteError(
                f"{self.name} gave a vector that is not finite",
                f"text {i}: {texts[i][:80]!r}",
                "run: isogloss doctor MODEL; the weights may be damaged",
            )

    def states(self, inputs: Sequence[str], layers: Sequence[int]) -> tuple[Ragged, Ragged]:
        """Return token vectors of chosen layers, with the characters that each token stands for.

        Parameters
        ----------
        inputs
            Texts; no prompt is put in front.
        layers
            0 for the embeddings' output, N for the output of layer N, -1 for the last one.

        Returns
        -------
        states : Ragged
            Values ``(T, len(layers), d)`` float32.
        spans : Ragged
            Values ``(T, 2)`` int64, start and end in characters; ``(0, 0)`` for special tokens.
        """
        engine = self._open_engine()
        depth = engine.architecture.layers
        chosen = [_layer(layer, depth + 1) for layer in layers]
        texts = as_texts(inputs)
        tokens = self.tokenizer(texts, spans=True)
        lengths = np.minimum(tokens.full, self.window)
        if not texts:
            nothing = np.zeros(1, np.int64)
            values = np.zeros((0, len(layers), engine.architecture.width), np.float32)
            return Ragged(values, nothing), Ragged(np.zeros((0, 2), np.int64), nothing)
        found: list[Dense] = [np.zeros(0, np.float32)] * len(texts)
        for batch in length_batches(lengths, TOKEN_BUDGET):
            stacked = np.stack(engine.states(padded([tokens.ids[i] for i in batch]), lengths[batch], chosen), axis=2)
            for row, i in zip(stacked, batch, strict=True):
                found[i] = row[: lengths[i]]
        return Ragged.from_list(found), Ragged.from_list(tokens.spans)

    def attentions(self, inputs: Sequence[str], layers: Sequence[int]) -> list[Dense]:
        """Return the attention maps of chosen layers, one array ``(len(layers), heads, L, L)`` a text.

        Parameters
        ----------
        inputs
            Texts; no prompt is put in front.
        layers
            0 for the first layer, -1 for the last one.
        """
        engine = self._open_engine()
        chosen = [_layer(layer, engine.architecture.layers) for layer in layers]
        maps = []
        for ids in self.tokenizer(as_texts(inputs)).ids:
            found = engine.attentions(ids[None], np.array([len(ids)]), chosen)
            maps.append(np.stack([item[0] for item in found]))
        return maps

    def attention_diagonals(self, inputs: Sequence[str], layers: Sequence[int]) -> Ragged:
        """Return how much each token attends to itself in every head: values ``(T, len(layers), heads)``.

        Arguments as :meth:`attentions`; texts of like length share a batch, and no whole map is kept.
        """
        engine, texts = self._open_engine(), as_texts(inputs)
        chosen = [_layer(layer, engine.architecture.layers) for layer in layers]
        if not texts:
            return Ragged(np.zeros((0, len(layers), engine.architecture.heads), np.float32), np.zeros(1, np.int64))
        tokens = self.tokenizer(texts)
        lengths = np.array([len(ids) for ids in tokens.ids], np.int64)
        found: list[Dense] = [np.zeros(0, np.float32)] * len(texts)
        for batch in length_batches(lengths, TOKEN_BUDGET):
            maps = engine.attentions(padded([tokens.ids[i] for i in batch]), lengths[batch], chosen)
            own = np.stack([np.diagonal(one, axis1=2, axis2=3) for one in maps], axis=1)  # (n, layers, heads, L)
            for row, i in zip(own, batch, strict=True):
                found[i] = row[:, :, : lengths[i]].transpose(2, 0, 1)
        return Ragged.from_list(found)

    def _open_engine(self) -> GraphEngine:
        if not isinstance(self.engine, GraphEngine):
            raise UnsupportedModelError(
                "this model shows neither hidden states nor attention maps",
                f"{self.name} runs from an ONNX file",
                "use a folder with config.json and model.safetensors of a supported architecture",
            )
        return self.engine


def _layer(layer: int, count: int) -> int:
    """Return a layer's number, counted from the end where it is negative."""
    try:
        return range(count)[layer]
    except IndexError as error:
        raise IndexError(f"layer {layer} does not exist: there are 0 to {count - 1}") from error
