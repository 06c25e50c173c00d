"""Is a model whole, and does it do what it says? (``isogloss doctor MODEL``)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from isogloss.arrays import CSR
from isogloss.encoders.machine_checks import check_machine
from isogloss.encoders.names import load_encoder
from isogloss.encoders.vector_comparison import cosines
from isogloss.errors import IsoglossError, IsoglossWarning, ModelError, NonFiniteError
from isogloss.protocols import PROBE_TEXTS, Diagnosis, Encoder, EncodeReport

if TYPE_CHECKING:
    from isogloss.encoders.static import StaticEncoder
    from isogloss.encoders.transformer import TransformerEncoder

_LONGER = "The survey of the harbour counted the ships, most of them loaded with timber, salt and grain. "
MUCH_CUT, ALIKE = 0.1, 0.999
DRIFT_NOTE, DRIFT_PROBLEM = 0.99999, 0.999


def diagnose(model: str, *, texts: Sequence[str] | None = None) -> list[Diagnosis]:
    """Check a model, and the machine it runs on; never the network.

    Parameters
    ----------
    model
        Name or folder, as :func:`~isogloss.encoders.names.load_encoder` takes it.
    texts
        The user's texts, for the share that the model would cut; None: not checked.

    Returns
    -------
    list of Diagnosis
        Checks of the model first, then of the machine. A model that cannot be loaded is a ``problem`` among them,
        not an exception.

    Examples
    --------
    >>> found = diagnose("words")
    >>> {finding.check for finding in found if finding.status == "problem"}
    set()
    """
    findings: list[Diagnosis] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IsoglossWarning)  # what it warns of is a finding below
        try:
            encoder = load_encoder(model)
            findings.append(Diagnosis("files", "ok", _whole(encoder)))
        except IsoglossError as error:
            findings.append(Diagnosis("files", "problem", f"{error.what}: {error.why}", error.fix))
        except Exception as error:  # a damaged folder can fail in any way, and that is a finding
            found = f"the model cannot be loaded: {type(error).__name__}: {error}"
            findings.append(Diagnosis("files", "problem", found, "fetch the model again"))
        else:
            findings.extend(_check_encoder(encoder, texts))
    return [*findings, *check_machine()]


def _whole(encoder: Encoder) -> str:
    """Touch everything that encoding needs, and say what the model is."""
    name, dimensions = getattr(encoder, "name", "model"), getattr(encoder, "dimensions", 0)
    plan = getattr(encoder, "plan", None)
    if plan is None:
        return f"{name}, complete" + (f", {dimensions} dimensions" if getattr(encoder, "kind", "") == "dense" else "")
    _ = encoder.identity  # reads tokenizer and weights, so a cut or missing file shows here
    engine = "our graph" if plan.onnx is None else plan.onnx.name
    return f"{name}, complete: {plan.model_type}, {dimensions} dimensions, {engine}"


def _check_encoder(encoder: Encoder, texts: Sequence[str] | None) -> list[Diagnosis]:
    findings = _own_checks(encoder, texts)
    finite = _finite(encoder)
    findings.append(finite)
    if finite.status != "problem":
        findings.append(_batches(encoder))
    if texts is not None:
        findings.append(_truncation(encoder, texts))
    return findings


def _own_checks(encoder: Encoder, texts: Sequence[str] | None) -> list[Diagnosis]:
    """Run the checks of this kind of encoder, importing only that kind."""
    kind = type(encoder).__name__
    if kind in ("TransformerEncoder", "ShapedEncoder"):
        from isogloss.encoders.model_checks import check_folder

        return check_folder(cast("TransformerEncoder", encoder))
    if kind == "StaticEncoder":
        from isogloss.encoders.static_checks import check_static

        return check_static(cast("StaticEncoder", encoder), texts)
    return []


def _probes() -> list[str]:
    return [*PROBE_TEXTS, "", "x", "é ß 東京", _LONGER * 4, _LONGER * 12]


def _finite(encoder: Encoder) -> Diagnosis:
    """Encode the probe texts: numbers finite, lengths sensible, texts told apart."""
    try:
        vectors = encoder.encode(_probes(), role="document", report=EncodeReport())
    except NonFiniteError as error:
        return Diagnosis("vectors", "problem", f"{error.what}: {error.why}", "fetch the model again, or use another")
    except ModelError as error:
        return Diagnosis("vectors", "problem", f"{error.what}: {error.why}", error.fix)
    if isinstance(vectors, CSR):
        return Diagnosis("vectors", "ok", f"{len(vectors.values)} words counted in {len(vectors)} probe texts")
    dense = np.asarray(vectors, np.float64)
    broken = int((~np.isfinite(dense).all(1)).sum())
    if broken:
        found = f"{broken} of {len(dense)} probe texts give NaN or infinity"
        return Diagnosis("vectors", "problem", found, "fetch the model again")
    norms, alike = np.linalg.norm(dense, axis=1), _alike(dense[: len(PROBE_TEXTS)])
    found = f"finite; lengths {norms.min():.3g} to {norms.max():.3g}; different texts have a mean cosine of {alike:.2f}"
    if alike > ALIKE:
        found += ": all texts look the same"
        return Diagnosis("vectors", "problem", found, "the weights are damaged: fetch the model again")
    return Diagnosis("vectors", "ok", found)


def _alike(vectors: np.ndarray) -> float:
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return float((unit @ unit.T)[np.triu_indices(len(unit), 1)].mean())


def _batches(encoder: Encoder) -> Diagnosis:
    """Encode 32 texts at once and one by one."""
    texts = [f"{text} {'and so on ' * (i % 5)}" for i, text in enumerate([*PROBE_TEXTS] * 4)]
    together = encoder.encode(texts, report=EncodeReport())
    if isinstance(together, CSR):
        return Diagnosis("batches", "ok", "word counts do not depend on other texts")
    alone = np.concatenate([np.asarray(encoder.encode([text], report=EncodeReport())) for text in texts])
    lowest = float(cosines(np.asarray(together, np.float32), alone.astype(np.float32)).min())
    found = f"32 texts at once and one by one: lowest cosine {np.floor(lowest * 1e7) / 1e7:.7f}"
    if lowest < DRIFT_PROBLEM:
        found += ": a vector depends on its neighbours"
        return Diagnosis("batches", "problem", found, "encode one text at a time, and report it")
    return Diagnosis("batches", "note" if lowest < DRIFT_NOTE else "ok", found)


def _truncation(encoder: Encoder, texts: Sequence[str]) -> Diagnosis:
    """Count what of the user's texts the model would lose."""
    report, window = EncodeReport(), int(getattr(encoder, "window", 0))
    if not window:
        return Diagnosis("truncation", "ok", f"no window: nothing of {len(texts):,} texts is cut")
    tokenizer = getattr(encoder, "tokenizer", None)
    if callable(tokenizer) and hasattr(encoder, "plan"):
        for start in range(0, len(texts), 4096):
            full = tokenizer(list(texts[start : start + 4096])).full
            lost = np.maximum(full - window, 0)
            cut = int((lost > 0).sum())
            report.add(texts=len(full), tokens=int(full.sum()), cut=cut, lost=int(lost.sum()), window=window)
    else:
        encoder.encode(list(texts), report=report)
    if not report.cut:
        return Diagnosis("truncation", "ok", f"none of {len(texts):,} texts is longer than {window} tokens")
    fix = "isogloss add cuts long texts into chunks, so that nothing is lost"
    much = report.cut / max(1, report.texts) >= MUCH_CUT
    return Diagnosis("truncation", "warning" if much else "note", report.sentence(), fix)
