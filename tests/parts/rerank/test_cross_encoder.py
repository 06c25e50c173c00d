"""Cross-encoders without torch: beside sentence-transformers, alone and in batches, read and written."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
st = pytest.importorskip("sentence_transformers")

from isogloss.encoders.names import load_encoder  # noqa: E402
from isogloss.errors import ModelError, UnsupportedModelError, UsageError  # noqa: E402
from isogloss.protocols import EncodeReport  # noqa: E402
from isogloss.rerank.cross_encoder import CrossEncoder  # noqa: E402
from isogloss.rerank.pair_folder import save_cross_encoder  # noqa: E402
from isogloss.rerank.pair_head import PairHead  # noqa: E402

_PATH = Path(__file__).parents[1] / "encoders" / "folders" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("folders_of_encoders", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
made = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made)
transformer, quiet = made.transformer, made.quiet
PAIRS = [(query, document) for query in made.TEXTS for document in made.TEXTS]


MODERN = {
    "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3,
    "global_attn_every_n_layers": 2, "local_attention": 8,
}  # fmt: skip


FURTHER = {
    "Electra": {"embedding_size": 8},
    "Albert": {"embedding_size": 8},
    "DebertaV2": {
        "relative_attention": True, "position_biased_input": False, "pos_att_type": ["p2c", "c2p"],
        "position_buckets": 4, "share_att_key": True, "norm_rel_ebd": "layer_norm",
    },
}  # fmt: skip


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("kind", ["Bert", "Roberta", "XLMRoberta", "DistilBert", "MPNet", "ModernBert", *FURTHER])
def test_every_shape_is_theirs(transformer, tmp_path, kind, labels):
    more = MODERN | {"classifier_pooling": "cls" if labels == 1 else "mean"} if kind == "ModernBert" else {}
    more = FURTHER.get(kind, more)
    folder = transformer(kind, "ForSequenceClassification", num_labels=labels, **more)
    model, ours = st.CrossEncoder(str(folder), device="cpu"), CrossEncoder(folder, threads=2)
    expected = model.predict(PAIRS)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(ours.predict(PAIRS), expected, atol=1e-5)
    np.testing.assert_allclose(np.stack([ours.predict([pair])[0] for pair in PAIRS]), expected, atol=1e-5)
    np.testing.assert_allclose(ours.predict(PAIRS[::-1])[::-1], expected, atol=1e-5)
    save_cross_encoder(ours, tmp_path / "ours")
    np.testing.assert_allclose(
        st.CrossEncoder(str(tmp_path / "ours"), device="cpu").predict(PAIRS), expected, atol=1e-5
    )
    assert CrossEncoder(tmp_path / "ours").identity == ours.identity


def test_score_gives_raw_logits_and_counts_what_is_cut(transformer):
    folder = transformer("Bert", "ForSequenceClassification", num_labels=1)
    ours, report = CrossEncoder(folder, threads=1), EncodeReport()
    query, documents = made.TEXTS[0], made.TEXTS[1:]
    scores = ours.score(query, documents, report=report)
    assert (scores.shape, scores.dtype) == ((4,), np.float32)
    pairs = [(query, document) for document in documents]
    np.testing.assert_allclose(1 / (1 + np.exp(-scores)), ours.predict(pairs), atol=1e-6)
    assert (report.texts, report.cut, report.window) == (4, 1, 40)
    assert report.lost > 20
    assert ours.score(query, []).shape == (0,)


def test_saved_activation_and_length(transformer, tmp_path):
    folder = transformer("Bert", "ForSequenceClassification", num_labels=1)
    model = st.CrossEncoder(str(folder), max_length=24, activation_fn=torch.nn.Identity(), device="cpu")
    model.save(str(tmp_path / "new"))
    older = shutil.copytree(folder, tmp_path / "older")
    config = json.loads((older / "config.json").read_text())
    config["sentence_transformers"] = {"activation_fn": "torch.nn.modules.linear.Identity"}
    (older / "config.json").write_text(json.dumps(config))
    oldest = shutil.copytree(folder, tmp_path / "oldest")
    config.pop("sentence_transformers")
    config["sbert_ce_default_activation_function"] = "torch.nn.modules.linear.Identity"
    (oldest / "config.json").write_text(json.dumps(config))
    expected = model.predict(PAIRS)
    assert CrossEncoder(tmp_path / "new").window == 24
    for where in ("new", "older", "oldest"):
        ours = CrossEncoder(tmp_path / where, max_length=24)
        assert ours.activation_name == "Identity"
        np.testing.assert_allclose(ours.predict(PAIRS), expected, atol=1e-5)


@pytest.mark.parametrize("settings", [{"tokenizer_class": "TokenizersBackend"}, {"tokenizer_class": "BertTokenizer"}])
def test_token_types_as_the_tokenizer_gives_them(transformer, tmp_path, settings):
    folder = shutil.copytree(transformer("Bert", "ForSequenceClassification", num_labels=1), tmp_path / "m")
    said = json.loads((folder / "tokenizer_config.json").read_text())
    said.pop("model_input_names", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(said | settings))
    expected = st.CrossEncoder(str(folder), device="cpu").predict(PAIRS)
    np.testing.assert_allclose(CrossEncoder(folder).predict(PAIRS), expected, atol=1e-5)


def test_a_prompt_stands_before_the_query(transformer, tmp_path):
    folder = transformer("Bert", "ForSequenceClassification", num_labels=1)
    prompts = {"prompts": {"default": "a small "}, "default_prompt_name": "default"}
    st.CrossEncoder(str(folder), device="cpu", **prompts).save(str(tmp_path / "m"))
    expected = st.CrossEncoder(str(tmp_path / "m"), device="cpu").predict(PAIRS)
    np.testing.assert_allclose(CrossEncoder(tmp_path / "m").predict(PAIRS), expected, atol=1e-5)


def test_the_head_by_hand():
    weight, labels = np.array([[2.0, 0.0]], np.float32), np.array([[3.0]], np.float32)
    head = PairHead(weight, np.array([1.0], np.float32), lambda x: np.maximum(x, 0), labels, np.ones(1, np.float32))
    np.testing.assert_array_equal(head(np.array([[1.0, 9.0], [-1.0, 9.0]], np.float32)), [[10.0], [1.0]])


def test_what_does_not_fit_is_said(transformer, tmp_path):
    several = CrossEncoder(transformer("Bert", "ForSequenceClassification", num_labels=3))
    with pytest.raises(UsageError, match="does not rank"):
        several.score("a", ["b"])
    with pytest.raises(ModelError, match="no classification head"):
        CrossEncoder(transformer("Bert"))
    st.CrossEncoder(str(transformer("Bert", "ForSequenceClassification", num_labels=1))).save(str(tmp_path / "m"))
    with pytest.raises(UnsupportedModelError, match="a cross-encoder has no vectors"):
        load_encoder(str(tmp_path / "m"))
    entries = json.loads((tmp_path / "m" / "modules.json").read_text())
    entries.append(
        {"idx": 1, "name": "1", "path": "1", "type": "sentence_transformers.cross_encoder.modules.LogitScore"}
    )
    (tmp_path / "m" / "modules.json").write_text(json.dumps(entries))
    with pytest.raises(UnsupportedModelError, match="kind of cross-encoder"):
        CrossEncoder(tmp_path / "m")


def test_mining_asks_a_cross_encoder_where_one_is_named(transformer, tmp_path):
    from isogloss.mining.rules import Limits
    from isogloss.workflows.mining import MiningRequest, mine

    folder, rows = transformer("Bert", "ForSequenceClassification", num_labels=1), tmp_path / "pairs.jsonl"
    texts = [f"a small dog barks {word}" for word in ("in the rain", "tax law", "the puppy", "reads", "again", "late")]
    pairs = [{"anchor": f"dog {i} barks", "positive": text} for i, text in enumerate(texts)]
    rows.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    settings = {"place": str(rows), "encoders": ("words",), "check": str(folder), "threads": 1, "limits": Limits()}
    model = CrossEncoder(folder, threads=1)

    def leads(margin: float) -> list[tuple[float, bool]]:
        """By how much the right answer leads each candidate that came to the check, and whether it was rejected."""
        asked = mine(MiningRequest(**settings, check_margin=margin))
        told, mined, found = asked.pairs, asked.mined, []
        number = mined.rules.index("check")
        for pair_of, row, reason in zip(mined.found.pair, mined.found.row, mined.reason, strict=True):
            if reason == -1 or reason >= number:
                texts = [told.corpus[told.positives[pair_of]], told.corpus[row]]
                right, other = model.score(told.queries[pair_of], texts)
                found.append((float(right) - float(other), bool(reason == number)))
        return found

    middle = float(np.median([lead for lead, _ in leads(0.0)])) + 1e-4
    outcomes = leads(middle)
    assert all(rejected == (lead < middle) for lead, rejected in outcomes)
    assert {rejected for _, rejected in outcomes} == {True, False}, outcomes


def test_distances_beside_token_types_are_refused(transformer):
    more = FURTHER["DebertaV2"] | {"type_vocab_size": 2}
    folder = transformer("DebertaV2", "ForSequenceClassification", num_labels=1, **more)
    with pytest.raises(UnsupportedModelError, match="pairs of texts cannot be read by this deberta-v2"):
        CrossEncoder(folder, threads=1).predict(PAIRS[:2])
