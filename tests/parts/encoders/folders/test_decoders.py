"""Decoders read at their last token: ours beside sentence-transformers, whatever side is padded, whatever is added."""

from __future__ import annotations

import string

import numpy as np
import pytest

torch = pytest.importorskip("torch")
st = pytest.importorskip("sentence_transformers")
transformers = pytest.importorskip("transformers")

from sentence_transformers.base.modules import Normalize, Transformer  # noqa: E402
from sentence_transformers.sentence_transformer import modules as dense  # noqa: E402

from isogloss.encoders.folder_writing import save_folder  # noqa: E402
from isogloss.encoders.names import load_encoder  # noqa: E402

SIZES = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
    "intermediate_size": 32, "max_position_embeddings": 48, "initializer_range": 0.3, "pad_token_id": 0,
}  # fmt: skip
KINDS = {"Qwen3": {"head_dim": 12}, "Llama": {}, "Mistral": {"sliding_window": 6}, "Qwen2": {}}
AROUND = {"an end": "$A </s>", "a beginning": "<s> $A", "both": "<s> $A </s>", "nothing": "$A"}
PROMPTS = {"query": "Instruct: find the law\nQuery: ", "document": ""}


def write_tokenizer(folder, *, side, around):
    """Write a small tokenizer that pads on a side and puts special tokens around a text."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = [*string.ascii_lowercase, *("##" + sign for sign in string.ascii_lowercase)]
    words = "<pad> <s> </s> <unk> a small dog barks at the puppy in rain tax law reads instruct find query : . , ! ?"
    ids = {word: i for i, word in enumerate([*words.split(), *(one for one in letters if one != "a")])}
    made = Tokenizer(models.WordPiece(ids, unk_token="<unk>"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    if around != "$A":
        marks = [(word, ids[word]) for word in ("<s>", "</s>")]
        made.post_processor = processors.TemplateProcessing(single=around, special_tokens=marks)
    named = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    saved = transformers.PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=40, padding_side=side, **named)
    saved.save_pretrained(folder)
    return len(ids)


def decoder(folder, kind, *, side="left", around="an end", mode="lasttoken", include=True):
    """Return a random decoder of sentence-transformers, saved in ``folder / "m"``."""
    size = write_tokenizer(folder / "body", side=side, around=AROUND[around])
    config = getattr(transformers, f"{kind}Config")(vocab_size=size, **SIZES, **KINDS[kind])
    with torch.random.fork_rng():
        torch.manual_seed(3)
        getattr(transformers, f"{kind}Model")(config).save_pretrained(folder / "body")
    body = Transformer(str(folder / "body"))
    assert body.tokenizer.padding_side == side
    modules = [body, dense.Pooling(16, mode, include_prompt=include), Normalize()]
    model = st.SentenceTransformer(modules=modules, prompts=PROMPTS, device="cpu")
    model.save(str(folder / "m"))
    return model


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_last_token_equals_sentence_transformers(kind, side, tmp_path, texts):
    model = decoder(tmp_path, kind, side=side)
    ours = load_encoder(str(tmp_path / "m"), threads=2)
    for role in ("query", "document", None):
        theirs = getattr(model, f"encode_{role}" if role else "encode")
        alone = np.concatenate([theirs([text]) for text in texts])
        np.testing.assert_allclose(theirs(texts), alone, atol=1e-5)
        np.testing.assert_allclose(ours.encode(texts, role=role), alone, atol=1e-5)
        single = np.concatenate([ours.encode([text], role=role) for text in texts])
        np.testing.assert_allclose(single, alone, atol=1e-5)
        order = np.random.default_rng(0).permutation(len(texts) * 9) % len(texts)
        np.testing.assert_allclose(ours.encode([texts[i] for i in order], role=role), alone[order], atol=1e-5)
    assert np.abs(ours.encode(texts, role="query") - ours.encode(texts, role="document")).max() > 0.1
    np.testing.assert_allclose(np.linalg.norm(ours.encode(texts), axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("around", AROUND)
def test_whatever_a_tokenizer_adds(around, side, tmp_path, texts):
    model = decoder(tmp_path, "Qwen3", side=side, around=around)
    ours = load_encoder(str(tmp_path / "m"), threads=1)
    kept = [text for text in texts if text or around != "nothing"]
    expected = model.encode(kept)
    np.testing.assert_allclose(ours.encode(kept), expected, atol=1e-5)
    np.testing.assert_allclose(ours.encode(kept[::-1])[::-1], expected, atol=1e-5)
    np.testing.assert_allclose(ours.encode(kept, role="query"), model.encode_query(kept), atol=1e-5)


def test_a_text_without_a_token_has_zeros_and_disturbs_nobody(tmp_path, texts):
    decoder(tmp_path, "Qwen3", around="nothing")
    ours = load_encoder(str(tmp_path / "m"), threads=1)
    beside = ours.encode(["", texts[0], ""])
    assert not beside[[0, 2]].any()
    assert not ours.encode([""]).any()
    np.testing.assert_allclose(beside[1], ours.encode([texts[0]])[0], atol=1e-6)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("mode", ["lasttoken", "mean", "weightedmean"])
def test_a_prompt_that_does_not_count(mode, side, tmp_path, texts):
    model = decoder(tmp_path, "Qwen3", side=side, mode=mode, include=False)
    ours = load_encoder(str(tmp_path / "m"), threads=1)
    np.testing.assert_allclose(ours.encode(texts, role="query"), model.encode_query(texts), atol=1e-5)


def test_a_folder_that_we_wrote_says_the_same(tmp_path, texts):
    model = decoder(tmp_path, "Llama")
    save_folder(load_encoder(str(tmp_path / "m")), tmp_path / "ours")
    again = st.SentenceTransformer(str(tmp_path / "ours"), device="cpu")
    np.testing.assert_allclose(again.encode_query(texts), model.encode_query(texts), atol=1e-6)
    np.testing.assert_allclose(
        load_encoder(str(tmp_path / "ours")).encode(texts, role="query"), model.encode_query(texts), atol=1e-5
    )
