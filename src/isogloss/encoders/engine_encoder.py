"""A transformer encoder on an engine that was named, or that a short trial on the user's texts chose."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, charge
from isogloss.encoders.batching import in_order, length_batches, padded
from isogloss.encoders.engines import probe
from isogloss.encoders.engines.architectures import Architecture
from isogloss.encoders.engines.onnx import GraphEngine
from isogloss.encoders.engines.precision import Precision
from isogloss.encoders.engines.seam import ENGINES, PoolingEngine, TokenEngine, asked_for, load_engine
from isogloss.encoders.pooling import pool
from isogloss.encoders.surface import as_texts
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.errors import EngineNote, IsoglossWarning, UnsupportedModelError
from isogloss.protocols import PROBE_TEXTS, EncodeReport, Role

_FURTHER = "isogloss.encoders.shaped_transformer"


def with_engine(encoder: TransformerEncoder, engine: str | None, precision: str | None) -> TransformerEncoder:
    """Return the encoder on another engine; arguments as those of ``load_encoder``.

    Raises
    ------
    UsageError
        Where there is no such engine, or it has no such precision.
    UnsupportedModelError
        Where another engine than ONNX Runtime is named for a model that pools several layers: only that one shows them.
    """
    name, kind = asked_for(engine, precision)
    if (name, kind) == ("onnx", "fp32"):
        return encoder
    if encoder.plan.layers is not None:
        if name == "auto" and kind in (None, "fp32"):
            return encoder
        raise UnsupportedModelError(
            "this model runs on onnx in fp32 alone", f"{encoder.name} pools several layers", "leave the engine out"
        )
    return EngineEncoder.of(encoder, name, kind)


def need_first(name: str, engine: str | None, precision: str | None) -> None:
    """Refuse another engine or precision for a kind of model that only ONNX Runtime in fp32 runs.

    Raises
    ------
    UnsupportedModelError
        Where one is asked for by name.
    """
    asked, kind = asked_for(engine, precision)
    if asked not in ("onnx", "auto") or kind not in (None, "fp32"):
        raise UnsupportedModelError(
            f"{name} runs on onnx in fp32 alone", f"it gives more than one vector a text, and {asked} "
            f"{kind or 'fp32'} was asked for", "leave engine and precision out",
        )  # fmt: skip


def compare_engines(encoder: TransformerEncoder, texts: Sequence[str]) -> tuple[probe.Trial, ...]:
    """Try every engine and precision of this machine on a sample of ``texts``, ONNX Runtime in fp32 first."""
    pairs = [(kind.name, one) for kind in ENGINES.values() if not kind.missing() for one in kind.precisions]
    trying = EngineEncoder.of(encoder, "auto", None)
    return trying.trial(texts, pairs, lambda name, kind: load_engine(encoder.plan, name, kind, encoder.threads)).trials


class EngineEncoder(TransformerEncoder):
    """A transformer encoder whose forward pass runs on a chosen engine; its identity is that of the plain encoder.

    The engine is settled with the first texts: one that was named is loaded and compared with ONNX Runtime in fp32; for
    ``"auto"`` the fastest that agrees is taken, by a trial on a sample of at least eight texts (fewer are encoded by
    ONNX Runtime, faster than a trial would be). What was found is said in one ``EngineNote`` and remembered.
    Hidden states and attention maps always come from ONNX Runtime in fp32.
    """

    asked: tuple[str, Precision | None]
    verdict: probe.Verdict | None
    _running: TokenEngine | None
    _threads: int

    @classmethod
    def of(cls, encoder: TransformerEncoder, engine: str, precision: Precision | None) -> EngineEncoder:
        """Return an encoder like ``encoder`` that asks for this engine."""
        made = cls.__new__(cls)
        vars(made).update({key: value for key, value in vars(encoder).items() if key != "engine"})
        made.asked, made.verdict, made._running, made._threads = (engine, precision), None, None, encoder.threads
        vars(made).pop("_reference", None)
        return made

    @classmethod
    def settled(cls, encoder: TransformerEncoder, engine: str, precision: Precision) -> EngineEncoder:
        """Return an encoder like ``encoder`` on an engine that is settled already: no trial, and nothing is said."""
        made = cls.of(encoder, engine, precision)
        made._run_on(load_engine(encoder.plan, engine, precision, encoder.threads))
        return made

    def settle(self, texts: Sequence[str]) -> tuple[str, Precision]:
        """Choose the engine for texts like these, where that is still open; return it and its precision."""
        if self._running is None:
            self._choose(texts)
        running = self._running or self._first()
        return running.name, running.precision

    def _weights_digest(self) -> str:
        if type(self.plan.architecture) in (Architecture, type(None)):
            return super()._weights_digest()
        # named as text: what the plain shapes give does not depend on the further ones
        return str(import_module(_FURTHER).weights_digest(self.plan))

    @property
    def engine(self) -> Any:  # a plain property: what it gives changes when it is settled
        """The engine in use: the settled one, else ONNX Runtime in fp32."""
        return self._running or self._first()

    def _first(self) -> TokenEngine:
        if "_reference" not in vars(self):
            vars(self)["_reference"] = load_engine(self.plan, "onnx", "fp32", self._threads)
        found: TokenEngine = vars(self)["_reference"]
        return found

    def encode_batches(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Iterator[tuple[NDArray[np.int64], Dense]]:
        """Encode texts and give each batch as it is done; as :meth:`TransformerEncoder.encode_batches`."""
        texts = as_texts(inputs)
        if self._running is None:
            self._choose(texts)
        return super().encode_batches(texts, role=role, instruction=instruction, report=report)

    def _choose(self, texts: Sequence[str]) -> None:
        """Settle the engine; with ``"auto"`` it stays open until there are texts enough for a trial."""
        engine, precision = self.asked
        few = len(texts) < probe.FEWEST
        if few and engine == "auto" and precision in (None, "fp32"):
            return
        pairs = probe.candidates(engine, precision)
        if engine == "auto" and precision is not None and not any(one == precision for _, one in pairs):
            raise UnsupportedModelError(
                f"no engine on this machine computes in {precision}",
                "",
                "install one: pip install 'isogloss[openvino]'",
            )
        chosen = PROBE_TEXTS if few else texts
        key = [self._weights_digest(), pairs, self.asked, few, probe.machine([one for one, _ in pairs], self._threads)]
        named = engine != "auto" or precision in ("bf16", "int8")
        loaded: dict[tuple[str, str], TokenEngine] = {}

        def load(name: str, kind: Precision) -> TokenEngine:
            loaded.clear()  # one at a time: weights are large
            first = (name, kind) == ("onnx", "fp32")
            loaded[name, kind] = self._first() if first else load_engine(self.plan, name, kind, self._threads)
            return loaded[name, kind]

        verdict = probe.remembered(key, lambda: self.trial(chosen, pairs, load, named=named))
        won = (verdict.chosen.engine, verdict.chosen.precision)
        self._settle_on(loaded.get(won) or load(*won), verdict)

    def _settle_on(self, engine: TokenEngine, verdict: probe.Verdict) -> None:
        self.verdict = verdict
        self._run_on(engine)
        one, first = verdict.chosen, verdict.trials[0]
        if (one.engine, one.precision) == (first.engine, first.precision):
            return
        vars(self).pop("_reference", None)
        if one.agrees:
            warnings.warn(verdict.sentence(self.name), EngineNote, stacklevel=5)
        else:
            warnings.warn(verdict.sentence(self.name), IsoglossWarning, stacklevel=5)

    def _run_on(self, engine: TokenEngine) -> None:
        self._running = engine
        self.budget = engine.budget
        self.threads = self._threads if engine.streams else 1

    def trial(
        self,
        texts: Sequence[str],
        pairs: Sequence[tuple[str, Precision]],
        load: Callable[[str, Precision], TokenEngine],
        *,
        named: bool = True,
    ) -> probe.Verdict:
        """Encode a sample of ``texts`` with each pair of engine and precision; arguments as those of ``choose``."""
        tokens = self.tokenizer(texts[:: max(1, len(texts) // 4096)])  # enough to see how long texts are
        lengths = np.minimum(tokens.full, self.window)
        rows = probe.sample(lengths.tolist())
        ids, kept = [tokens.ids[i] for i in rows], lengths[rows]
        return probe.choose(pairs, load, lambda one: self._sampled(one, ids, kept), named=named)

    def _sampled(self, engine: TokenEngine, ids: list[NDArray[np.int64]], lengths: NDArray[np.int64]) -> Dense:
        """Encode a sample on an engine, as it would be used."""
        batches = length_batches(lengths, engine.budget)
        out = np.zeros((len(ids), self.dimensions), np.float32)
        threads = self._threads if engine.streams else 1
        vectors = in_order(lambda batch: self._on(engine, ids, lengths, 0, batch), batches, threads)
        for batch, found in zip(batches, vectors, strict=True):
            out[batch] = found
        return out

    def _vectors(
        self, ids: list[NDArray[np.int64]], lengths: NDArray[np.int64], skip: int, batch: NDArray[np.int64]
    ) -> Dense:
        return self._on(self.engine, ids, lengths, skip, batch)

    def _on(
        self, engine: TokenEngine, ids: list[NDArray[np.int64]], lengths: NDArray[np.int64], skip: int,
        batch: NDArray[np.int64],
    ) -> Dense:  # fmt: skip
        texts, modes = [ids[i] for i in batch], self.plan.pooling.value
        if isinstance(engine, PoolingEngine) and not self._token_steps and engine.pools(modes):
            vectors = engine.pooled(texts, modes, skip)
        else:
            states = engine.last(padded(texts), lengths[batch])
            for step in self._token_steps:
                states = step(states.reshape(-1, states.shape[2])).reshape(*states.shape[:2], -1)
            vectors = pool(states, lengths[batch], modes, skip=skip)
        for step in self._steps:
            vectors = step(vectors)
        return vectors

    def _charge(self, texts: int, width: int) -> None:
        count = getattr(self.engine, "multiply_adds", None)
        if count is not None:
            charge(multiply_adds=count(texts, width))

    def _open_engine(self) -> GraphEngine:
        first = self._first()
        if not isinstance(first, GraphEngine):
            return super()._open_engine()
        return first
