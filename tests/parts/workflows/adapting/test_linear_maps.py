"""Linear maps folded into models: the saved model gives what the map gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from isogloss.arrays import normalise
from isogloss.encoders.names import load_encoder
from isogloss.encoders.static import StaticEncoder, bundled_static
from isogloss.errors import UnsupportedModelError
from isogloss.workflows.adapting.linear_maps import MAPS, LinearMap, append_map, copy_model, mapped_static, whitened

SHIPS, RED = ("ship", "hive", "cup", "loaf", "sail"), ("red", "old", "big", "new")
TEXTS = [f"the {RED[i % 4]} {SHIPS[i % 5]} of number {i}" for i in range(160)]


@pytest.mark.parametrize("name", MAPS)
def test_mapped_static_is_the_map_of_means(name: str) -> None:
    encoder = bundled_static()
    plain = StaticEncoder(encoder.pieces, encoder.vectors, finish="mean", skip_unknown=encoder.skip_unknown)
    means = plain.encode(TEXTS)
    expected = MAPS[name](means)(means)
    found = mapped_static(encoder, MAPS[name], TEXTS).encode(TEXTS)
    assert found == pytest.approx(expected, abs=2e-4)
    assert not mapped_static(encoder, MAPS[name], TEXTS).encode([""]).any()


def test_full_whitening_makes_directions_even() -> None:
    draw = np.random.default_rng(0).normal(size=(4000, 8)) @ np.random.default_rng(1).normal(size=(8, 8))
    found = whitened(draw.astype(np.float32), strength=1.0)
    rows = (draw - found.mean) @ found.weights
    oracle = PCA(whiten=True).fit_transform(draw)
    spread = np.linalg.eigvalsh(np.cov(rows.T))
    assert spread.max() / spread.min() < 1.2
    assert np.linalg.eigvalsh(np.cov(draw.T)).max() > 3 * spread.max() or np.allclose(np.cov(oracle.T), np.eye(8))


@pytest.mark.slow
def test_transformer_folder_with_a_map(minilm: Path, tmp_path: Path) -> None:
    base = load_encoder(str(minilm))
    vectors = normalise(np.asarray(base.encode(TEXTS[:40], role="document"), np.float32))
    found = MAPS["half whitened"](vectors)
    copy_model(minilm, tmp_path / "model")
    append_map(tmp_path / "model", found)
    again = load_encoder(str(tmp_path / "model")).encode(TEXTS[:5], role="document")
    assert np.asarray(again) == pytest.approx(found(vectors[:5]), abs=1e-4)
    kinds = [module["type"].rsplit(".", 1)[1] for module in json.loads((tmp_path / "model/modules.json").read_text())]
    assert kinds[-3:] == ["Normalize", "Dense", "Normalize"]


def test_folder_without_modules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="cannot take a linear map"):
        append_map(tmp_path, LinearMap(np.zeros(2, np.float32), np.eye(2, dtype=np.float32)))
