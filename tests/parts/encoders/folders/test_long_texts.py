"""Folders that transformers wrote, read beyond their windows: longer ones, and mask tokens that see nothing."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from isogloss.encoders.extended import ExtendedEncoder, extended
from isogloss.encoders.names import load_encoder
from isogloss.errors import TruncationWarning, UnsupportedModelError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
st = pytest.importorskip("sentence_transformers")

MODERN = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3,
          "global_attn_every_n_layers": 2}  # fmt: skip
LONG = "a small dog barks at the puppy in the rain " * 7
SHORT = ["a small dog barks", "tax law"]


@pytest.fixture
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TruncationWarning)
        warnings.filterwarnings("ignore", message=".*mean pooling.*")
        yield


@pytest.mark.parametrize("method", ["ntk", "linear", "self-extend"])
@pytest.mark.parametrize("kind", ["ModernBert", "Llama"])
def test_rotary_folders_are_read_whole_and_short_texts_as_before(transformer, quiet, kind, method) -> None:
    folder = transformer(kind, **(MODERN if kind == "ModernBert" else {}))
    base = load_encoder(str(folder), threads=1)
    plain, longer = extended(base, method, 40), extended(base, method, 80)
    assert isinstance(longer, ExtendedEncoder)
    assert len({base.identity, longer.identity, extended(base, method, 81).identity}) == 3
    np.testing.assert_array_equal(longer.encode(SHORT), plain.encode(SHORT))
    np.testing.assert_allclose(longer.encode([*SHORT, LONG, ""])[2], longer.encode(LONG)[0], atol=1e-5)
    whole, cut = longer.encode([LONG, LONG + "heat"]), plain.encode([LONG, LONG + "heat"])
    np.testing.assert_array_equal(cut[0], cut[1])
    assert np.abs(whole[0] - whole[1]).max() > 1e-4
    assert np.isfinite(whole).all()
    with pytest.raises(UnsupportedModelError, match="ntk, linear, self-extend"):
        extended(base, "grouped", 80)


def test_further_shapes_are_refused(transformer, quiet) -> None:
    with pytest.raises(UnsupportedModelError, match="ShapedEncoder"):
        extended(load_encoder(str(transformer("Electra")), threads=1), "grouped", 80)


def _late(transformer, folder, length, strategy, attend):
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Transformer

    body = Transformer(str(transformer("ModernBert", **MODERN, local_attention=8)), document_length=20,
                       query_expansion={"length": length, "strategy": strategy, "attend": attend})  # fmt: skip
    last = Dense(16, 8, bias=False, activation_function=torch.nn.Identity(), module_input_name="token_embeddings")
    steps = [body, last, MultiVectorMask(), Normalize(module_input_name="token_embeddings")]
    st.MultiVectorEncoder(modules=steps).save(str(folder))
    return last.linear.weight.detach()


@pytest.mark.parametrize(("strategy", "attend"), [("fixed", False), ("min", False), ("fixed", True)])
def test_mask_tokens_beyond_every_window_are_as_torch_attends(transformer, tmp_path, strategy, attend) -> None:
    """Twenty tokens of which three are words; layers see four to a side, so the last mask tokens see no word."""
    projection = _late(transformer, tmp_path / "late", 20, strategy, attend)
    ours = load_encoder(str(tmp_path / "late"), threads=1)
    texts = ["heat", "the puppy in the rain", "a small dog barks at the puppy in the rain and reads tax law"]
    together = ours.encode(texts, role="query")
    rival = st.MultiVectorEncoder(str(tmp_path / "late"), device="cpu").encode_query(texts)
    model = transformers.AutoModel.from_pretrained(tmp_path / "late", attn_implementation="sdpa").eval()
    for i, text in enumerate(texts):
        words = ours.base.tokenizer([text]).ids[0][: 20 if strategy == "fixed" else None]
        ids = torch.tensor([*words, *[4] * max(0, 20 - len(words))])[None]  # 4 is [MASK]
        seen = (torch.arange(ids.shape[1]) < len(words))[None] | attend
        with torch.no_grad():
            states = model(ids, attention_mask=seen.long()).last_hidden_state[0] @ projection.T
        expected = (states / states.norm(dim=1, keepdim=True)).numpy()
        np.testing.assert_allclose(together[i], expected, atol=1e-5)
        np.testing.assert_allclose(ours.encode([text], role="query")[0], expected, atol=1e-5)
        np.testing.assert_allclose(together[i], np.asarray(rival[i].cpu()), atol=1e-5)


def test_only_models_with_such_tokens_run_on_the_other_graph(transformer, tmp_path) -> None:
    kinds = {}
    for length, attend in ((5, False), (6, False), (6, True)):
        folder = tmp_path / f"{length} {attend}"
        _late(transformer, folder, length, "fixed", attend)
        kinds[length, attend] = type(load_encoder(str(folder), threads=1).base.engine).__name__
    # five tokens: the last one is four behind the first, which layers with a window still see
    assert kinds == {(5, False): "RotaryEngine", (6, False): "UnseenRowsEngine", (6, True): "RotaryEngine"}
