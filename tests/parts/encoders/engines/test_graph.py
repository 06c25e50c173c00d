"""Our graph against the forward pass in NumPy, for the four shapes, with padding, prefixes and half precision."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isogloss.encoders.engines.architectures import Weights, read_architecture
from isogloss.encoders.engines.graph import write_graph
from isogloss.encoders.engines.onnx import GraphEngine
from isogloss.encoders.engines.weights import read_headers

KINDS = ("bert", "roberta", "mpnet", "distilbert")
TEXTS = [[5], list(range(3, 40)), [7, 8, 9, 10], [11] * 12]


def engine_of(folder) -> GraphEngine:
    architecture = read_architecture(json.loads((folder / "config.json").read_text()))
    return GraphEngine(architecture, Weights(read_headers(folder), architecture).used())


def batch(texts):
    lengths = np.array([len(text) for text in texts])
    ids = np.zeros((len(texts), lengths.max()), np.int64)
    for row, text in zip(ids, texts, strict=True):
        row[: len(text)] = text
    return ids, lengths


@pytest.mark.parametrize("kind", KINDS)
def test_last_states_equal_numpy_whatever_shares_the_batch(tiny, numpy_forward, kind) -> None:
    folder, config, weights = tiny(kind)
    engine = engine_of(folder)
    together = engine.last(*batch(TEXTS))
    for i, ids in enumerate(TEXTS):
        expected = numpy_forward(kind, weights, config, ids)[0][-1]
        np.testing.assert_allclose(together[i, : len(ids)], expected, atol=1e-5)
        np.testing.assert_allclose(engine.last(*batch([ids]))[0], expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_all_states_and_maps_equal_numpy(tiny, numpy_forward, kind) -> None:
    folder, config, weights = tiny(kind)
    engine = engine_of(folder)
    ids, lengths = batch(TEXTS)
    states, maps = engine.states(ids, lengths, range(4)), engine.attentions(ids, lengths, range(3))
    for i, text in enumerate(TEXTS):
        n = len(text)
        expected_states, expected_maps = numpy_forward(kind, weights, config, text)
        for found, expected in zip(states, expected_states, strict=True):
            np.testing.assert_allclose(found[i, :n], expected, atol=1e-5)
        for found, expected in zip(maps, expected_maps, strict=True):
            np.testing.assert_allclose(found[i, :, :n, :n], expected, atol=1e-5)
            np.testing.assert_array_equal(found[i, :, :n, n:], 0)


def test_states_come_in_the_order_asked_for_and_deep_layers_are_left_out(tiny) -> None:
    folder, _, _ = tiny("bert")
    engine = engine_of(folder)
    ids, lengths = batch(TEXTS)
    second, embedded, again = engine.states(ids, lengths, [2, 0, 2])
    np.testing.assert_array_equal(second, again)
    assert not np.allclose(second, embedded)
    model = write_graph(engine.architecture, engine.weights, folder, states=[1])
    assert b"layer.0/" in model
    assert b"layer.1/" not in model


@pytest.mark.parametrize("prefix", ["bert.", "model.", "roberta."])
def test_a_prefix_in_front_of_all_names_changes_nothing(tiny, prefix) -> None:
    plain, _, _ = tiny("bert")
    prefixed, _, _ = tiny("bert", prefix=prefix, name="prefixed")
    np.testing.assert_array_equal(engine_of(plain).last(*batch(TEXTS)), engine_of(prefixed).last(*batch(TEXTS)))


def test_half_precision_weights_are_widened(tiny, numpy_forward) -> None:
    folder, config, weights = tiny("mpnet", dtype=np.float16)
    found = engine_of(folder).last(*batch(TEXTS))
    for i, ids in enumerate(TEXTS):
        np.testing.assert_allclose(found[i, : len(ids)], numpy_forward("mpnet", weights, config, ids)[0][-1], atol=1e-5)


def test_bfloat16_weights_are_widened(tiny, numpy_forward) -> None:
    import struct

    folder, config, weights = tiny("roberta")
    cut = {name: (value.view(np.uint32) >> 16).astype("<u2") for name, value in weights.items()}
    header, at, parts = {}, 0, []
    for name, value in cut.items():
        header[name] = {"dtype": "BF16", "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
        parts.append(value.tobytes())
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))
    wide = {name: (value.astype(np.uint32) << 16).view(np.float32) for name, value in cut.items()}
    found = engine_of(folder).last(*batch(TEXTS))
    for i, ids in enumerate(TEXTS):
        np.testing.assert_allclose(found[i, : len(ids)], numpy_forward("roberta", wide, config, ids)[0][-1], atol=1e-5)


def test_weights_behind_links_and_in_shards_are_found(tiny, tmp_path) -> None:
    from safetensors.numpy import save_file

    folder, _, weights = tiny("distilbert")
    expected = engine_of(folder).last(*batch(TEXTS))
    snapshot, blobs = tmp_path / "snapshots" / "1", tmp_path / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    names = sorted(weights)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for i, (shard, members) in enumerate(shards.items()):
        save_file({name: weights[name] for name in members}, blobs / f"blob{i}")
        (snapshot / shard).symlink_to(blobs / f"blob{i}")
    index = {"weight_map": {name: shard for shard, members in shards.items() for name in members}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    (snapshot / "config.json").write_text((folder / "config.json").read_text())
    np.testing.assert_array_equal(engine_of(snapshot).last(*batch(TEXTS)), expected)


def test_minilm_equals_numpy(minilm, numpy_forward) -> None:
    from safetensors.numpy import load_file

    config = json.loads((minilm / "config.json").read_text())
    ids = [101, 2129, 2079, 1045, 3191, 2028, 5371, 2041, 1997, 2019, 8756, 1029, 102]
    states, maps = numpy_forward("bert", load_file(minilm / "model.safetensors"), config, ids)
    engine = engine_of(minilm)
    lengths = np.array([len(ids)])
    np.testing.assert_allclose(engine.last(np.array([ids]), lengths)[0], states[-1], atol=2e-5)
    np.testing.assert_allclose(engine.attentions(np.array([ids]), lengths, [5])[0][0], maps[5], atol=1e-5)
