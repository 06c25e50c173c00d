"""Packed torch: the same vectors as sentence-transformers and NumPy, whatever else is in the batch."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isogloss.encoders.batching import padded
from isogloss.encoders.engines.architectures import Weights, read_architecture
from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.model_folder import resolve
from isogloss.encoders.pooling import pool
from isogloss.encoders.tokenizer_file import TokenizerFile
from isogloss.errors import UnsupportedModelError

torch = pytest.importorskip("torch")

from isogloss.encoders.engines.packed_torch import (  # noqa: E402
    POOLINGS,
    PackedTorch,
    load,
    pool_packed,
    tiles_available,
)  # fmt: skip

IDS = [[2, 5, 3], [2, *range(4, 30), 3], [2], [2, 7, 8, 9, 3], [2, *range(6, 40), 3]]


def open_engine(folder, precision="fp32"):
    architecture = read_architecture(json.loads((folder / "config.json").read_text()))
    return PackedTorch(architecture, Weights(read_headers(folder), architecture).used(), precision)


@pytest.mark.parametrize("kind", ["bert", "roberta", "mpnet", "distilbert"])
def test_states_are_those_of_plain_numpy(tiny, numpy_forward, kind) -> None:
    folder, config, weights = tiny(kind)
    engine, ids = open_engine(folder), [np.array(one) for one in IDS]
    lengths = np.array([len(one) for one in ids])
    found = engine.last(padded(ids), lengths)
    for row, one in zip(found, IDS, strict=True):
        expected = numpy_forward(kind, weights, config, one)[0][-1]
        np.testing.assert_allclose(row[: len(one)], expected, atol=2e-5)
        assert not row[len(one) :].any()


def random_engine(size, heads, precision="bf16", seed=0):
    """An engine of one random layer, whose attention is looked at."""
    from isogloss.encoders.engines.architectures import MODEL_TYPES, Architecture

    rng = np.random.default_rng(seed)
    width = size * heads
    arch = Architecture("bert", MODEL_TYPES["bert"], 1, width, heads, 2 * width, 20, 300, 0, 1e-12, "gelu")

    class Drawn(dict):
        def __missing__(self, name):
            return self.setdefault(name, Tensor(name))

    class Tensor:
        def __init__(self, name):
            rows, columns = (300 if "position" in name else 20 if "word_emb" in name else width), width
            rows, columns = (2 * width, width) if "intermediate" in name else (rows, columns)
            rows, columns = (
                (width, 2 * width) if "output.dense" in name and "attention" not in name else (rows, columns)
            )
            shape = (rows, columns) if "Norm" not in name and name.endswith("weight") else (rows,)
            self.value = (rng.standard_normal(shape) * columns**-0.5 + ("Norm.weight" in name)).astype(np.float32)

        def read(self):
            return self.value

    return PackedTorch(arch, Drawn(), precision)


def attention(engine, qkv, offsets):
    """What the engine's attention makes of unscaled queries, keys and values ``(T, 3, h, s)``."""
    tokens = torch.from_numpy(qkv.copy())
    if engine._tiles:
        tokens[:, 0] *= engine._scale
    rows = tokens.flatten(1).to(torch.bfloat16)
    return engine._attend(rows, np.asarray(offsets)).float().numpy()


def brute_force(qkv, offsets):
    found = []
    for start, stop in pairwise(offsets):
        q, k, v = qkv[start:stop].astype(np.float64).transpose(1, 2, 0, 3)
        scores = np.exp(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2]))
        found.append(((scores / scores.sum(2, keepdims=True)) @ v).transpose(1, 0, 2).reshape(stop - start, -1))
    return np.concatenate(found)


@pytest.fixture(scope="module", params=[32, 64])
def engine(request):
    return random_engine(request.param, 2)


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(
        st.one_of(st.integers(1, 40), st.sampled_from([47, 48, 63, 64, 65, 97, 160])), min_size=1, max_size=6
    )
)
def test_attention_is_that_of_brute_force_for_every_length(engine, lengths) -> None:
    rng = np.random.default_rng(sum(lengths))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    heads = engine.architecture.heads
    qkv = rng.standard_normal((offsets[-1], 3, heads, engine.architecture.width // heads)).astype(np.float32)
    np.testing.assert_allclose(attention(engine, qkv, offsets), brute_force(qkv, offsets), atol=0.03)


def test_equal_keys_give_the_mean_of_the_values(engine) -> None:
    heads, size = 2, engine.architecture.width // 2
    qkv = np.ones((5, 3, heads, size), np.float32)
    qkv[:, 2] = np.array([1, 2, 3, 10, 20], np.float32)[:, None, None]  # two texts: means 2 and 15
    np.testing.assert_allclose(attention(engine, qkv, [0, 3, 5])[:, 0], [2, 2, 2, 15, 15], rtol=0.004)


def test_scores_far_below_and_far_above_are_no_trouble(engine) -> None:
    heads, size = 2, engine.architecture.width // 2
    rng = np.random.default_rng(5)
    qkv = rng.standard_normal((33, 3, heads, size)).astype(np.float32)
    for factor in (40.0, -40.0):  # one key wins, or all are hopeless but one
        qkv[:, 1] = factor * qkv[:, 0]
        found = attention(engine, qkv, [0, 33])
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found[:, :size].mean(), brute_force(qkv, [0, 33])[:, :size].mean(), atol=0.05)


def test_a_damaged_text_does_not_reach_its_neighbours(engine) -> None:
    heads, size = 2, engine.architecture.width // 2
    qkv = np.random.default_rng(1).standard_normal((60, 3, heads, size)).astype(np.float32)
    offsets, alone = [0, 17, 40, 60], attention(engine, qkv, [0, 17, 40, 60])
    qkv[17:40] = np.nan
    found = attention(engine, qkv, offsets)
    assert np.isnan(found[17:40]).all()
    np.testing.assert_array_equal(found[:17], alone[:17])
    np.testing.assert_array_equal(found[40:], alone[40:])


def test_the_kernel_runs_where_the_processor_has_tiles_and_is_not_forbidden(engine, monkeypatch) -> None:
    assert (engine._tiles is not None) == tiles_available()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert not tiles_available()
    assert random_engine(32, 2)._tiles is None


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5), skip=st.integers(0, 5))
def test_pooling_of_packed_texts_is_that_of_padded_ones(lengths, skip) -> None:
    rng = np.random.default_rng(len(lengths) + 7 * skip)
    texts = [rng.standard_normal((length, 3)).astype(np.float32) for length in lengths]
    matrix = np.zeros((len(texts), max(lengths), 3), np.float32)
    for row, text in zip(matrix, texts, strict=True):
        row[: len(text)] = text
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    for mode in sorted(POOLINGS):
        expected = pool(matrix, np.array(lengths), [mode], skip=skip)
        np.testing.assert_allclose(pool_packed(np.concatenate(texts), offsets, mode, skip), expected, atol=1e-6)


def test_threads_do_not_disturb_one_another_and_torch_keeps_its_setting() -> None:
    engine, before = random_engine(32, 4), torch.get_num_threads()
    rng = np.random.default_rng(2)
    jobs = [[rng.integers(0, 20, length) for length in rng.integers(1, 200, 6)] for _ in range(8)]
    torch.set_num_threads(2)
    try:
        one_by_one = [engine.pooled(job, ["mean"], 0) for job in jobs]
        with ThreadPoolExecutor(3) as threads:
            together = list(threads.map(lambda job: engine.pooled(job, ["mean"], 0), jobs))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    for found, expected in zip(together, one_by_one, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_model_that_is_an_onnx_file_is_refused(tiny_model) -> None:
    from dataclasses import replace

    with pytest.raises(UnsupportedModelError, match="engine torch"):
        load(replace(resolve(tiny_model()), architecture=None), "fp32", 1)


def test_no_text_gives_no_vector() -> None:
    assert random_engine(32, 2).pooled([], ["mean", "cls"], 0).shape == (0, 128)


WORDS = "the heat of snow lies on every northern roof while ships wait for wind and an old library keeps its maps dry"


@pytest.fixture(scope="module")
def rival(minilm):
    """Texts of every kind of length, and sentence-transformers' vectors of them."""
    package = pytest.importorskip("sentence_transformers")
    words = (WORDS.split() * 16)[:300]
    texts = [
        "",
        "a",
        "雪",
        *(" ".join(words[:count]) for count in (*range(1, 40), 60, 61, 62, 90, 126, 127, 190, 252, 300)),
    ]
    model = package.SentenceTransformer(str(minilm), device="cpu")
    return texts, model.encode(texts, batch_size=16, show_progress_bar=False)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_vectors_are_those_of_sentence_transformers_alone_together_in_any_order(minilm, rival, precision) -> None:
    texts, expected = rival
    plan = resolve(minilm)
    ids = TokenizerFile(plan.transformer, max_length=plan.max_length.value)(texts).ids
    assert min(map(len, ids)) == 2
    assert max(map(len, ids)) == plan.max_length.value
    engine = load(plan, precision, 1)
    together = unit(engine.pooled(ids, ["mean"], 0))
    turned = unit(engine.pooled(ids[::-1], ["mean"], 0))[::-1]
    some = [0, 1, 2, 9, 30, len(ids) - 1]
    alone = np.concatenate([unit(engine.pooled([ids[i]], ["mean"], 0)) for i in some])
    for found, right in ((together, expected), (turned, expected), (alone, expected[some])):
        cosines = (found * right).sum(1)
        assert cosines.mean() >= 0.9999
        assert cosines.min() >= 0.9995
        if precision == "fp32":
            np.testing.assert_allclose(found, right, atol=1e-5)
