"""Encoders with a longer window: against forward passes in NumPy, and what short texts are promised."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isogloss.encoders.batching import padded
from isogloss.encoders.engine_encoder import EngineEncoder
from isogloss.encoders.engines.architectures import Weights, read_architecture
from isogloss.encoders.engines.extended_graph import ChangedEngine
from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.extended import extended
from isogloss.encoders.folder_writing import save_folder
from isogloss.encoders.lexical import WordEncoder
from isogloss.encoders.positions import rows_at, trained_places
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.errors import UnsupportedModelError, UsageError
from isogloss.protocols import EncodeReport

METHODS = ("grouped", "recurrent", "interpolated")


def _shapes():
    """The tiny random weights of four shapes, and their forward pass in plain NumPy."""
    spec = importlib.util.spec_from_file_location("shapes", Path(__file__).parent / "engines" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["bert", "roberta", "mpnet", "distilbert"])
@pytest.mark.parametrize("method", METHODS)
def test_a_longer_table_gives_the_states_of_a_forward_pass_by_hand(tmp_path, kind, method) -> None:
    from safetensors.numpy import save_file

    shapes = _shapes()
    weights, config = shapes.random_weights(kind), shapes.config_of(kind)
    save_file(weights, tmp_path / "model.safetensors")
    arch = read_architecture(config)
    first, window = arch.first_position, 100
    name = arch.names.position + ".weight"
    table = rows_at(weights[name][first:], trained_places(method, window, shapes.POSITIONS))
    longer = np.concatenate([weights[name][:first], table])
    places = Weights(read_headers(tmp_path), arch).used()
    engine = ChangedEngine(replace(arch, positions=window), places, table=longer)
    texts = [np.random.default_rng(1).integers(0, shapes.VOCABULARY, size) for size in (97, 55)]
    lengths = np.array([97, 55])
    found = engine.last(padded(texts), lengths)
    maps = engine.attentions(padded(texts), lengths, [1])[0]
    for row, own, text, length in zip(found, maps, texts, lengths, strict=True):
        states, attention = shapes.forward(kind, weights | {name: longer}, config, text.tolist())
        np.testing.assert_allclose(row[:length], states[-1], atol=2e-5)
        np.testing.assert_allclose(own[:, :length, :length], attention[1], atol=2e-5)


@pytest.fixture
def base(tiny_model):
    return TransformerEncoder(tiny_model(), threads=1)


TEXTS = ["the heat", "the library of ships " * 90, "was in the gauge " * 170, "ships " * 10]
"""Of 4, 362, 682 and 12 tokens: the tiny model has 512 positions."""


@pytest.mark.parametrize("method", METHODS)
def test_short_texts_keep_their_vectors_and_long_ones_are_read_whole(base, method) -> None:
    encoder, plain = extended(base, method, 700), extended(base, method, 512)
    report, cut = EncodeReport(), EncodeReport()
    found, before = encoder.encode(TEXTS, report=report), plain.encode(TEXTS, report=cut)
    lengths = base.tokenizer(TEXTS).full
    assert (lengths > 512).tolist() == [False, False, True, False]
    np.testing.assert_array_equal(found[lengths <= 512], before[lengths <= 512])
    assert np.abs(found[2] - before[2]).max() > 1e-3
    assert (report.cut, report.window, cut.cut) == (0, 700, 1)
    end = TEXTS[2] + "library heat"
    assert np.abs(encoder.encode(end)[0] - found[2]).max() > 1e-4  # words beyond 512 tokens count
    np.testing.assert_array_equal(plain.encode(end, report=EncodeReport())[0], before[2])


def test_a_mixed_batch_is_its_texts_one_by_one(base) -> None:
    engine = extended(base, "recurrent", 700).engine
    ids, lengths = base.tokenizer.tokenizer.encode_batch(TEXTS), base.tokenizer(TEXTS).full
    rows = [np.array(one.ids) for one in ids]
    last = engine.last(padded(rows), lengths)
    states = engine.states(padded(rows), lengths, [0, 2])
    maps = engine.attentions(padded(rows), lengths, [1])[0]
    assert maps.shape == (4, 4, 682, 682)
    for i, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        alone = np.array([length])
        np.testing.assert_allclose(last[i, :length], engine.last(row[None], alone)[0], atol=1e-5)
        np.testing.assert_array_equal(last[i, :length], states[1][i, :length])
        own = engine.attentions(row[None], alone, [1])[0][0]
        np.testing.assert_allclose(maps[i, :, :length, :length], own, atol=1e-5)
    # where short texts alone fill a wide batch, as filled-up queries do
    wide = np.zeros((2, 600), np.int64)
    wide[:, :4] = rows[0]
    np.testing.assert_allclose(engine.last(wide, np.array([4, 4]))[1, :4], last[0, :4], atol=1e-5)


def test_recurrent_places_repeat_the_first_ones(base) -> None:
    state = extended(base, "recurrent", 1024).engine.states(np.full((1, 1024), 7), np.array([1024]), [0])[0][0]
    np.testing.assert_array_equal(state[512:], state[:512])
    grouped = extended(base, "grouped", 1024).engine.states(np.full((1, 1024), 7), np.array([1024]), [0])[0][0]
    np.testing.assert_array_equal(grouped[::2], state[:512])
    np.testing.assert_array_equal(grouped[1::2], state[:512])


def test_own_places_are_read_as_they_are(base) -> None:
    places = np.random.default_rng(0).permutation(700) % 512
    own, named = extended(base, places, 700), extended(base, trained_places("grouped", 700, 512), 700)
    long = TEXTS[2]
    assert np.abs(own.encode(long) - named.encode(long)).max() > 1e-3
    np.testing.assert_array_equal(named.encode(long), extended(base, "grouped", 700).encode(long))


def test_a_window_that_fits_needs_no_extension_and_identities_tell_everything_apart(base) -> None:
    plain = extended(base, "grouped", 300)
    assert type(plain) is TransformerEncoder
    assert plain.window == 300
    assert plain.identity == TransformerEncoder(base.plan.folder, max_length=300).identity
    made = [extended(base, method, window) for method in METHODS for window in (600, 700)]
    assert len({base.identity, plain.identity, *(one.identity for one in made)}) == len(made) + 2
    engine = EngineEncoder.of(base, "onnx", "fp32")
    assert extended(engine, "grouped", 600).identity == made[0].identity
    assert made[0].plan.max_length.source == "positions: grouped"


def test_it_is_not_saved_as_something_else(base, tmp_path) -> None:
    with pytest.raises(UnsupportedModelError, match="512 tokens"):
        save_folder(extended(base, "recurrent", 700), tmp_path / "saved")
    assert not (tmp_path / "saved").exists()
    save_folder(extended(base, "recurrent", 400), tmp_path / "plain")
    assert TransformerEncoder(tmp_path / "plain").window == 400


def test_what_cannot_be_extended_is_refused(base) -> None:
    with pytest.raises(UnsupportedModelError, match="grouped, recurrent, interpolated"):
        extended(base, "ntk", 700)
    with pytest.raises(UsageError, match="self-extend"):
        extended(base, "longer", 700)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="window of 0"):
        extended(base, "grouped", 0)
    with pytest.raises(UnsupportedModelError, match="windowed"):
        extended(WordEncoder(), "grouped", 700)
    with pytest.raises(UnsupportedModelError, match="ExtendedEncoder"):
        extended(extended(base, "grouped", 600), "grouped", 700)
    for places, window in ((np.zeros(3), 700), (np.zeros(300), 300), (np.full(700, 512), 700)):
        with pytest.raises(UsageError):
            extended(base, places, window)
