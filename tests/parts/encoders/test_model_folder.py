"""The resolver: every setting from every source, the winner, and the errors before anything is loaded."""

from __future__ import annotations

import json

import pytest

from isogloss.arrays import Similarity
from isogloss.encoders.model_folder import resolve
from isogloss.encoders.model_plan import DenseStep, NormaliseStep
from isogloss.errors import ModelError, UnsupportedModelError, UsageError


def edit(path, **changes):
    content = json.loads(path.read_text()) if path.is_file() else {}
    content = {key: value for key, value in {**content, **changes}.items() if value is not None}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def test_minilm(minilm) -> None:
    plan = resolve(minilm)
    assert (plan.max_length.value, plan.max_length.source) == (256, "sentence_bert_config.json")
    assert plan.max_length.said == (
        ("sentence_bert_config.json", 256),
        ("tokenizer_config.json", 512),
        ("positions of config.json", 512),
        ("tokenizer.json (ignored)", 128),
    )
    assert plan.pooling.value == ("mean",)
    assert plan.steps.value == (NormaliseStep(),)
    assert plan.prompts.value == {"query": "", "document": "", "": ""}
    assert (plan.similarity.value, plan.dimensions, plan.languages) == (Similarity.COSINE, 384, frozenset({"en"}))
    assert plan.warnings == plan.notes == ()
    assert json.loads(json.dumps(plan.to_dict()))["max_length"]["said"][1] == ["tokenizer_config.json", 512]


@pytest.mark.parametrize(
    ("asked", "sentence", "tokenizer", "expected", "source"),
    [
        (100, 256, 384, 100, "max_length given by the user"),
        (None, 200, 384, 200, "sentence_bert_config.json"),
        (None, None, 384, 384, "tokenizer_config.json"),
        (None, None, 10**30, 512, "positions of config.json"),
        (None, 8192, 384, 512, "positions of config.json"),
        (None, None, 514, 512, "positions of config.json"),
    ],
)
def test_maximum_length(tiny_model, asked, sentence, tokenizer, expected, source) -> None:
    folder = tiny_model()
    edit(folder / "sentence_bert_config.json", max_seq_length=sentence)
    edit(folder / "tokenizer_config.json", model_max_length=tokenizer)
    found = resolve(folder, max_length=asked).max_length
    assert (found.value, found.source) == (expected, source)
    assert any("8192" in note for note in resolve(folder).notes) == (sentence == 8192)


def test_roberta_loses_the_positions_below_its_first(tiny_model) -> None:
    folder = tiny_model(max_length=512)
    edit(folder / "config.json", model_type="roberta", pad_token_id=1)
    plan = resolve(folder)
    assert (plan.max_length.value, plan.architecture.first_position) == (510, 2)
    assert len(plan.notes) == 1


@pytest.mark.parametrize("asked", [0, -3, 513])
def test_a_length_that_is_not_possible_is_refused(tiny_model, asked) -> None:
    with pytest.raises(UsageError, match=str(asked)):
        resolve(tiny_model(), max_length=asked)


@pytest.mark.parametrize("name", ["sentence_roberta_config.json", "sentence_distilbert_config.json"])
def test_the_length_file_has_other_names_too(tiny_model, name) -> None:
    folder = tiny_model()
    (folder / "sentence_bert_config.json").rename(folder / name)
    edit(folder / name, max_seq_length=77)
    assert (resolve(folder).max_length.value, resolve(folder).max_length.source) == (77, name)


@pytest.mark.parametrize(
    ("config", "expected", "notes"),
    [
        ({"pooling_mode": "cls"}, ("cls",), 0),
        ({"pooling_mode": ["mean", "max"]}, ("mean", "max"), 0),
        ({"pooling_mode": None, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, ("cls",), 0),
        ({"pooling_mode": None, "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, ("max", "mean"), 0),
        ({"pooling_mode": None, "pooling_mode_lasttoken": True}, ("lasttoken",), 0),
        ({"pooling_mode": None, "pooling_mode_weightedmean_tokens": True}, ("weightedmean",), 0),
        ({"pooling_mode": None, "pooling_mode_mean_sqrt_len_tokens": True}, ("mean_sqrt_len_tokens",), 0),
        ({"pooling_mode": None}, ("mean",), 0),
        ({"pooling_mode": "cls", "pooling_mode_cls_token": True}, ("cls",), 0),
        ({"pooling_mode": "cls", "pooling_mode_mean_tokens": True}, ("cls",), 1),
    ],
)
def test_pooling_of_both_generations(tiny_model, config, expected, notes) -> None:
    folder = tiny_model(normalise=False)
    edit(folder / "1_Pooling" / "config.json", **config)
    plan = resolve(folder)
    assert plan.pooling.value == expected
    assert plan.dimensions == 32 * len(expected)
    assert len(plan.notes) == notes


def test_include_prompt(tiny_model) -> None:
    folder = tiny_model()
    assert resolve(folder).include_prompt.value is True
    edit(folder / "1_Pooling" / "config.json", include_prompt=False)
    assert resolve(folder).include_prompt.value is False


@pytest.mark.parametrize(
    ("prompts", "default", "query", "document", "plain"),
    [
        ({}, None, "", "", ""),
        ({"query": "Q: ", "document": "D: "}, None, "Q: ", "D: ", ""),
        ({"query": "Q: ", "passage": "P: "}, None, "Q: ", "P: ", ""),
        ({"query": "Q: ", "corpus": "C: "}, "query", "Q: ", "C: ", "Q: "),
        ({"query": "Q: "}, "query", "Q: ", "", "Q: "),
        ({"sts": "S: "}, "sts", "", "", "S: "),
        ({"query": "", "document": "", "sts": "S: "}, "sts", "", "", "S: "),
    ],
)
def test_prompts_by_role(tiny_model, prompts, default, query, document, plain) -> None:
    folder = tiny_model(prompts=prompts)
    edit(folder / "config_sentence_transformers.json", default_prompt_name=default)
    plan = resolve(folder)
    assert (plan.prompt("query"), plan.prompt("document"), plan.prompt(None)) == (query, document, plain)
    assert len(plan.notes) == ("passage" in prompts or "corpus" in prompts)


def test_a_default_prompt_that_does_not_exist(tiny_model) -> None:
    folder = tiny_model(prompts={"query": "Q: "})
    edit(folder / "config_sentence_transformers.json", default_prompt_name="other")
    with pytest.raises(ModelError, match="other is not among query"):
        resolve(folder)


def test_a_known_family_without_prompts_is_a_warning(tiny_model) -> None:
    plan = resolve(tiny_model("e5-small-v2"))
    assert "'query: '" in plan.warnings[0]
    assert plan.prompts.value["query"] == ""
    assert plan.prompts.said[-1][1] == {"query": "query: ", "document": "passage: "}
    assert resolve(tiny_model("other/e5-base", prompts={"query": "query: "})).warnings == ()
    assert resolve(tiny_model("plain"), name="intfloat/e5-base-v2").warnings


@pytest.mark.parametrize(
    "generation", ["sentence_transformers.models.{}", "sentence_transformers.sentence_transformer.modules.x.{}"]
)
def test_both_generations_of_module_paths(tiny_model, generation) -> None:
    folder = tiny_model(dense=True)
    entries = json.loads((folder / "modules.json").read_text())
    for entry in entries:
        entry["type"] = generation.format(entry["type"].rpartition(".")[2])
    (folder / "modules.json").write_text(json.dumps(entries[::-1]))
    plan = resolve(folder)
    assert plan.dimensions == 24
    dense, normalise = plan.steps.value
    assert isinstance(dense, DenseStep)
    assert (dense.inputs, dense.outputs, dense.activation) == (32, 24, "Tanh")
    assert normalise == NormaliseStep()


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("sentence_transformers.models.LSTM", "LSTM"),
        ("custom_code.Transformer", "never run"),
        ("sentence_transformers.models.Router", "Router"),
    ],
)
def test_an_unknown_module_is_named(tiny_model, kind, named) -> None:
    folder = tiny_model()
    entries = json.loads((folder / "modules.json").read_text())
    entries[-1]["type"] = kind
    (folder / "modules.json").write_text(json.dumps(entries))
    with pytest.raises(UnsupportedModelError, match=named):
        resolve(folder)


def test_modules_outside_the_folder_or_out_of_order(tiny_model) -> None:
    folder = tiny_model()
    entries = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([{**entries[0], "path": "../elsewhere"}, *entries[1:]]))
    with pytest.raises(ModelError, match="outside"):
        resolve(folder)
    (folder / "modules.json").write_text(json.dumps([{**entries[1], "idx": 0}, {**entries[0], "idx": 1}]))
    with pytest.raises(UnsupportedModelError, match="Pooling, Transformer"):
        resolve(folder)


def test_a_dense_layer_that_does_not_fit(tiny_model) -> None:
    folder = tiny_model(dense=True)
    edit(folder / "2_Dense" / "config.json", activation_function="torch.nn.modules.activation.Hardshrink")
    with pytest.raises(UnsupportedModelError, match="Hardshrink"):
        resolve(folder)
    edit(folder / "2_Dense" / "config.json", activation_function="my_code.Tanh")
    with pytest.raises(UnsupportedModelError, match="my_code"):
        resolve(folder)
    edit(folder / "2_Dense" / "config.json", activation_function="torch.nn.modules.linear.Identity", out_features=25)
    with pytest.raises(ModelError, match=r"linear\.weight is \(24, 32\), expected \(25, 32\)"):
        resolve(folder)
    edit(folder / "1_Pooling" / "config.json", pooling_mode=["mean", "max"])
    edit(folder / "2_Dense" / "config.json", out_features=24)
    with pytest.raises(ModelError, match="it takes 32 numbers, it gets 64"):
        resolve(folder)


def test_similarity(tiny_model) -> None:
    folder = tiny_model()
    edit(folder / "config_sentence_transformers.json", similarity_fn_name="dot")
    assert resolve(folder).similarity.value is Similarity.DOT
    edit(folder / "config_sentence_transformers.json", similarity_fn_name="manhattan")
    with pytest.raises(UnsupportedModelError, match="manhattan"):
        resolve(folder)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"])
def test_a_missing_file_is_named(tiny_model, missing) -> None:
    folder = tiny_model()
    (folder / missing).unlink()
    with pytest.raises(ModelError, match=missing.rpartition("/")[2].replace(".", r"\.")):
        resolve(folder)


def test_no_folder_broken_json_pickle_and_architecture(tiny_model, tmp_path) -> None:
    with pytest.raises(ModelError, match="not there"):
        resolve(tmp_path / "nowhere")
    folder = tiny_model()
    (folder / "config_sentence_transformers.json").write_text("{")
    with pytest.raises(ModelError, match="not JSON"):
        resolve(folder)
    (folder / "config_sentence_transformers.json").unlink()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UnsupportedModelError, match="pickles"):
        resolve(folder)
    edit(folder / "config.json", model_type="deberta-v2")
    with pytest.raises(UnsupportedModelError, match="deberta-v2"):
        resolve(folder)
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"")
    plan = resolve(folder)
    assert (plan.onnx, plan.architecture) == (folder / "onnx" / "model.onnx", None)


def test_a_plain_transformers_folder_is_mean_pooled_with_a_note(tiny_model) -> None:
    folder = tiny_model()
    for name in ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"):
        (folder / name).unlink()
    plan = resolve(folder)
    assert (plan.pooling.value, plan.steps.value) == (("mean",), ())
    assert "mean pooling" in plan.notes[0]


def test_the_name_of_a_snapshot_is_its_repository(tiny_model, tmp_path) -> None:
    assert resolve(tiny_model("models--org--tiny/snapshots/abc")).name == "org/tiny"
    assert resolve(tiny_model("mine")).name == "mine"
