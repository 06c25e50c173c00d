"""Each fault is planted in a model's folder and must be found; a sound model gives no warning."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from isogloss.encoders.card_example import card_example
from isogloss.encoders.diagnosis import diagnose
from isogloss.encoders.transformer import TransformerEncoder


def bad(findings, *levels):
    return {d.check: d for d in findings if d.status in (levels or ("warning", "problem"))}


def edit(path, **changes):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **changes}))


def change_weights(folder, name, change):
    weights = load_file(folder / "model.safetensors")
    change(weights[name])
    save_file(weights, folder / "model.safetensors")


def test_a_sound_model_gives_no_warning(tiny_model):
    findings = diagnose(str(tiny_model()), texts=["short", "also short"])
    assert bad(findings) == {}
    checks = [d.check for d in findings]
    assert checks[:11] == [
        "files", "weights", "maximum length", "pooling", "prompts", "normalisation", "Dense layers", "padding side",
        "vectors", "batches", "truncation",
    ]  # fmt: skip
    assert len(checks) == len(set(checks)) == 18
    assert all(d.found for d in findings)


@pytest.mark.parametrize(
    "options", [{"dense": True}, {"normalise": False}, {"pooling": "cls"}, {"prompts": {"query": "q: "}}]
)
def test_other_sound_models(tiny_model, options):
    findings = diagnose(str(tiny_model(**options)))
    assert bad(findings) == {}
    assert "truncation" not in {d.check for d in findings}


def test_real_models_give_no_warning(minilm):
    findings = {d.check: d for d in diagnose("minilm")}
    assert bad(findings.values()) == {}
    length = findings["maximum length"]
    assert length.status == "note"
    for said in ("256 sentence_bert_config.json", "512 tokenizer_config.json", "512 positions", "128 tokenizer.json"):
        assert said in length.found
    assert bad(diagnose("words")) == {}


def remove(name):
    def fault(folder):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return fault


def cut_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def pointer(folder):
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 90\n")


def wrong_dense(folder):
    edit(folder / "2_Dense" / "config.json", out_features=48)


def incomplete_dense(folder):
    (folder / "2_Dense" / "config.json").write_text('{"activation_function": "torch.nn.modules.activation.Tanh"}')


def custom_code(folder):
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "custom_st.Transformer"
    (folder / "modules.json").write_text(json.dumps(modules))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (remove("config.json"), "config.json"),
        (remove("tokenizer.json"), "tokenizer.json"),
        (remove("model.safetensors"), "safetensors"),
        (remove("1_Pooling"), "1_Pooling"),
        (remove("2_Dense/model.safetensors"), "2_Dense"),
        (cut_weights, "model.safetensors is not a whole safetensors file"),
        (pointer, "Git LFS pointer"),
        (wrong_dense, "2_Dense"),
        (incomplete_dense, "out_features"),
        (custom_code, "custom_st.Transformer"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json is not JSON"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "tokenizer.json"),
        (lambda folder: edit(folder / "1_Pooling" / "config.json", pooling_mode="median"), "median"),
        (lambda folder: edit(folder / "config.json", model_type="t5"), "t5"),
    ],
)
def test_folders_that_cannot_be_loaded(tiny_model, fault, words):
    folder = tiny_model(dense=True)
    fault(folder)
    findings = diagnose(str(folder))
    found = bad(findings, "problem")
    assert list(found) == ["files"]
    assert words in found["files"].found
    assert found["files"].fix
    assert {d.check for d in findings} >= {"processor", "ONNX Runtime"}


def test_no_such_model():
    assert "files" in bad(diagnose("no-such-model-anywhere"), "problem")


def test_nan_weights(tiny_model):
    folder = tiny_model()
    change_weights(folder, "encoder.layer.1.output.dense.weight", lambda w: w.__setitem__((3, 5), np.nan))
    found = bad(diagnose(str(folder)), "problem")
    assert set(found) == {"weights", "vectors"}
    assert "encoder.layer.1.output.dense.weight holds 1 numbers" in found["weights"].found


def test_infinite_weights_of_a_rare_token(tiny_model):
    folder = tiny_model()
    change_weights(folder, "embeddings.word_embeddings.weight", lambda w: w.__setitem__(5, np.inf))
    assert "in 1 rows" in bad(diagnose(str(folder)), "problem")["weights"].found


def test_dead_weights(tiny_model):
    folder = tiny_model()
    for part in ("weight", "bias"):
        name = f"encoder.layer.1.output.LayerNorm.{part}"
        change_weights(folder, name, lambda w: w.__setitem__(slice(None), float(w[0] == 0)))
    found = bad(diagnose(str(folder)), "problem")
    assert "all texts look the same" in found["vectors"].found


def test_length_above_positions(tiny_model):
    folder = tiny_model()
    edit(folder / "sentence_bert_config.json", max_seq_length=4096)
    found = bad(diagnose(str(folder)), "warning")
    assert set(found) == {"maximum length"}
    assert "4096" in found["maximum length"].found


def test_pooling_that_contradicts_itself(tiny_model):
    folder = tiny_model()
    edit(folder / "1_Pooling" / "config.json", pooling_mode_cls_token=True)
    found = bad(diagnose(str(folder)), "warning")
    assert set(found) == {"pooling"}
    assert "contradicts itself" in found["pooling"].found


def test_lost_modules(tiny_model):
    folder = tiny_model(dense=True)
    (folder / "modules.json").unlink()
    found = bad(diagnose(str(folder)), "warning")
    assert set(found) == {"pooling", "Dense layers"}
    assert "2_Dense" in found["Dense layers"].found


def test_missing_prompts_of_a_known_family(tiny_model):
    found = bad(diagnose(str(tiny_model("e5-small-v2"))), "warning")
    assert set(found) == {"prompts"}
    assert "'query: '" in found["prompts"].found
    assert bad(diagnose(str(tiny_model("e5-base", prompts={"query": "query: ", "document": "passage: "})))) == {}


def test_padding_and_truncation_sides(tiny_model):
    folder = tiny_model()
    edit(folder / "tokenizer_config.json", padding_side="left", truncation_side="left")
    note = bad(diagnose(str(folder)), "note")["padding side"]
    assert "padding on the left, long texts lose their start" in note.found


def test_truncation_share(tiny_model):
    folder = tiny_model()
    texts = ["word " * 200] * 3 + ["short"] * 7
    found = bad(diagnose(str(folder), texts=texts), "warning")["truncation"]
    assert "3 of 10 texts (30.0%) cut at 256 tokens" in found.found
    found = bad(diagnose(str(folder), texts=[*texts[2:], *["short"] * 12]), "note")["truncation"]
    assert "1 of 20 texts" in found.found
    assert bad(diagnose("words", texts=texts)) == {}


CARD = """---
language: en
---
# A model
```bash
pip install sentence-transformers
```
```python
from sentence_transformers import SentenceTransformer
sentences = [
    "The weather is lovely today.",
    "It's so [sunny] outside!",
    'He drove to the stadium.',
]
embeddings = model.encode(sentences)
print(embeddings.shape)
# [3, 32]
print(model.similarity(embeddings, embeddings))
# tensor([[{}, {}, {}],
#         [{}, {}, {}],
#         [{}, {}, {}]])
```
"""


def write_card(folder, shown):
    (folder / "README.md").write_text(CARD.format(*(f"{x:.4f}" for x in np.ravel(shown))))


def similarities(folder):
    encoder = TransformerEncoder(folder)
    vectors = encoder.encode(["The weather is lovely today.", "It's so [sunny] outside!", "He drove to the stadium."])
    return encoder.similarity(vectors, vectors)


def test_card_is_reproduced(tiny_model):
    folder = tiny_model()
    write_card(folder, similarities(folder))
    example = card_example(folder)
    assert example.left[1] == "It's so [sunny] outside!"
    assert example.right == []
    findings = diagnose(str(folder))
    assert bad(findings) == {}
    assert "reproduces the card's example" in next(d for d in findings if d.check == "pooling").found


def test_card_shows_another_pooling(tiny_model):
    folder = tiny_model("declared", pooling="cls")
    write_card(folder, similarities(tiny_model("made-with", pooling="mean")))
    found = bad(diagnose(str(folder)))["pooling"]
    assert found.status == "problem"
    assert "come from mean pooling" in found.found
    assert "mean" in found.fix


def test_card_of_another_model(tiny_model):
    folder = tiny_model()
    write_card(folder, np.array([[1, 0.9, -0.9], [0.9, 1, -0.9], [-0.9, -0.9, 1]]))
    found = bad(diagnose(str(folder)))["pooling"]
    assert found.status == "warning"
    assert "no pooling reproduces" in found.found


def write_static(folder, change=lambda rows, weights: None, normalize=True):
    from isogloss.encoders.static import write_arrays

    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "heat", "flows", "in", "slabs", *"abcdefghijklmnopqrstuvwxyz.,?'"]
    rng = np.random.default_rng(0)
    rows, weights = rng.standard_normal((len(tokens), 16)).astype(np.float32), np.ones(len(tokens), np.float32)
    rows[:4] = 0
    change(rows, weights)
    folder.mkdir()
    write_arrays(folder / "model.safetensors", {"embeddings": rows, "weights": weights}, {})
    (folder / "config.json").write_text(json.dumps({"model_type": "isogloss-static", "normalize": normalize}))
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    ids = {token: i for i, token in enumerate([*tokens])}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    return str(folder)


def test_a_static_model(tmp_path):
    model = write_static(tmp_path / "static", normalize=False)
    findings = {d.check: d for d in diagnose(model, texts=["heat flows", "in slabs"])}
    assert bad(findings.values()) == {}
    assert findings["known words"].found.startswith("0 of 2 texts")
    found = bad(diagnose(model, texts=["heat", "東京", "zz"]))
    assert set(found) == {"known words"}
    assert "2 of 3 texts have no token that the model knows, such as '東京'" in found["known words"].found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows, weights: rows.__setitem__((5, 2), np.nan), "1 of 38 token vectors"),
        (lambda rows, weights: weights.__setitem__(7, np.inf), "1 of 38 token vectors"),
        (lambda rows, weights: rows.__setitem__(slice(6, None), 0), "most are zero"),
    ],
)
def test_broken_static_models(tmp_path, change, words):
    found = bad(diagnose(write_static(tmp_path / "static", change)), "problem")
    assert words in found["weights"].found


def test_a_static_model_without_tokenizer(tmp_path):
    model = write_static(tmp_path / "static")
    (tmp_path / "static" / "tokenizer.json").unlink()
    assert "tokenizer" in bad(diagnose(model), "problem")["files"].found


def test_the_bundled_model():
    assert bad(diagnose("static", texts=["heat flows"])) == {}
