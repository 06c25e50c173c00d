"""The shapes of model and every pooling: ours beside sentence-transformers, alone, in batches, in any order."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
st = pytest.importorskip("sentence_transformers")

from sentence_transformers.base.modules import Transformer  # noqa: E402
from sentence_transformers.sentence_transformer import modules as dense  # noqa: E402

from isogloss.encoders.engines.probe import mean_cosine  # noqa: E402
from isogloss.encoders.names import load_encoder  # noqa: E402
from isogloss.errors import UnsupportedModelError  # noqa: E402

MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
SHAPES = {
    "Bert": {},
    "Roberta": {},
    "DistilBert": {},
    "MPNet": {},
    "XLMRoberta": {},
    "Camembert": {},
    "Albert": {"embedding_size": 8},
    "Electra": {"embedding_size": 8},
    "DebertaV2": {
        "relative_attention": True, "position_biased_input": False, "pos_att_type": ["p2c", "c2p"],
        "position_buckets": 4, "share_att_key": True, "norm_rel_ebd": "layer_norm",
    },
    "ModernBert": {"pad_token_id": 0, "global_attn_every_n_layers": 2, "local_attention": 8},
    "T5": {},
    "MT5": {"feed_forward_proj": "gated-gelu"},
    "UMT5": {"feed_forward_proj": "gated-gelu"},
}  # fmt: skip


def _saved(transformer, folder, kind):
    head = "EncoderModel" if kind in ("T5", "MT5", "UMT5") else "Model"
    source = str(transformer(kind, head, **SHAPES[kind]))
    model = st.SentenceTransformer(modules=[Transformer(source), dense.Pooling(16, MODES)], device="cpu")
    model.save(str(folder))
    return model


@pytest.mark.parametrize("kind", SHAPES)
def test_a_shape_equals_sentence_transformers(kind, transformer, tmp_path, texts):
    model = _saved(transformer, tmp_path / "m", kind)
    ours = load_encoder(str(tmp_path / "m"), threads=2)
    alone = np.concatenate([model.encode([text]) for text in texts])
    np.testing.assert_allclose(model.encode(texts), alone, atol=1e-5)
    whole = ours.encode(texts)
    assert whole.shape == (len(texts), 16 * len(MODES))
    np.testing.assert_allclose(whole, alone, atol=1e-5)
    np.testing.assert_allclose(np.concatenate([ours.encode([text]) for text in texts]), alone, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(texts) * 9) % len(texts)
    np.testing.assert_allclose(ours.encode([texts[i] for i in order]), alone[order], atol=1e-5)


@pytest.mark.parametrize("kind", SHAPES)
def test_the_engines_agree_with_one_another(kind, transformer, tmp_path, texts):
    pytest.importorskip("openvino")
    _saved(transformer, tmp_path / "m", kind)
    expected = load_encoder(str(tmp_path / "m"), threads=1).encode(texts)
    for engine in ("openvino", "torch"):
        if (engine, kind) == ("torch", "DebertaV2"):
            with pytest.raises(UnsupportedModelError, match="the engine torch cannot run this model"):
                load_encoder(str(tmp_path / "m"), engine=engine).encode(texts)
            continue
        exact, half = (load_encoder(str(tmp_path / "m"), engine=engine, precision=one) for one in ("fp32", "bf16"))
        np.testing.assert_allclose(exact.encode(texts[::-1])[::-1], expected, atol=1e-5)
        assert mean_cosine(half.encode(texts), expected) >= 0.9999
        assert half.identity == exact.identity == load_encoder(str(tmp_path / "m")).identity


@pytest.mark.parametrize("kind", ["xlnet", "deberta"])
def test_a_shape_that_no_graph_is_written_for_is_refused_by_name(kind, transformer, tmp_path):
    shape = transformer("Bert")
    (tmp_path / "m").mkdir()
    for file in shape.iterdir():
        (tmp_path / "m" / file.name).write_bytes(file.read_bytes())
    config = json.loads((shape / "config.json").read_text()) | {"model_type": kind}
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnsupportedModelError, match=f"the architecture {kind} is not supported") as error:
        load_encoder(str(tmp_path / "m"))
    for known in ("albert", "bert", "qwen3", "t5"):
        assert known in error.value.fix


def test_minilm_with_every_pooling(minilm, tmp_path, texts):
    model = st.SentenceTransformer(modules=[Transformer(str(minilm)), dense.Pooling(384, MODES)], device="cpu")
    model.save(str(tmp_path / "m"))
    ours = load_encoder(str(tmp_path / "m"), threads=1)
    expected = model.encode(texts)
    np.testing.assert_allclose(ours.encode(texts), expected, atol=1e-5)
    np.testing.assert_allclose(ours.encode(texts[::-1])[::-1], expected, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("include", [True, False])
def test_a_prompt_that_does_not_count(mode, include, transformer, tmp_path, texts):
    modules = [Transformer(str(transformer())), dense.Pooling(16, mode, include_prompt=include)]
    model = st.SentenceTransformer(modules=modules, prompts={"query": "a small "}, device="cpu")
    model.save(str(tmp_path / "m"))
    ours = load_encoder(str(tmp_path / "m"), threads=1)
    kept = [text for text in texts if text]
    np.testing.assert_allclose(ours.encode(kept, role="query"), model.encode_query(kept), atol=1e-5)
