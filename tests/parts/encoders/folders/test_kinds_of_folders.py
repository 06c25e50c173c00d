"""Every kind of folder: read beside sentence-transformers, written by us, read by both again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
st = pytest.importorskip("sentence_transformers")

from sentence_transformers.base.modules import Dense, Normalize, Router, Transformer  # noqa: E402
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask  # noqa: E402
from sentence_transformers.sentence_transformer import modules as dense  # noqa: E402
from sentence_transformers.sparse_encoder import modules as sparse  # noqa: E402

from isogloss.arrays import Similarity  # noqa: E402
from isogloss.encoders.folder_kinds import kind_of  # noqa: E402
from isogloss.encoders.folder_writing import save_folder  # noqa: E402
from isogloss.encoders.names import load_encoder  # noqa: E402
from isogloss.errors import ModelError, UnsupportedModelError, UsageError  # noqa: E402

ROLES = ("query", "document", None)


def _shaken(module):
    """Give weights that are ones or zeros when they are new some values of their own."""
    with torch.no_grad():
        for value in module.parameters():
            value.add_(torch.linspace(-0.4, 0.5, value.numel()).reshape(value.shape))
    return module


def _tokenizer(folder):
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def _plain(make):
    return st.SentenceTransformer(
        modules=[Transformer(str(make())), dense.Pooling(16, "mean"), Normalize()],
        prompts={"query": "a small ", "document": "the "}, similarity_fn_name="dot",
    )  # fmt: skip


def _layered(make):
    steps = [_shaken(dense.WeightedLayerPooling(16, num_hidden_layers=3, layer_start=1))]
    steps += [dense.Pooling(16, ("cls", "mean", "max")), Dense(48, 8), _shaken(dense.LayerNorm(8))]
    body = Transformer(str(make("MPNet")), config_kwargs={"output_hidden_states": True})
    return st.SentenceTransformer(modules=[body, *steps])


def _token_dense(make):
    first = Dense(16, 12, activation_function=torch.nn.GELU(), module_input_name="token_embeddings")
    last = Dense(12, 12, bias=False, activation_function=torch.nn.Identity(), use_residual=True)
    body = Transformer(str(make("Roberta")))
    return st.SentenceTransformer(modules=[body, first, dense.Pooling(12, "weightedmean"), last, Normalize()])


def _static(make):
    return st.SentenceTransformer(
        modules=[dense.StaticEmbedding(_tokenizer(make()), embedding_dim=16), Normalize()],
    )


def _static_chain(make):
    first = dense.StaticEmbedding(_tokenizer(make()), embedding_dim=16)
    return st.SentenceTransformer(
        modules=[first, Dense(16, 8), _shaken(dense.LayerNorm(8))], prompts={"query": "small dog "}
    )


def _router(make):
    query = [dense.StaticEmbedding(_tokenizer(make()), embedding_dim=16)]
    document = [Transformer(str(make())), dense.Pooling(16)]
    return st.SentenceTransformer(modules=[Router.for_query_document(query, document), Normalize()])


def _asym(make):
    ways = Router.for_query_document([Dense(16, 8)], [Dense(16, 8), Normalize()], None, allow_empty_key=False)
    return st.SentenceTransformer(modules=[Transformer(str(make())), dense.Pooling(16), ways])


MODERN = {
    "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3,
    "global_attn_every_n_layers": 2,
}  # fmt: skip


def _splade(kind, strategy="max", activation="relu"):
    def build(make):
        body = sparse.MLMTransformer(str(make(kind, "ForMaskedLM", **(MODERN if kind == "ModernBert" else {}))))
        return st.SparseEncoder(modules=[body, sparse.SpladePooling(strategy, activation_function=activation)])

    return build


def _inference_free(make):
    from transformers import AutoTokenizer

    folder = make("Bert", "ForMaskedLM")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    weights = torch.linspace(0, 3, len(tokenizer))
    query = [sparse.SparseStaticEmbedding(tokenizer, weights, frozen=True)]
    document = [sparse.MLMTransformer(str(folder)), sparse.SpladePooling("max", activation_function="log1p_relu")]
    return st.SparseEncoder(modules=[Router.for_query_document(query, document)], similarity_fn_name="dot")


def _colbert(kind="Bert", **expansion):
    def build(make):
        more = {"query_expansion": {"length": 12, **expansion}} if expansion else {}
        folder = make(kind, **(MODERN if kind == "ModernBert" else {}))
        body = Transformer(str(folder), document_length=20, **more)
        last = Dense(16, 8, bias=False, activation_function=torch.nn.Identity(), module_input_name="token_embeddings")
        mask = MultiVectorMask([",", ".", "!"], skiplist_tasks="document")
        steps = [body, last, mask, Normalize(module_input_name="token_embeddings")]
        return st.MultiVectorEncoder(modules=steps, prompts={"query": "a ", "document": "the "})

    return build


KINDS = {
    "prompts and dot products": (_plain, "dense"),
    "layers, several poolings, layer norm": (_layered, "dense"),
    "dense layers of tokens, residual": (_token_dense, "dense"),
    "static": (_static, "static"),
    "static with more": (_static_chain, "static-chain"),
    "router": (_router, "router"),
    "asym behind the pooling": (_asym, "router"),
    "splade of bert": (_splade("Bert"), "sparse"),
    "splade of roberta, summed": (_splade("Roberta", "sum"), "sparse"),
    "splade of distilbert": (_splade("DistilBert", "max", "log1p_relu"), "sparse"),
    "splade of mpnet": (_splade("MPNet"), "sparse"),
    "splade of modernbert": (_splade("ModernBert"), "sparse"),
    "inference-free sparse": (_inference_free, "router"),
    "late interaction": (_colbert(), "tokens"),
    "late interaction, expanded": (_colbert(strategy="fixed"), "tokens"),
    "late interaction, attended": (_colbert("Roberta", strategy="fixed", attend=True), "tokens"),
    "late interaction of modernbert": (_colbert("ModernBert", strategy="fixed"), "tokens"),
    "late interaction, at least": (_colbert("MPNet", strategy="min"), "tokens"),
}


def _theirs(model, texts, role):
    return getattr(model, f"encode_{role}" if role else "encode")(texts)


@pytest.mark.parametrize("name", KINDS)
def test_read_and_written_equal_to_sentence_transformers(name, transformer, tmp_path, texts, assert_equal, aged):
    build, kind = KINDS[name]
    model = build(transformer)
    model.save(str(tmp_path / "theirs"))
    if kind in ("dense", "static", "static-chain") or name.startswith("splade"):
        aged(tmp_path / "theirs")
    assert kind_of(tmp_path / "theirs") == kind
    ours = load_encoder(str(tmp_path / "theirs"), threads=1)
    save_folder(ours, tmp_path / "ours", card="# A copy")
    again = load_encoder(str(tmp_path / "ours"), threads=2)
    reread = type(model)(str(tmp_path / "ours"), device="cpu")
    for role in ROLES:
        if role is None and name.startswith("asym"):
            with pytest.raises(UsageError, match="what a text is"):
                ours.encode(texts)
            continue
        expected = _theirs(model, texts, role)
        assert_equal(expected, ours.encode(texts, role=role))
        assert_equal(expected, again.encode(texts, role=role))
        assert_equal(expected, _theirs(reread, texts, role))
    assert (again.similarity, again.dimensions) == (ours.similarity, ours.dimensions)


def test_similarities_are_kept(transformer, tmp_path):
    for name, expected in (("prompts and dot products", Similarity.DOT), ("splade of bert", Similarity.DOT)):
        KINDS[name][0](transformer).save(str(tmp_path / name))
        assert load_encoder(str(tmp_path / name)).similarity is expected
    KINDS["late interaction"][0](transformer).save(str(tmp_path / "late"))
    assert load_encoder(str(tmp_path / "late")).similarity is Similarity.MAXSIM


def _edit(file: Path, **changes):
    content = json.loads(file.read_text()) if file.is_file() else {}
    file.write_text(json.dumps({key: value for key, value in {**content, **changes}.items() if value is not None}))


@pytest.fixture
def pylate(transformer, tmp_path):
    """Write a folder as PyLate 1 does: two modules, everything else in one file."""
    folder = tmp_path / "pylate"
    KINDS["late interaction"][0](transformer).save(str(folder))
    for name in ("2_MultiVectorMask", "3_Normalize"):
        shutil.rmtree(folder / name)
    kinds = {"": "sentence_transformers.models.Transformer", "1_Dense": "pylate.models.Dense.Dense"}
    entries = [{"idx": i, "name": str(i), "path": path, "type": kind} for i, (path, kind) in enumerate(kinds.items())]
    (folder / "modules.json").write_text(json.dumps(entries))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 19, "do_lower_case": False}))
    _edit(folder / "1_Dense" / "config.json", module_input_name=None, module_output_name=None)
    said = {"query_prefix": "[Q] ", "document_prefix": "[D] ", "query_length": 14, "document_length": 18}
    card = {"prompts": {}, "similarity_fn_name": "MaxSim", "model_type": "ColBERT", **said}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(card))
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"attend_to_expansion_tokens": True, "skiplist_words": [",", "?"]},
        {"do_query_expansion": False, "skiplist_words": []},
    ],
)
def test_folders_of_pylate(pylate, tmp_path, texts, assert_equal, changes):
    _edit(pylate / "config_sentence_transformers.json", **changes)
    model, ours = st.MultiVectorEncoder(str(pylate), device="cpu"), load_encoder(str(pylate), threads=1)
    assert ours.encode(["a"], role="document")[0].shape == (4, 8)  # [CLS] [D] a [SEP]: the mark is one token
    save_folder(ours, tmp_path / "ours")
    reread = st.MultiVectorEncoder(str(tmp_path / "ours"), device="cpu")
    for role in ROLES:
        expected = _theirs(model, texts, role)
        assert_equal(expected, ours.encode(texts, role=role))
        assert_equal(expected, _theirs(reread, texts, role))


def test_folders_of_stanford(transformer, tmp_path, texts, assert_equal):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(transformer(), tmp_path / "stanford")
    tensors = {"bert." + name: value for name, value in load_file(folder / "model.safetensors").items()}
    tensors["linear.weight"] = torch.linspace(-1, 1, 128).reshape(8, 16)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _edit(folder / "config.json", architectures=["HF_ColBERT"])
    said = {"query_token_id": "[Q]", "doc_token_id": "[D]", "doc_maxlen": 21, "query_maxlen": 16}
    (folder / "artifact.metadata").write_text(json.dumps({**said, "mask_punctuation": True}))
    model, ours = st.MultiVectorEncoder(str(folder), device="cpu"), load_encoder(str(folder), threads=1)
    for role in ROLES:
        assert_equal(_theirs(model, texts, role), ours.encode(texts, role=role))


def test_pickles_are_refused_with_the_way_out(transformer, tmp_path):
    folder = shutil.copytree(transformer(), tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UnsupportedModelError, match=r"pytorch_model\.bin") as caught:
        load_encoder(str(folder))
    assert "safetensors.torch.save_file" in caught.value.fix


def test_a_layer_mean_that_is_not_fed_is_said(transformer, tmp_path):
    KINDS["layers, several poolings, layer norm"][0](transformer).save(str(tmp_path / "m"))
    _edit(tmp_path / "m" / "config.json", output_hidden_states=False)
    with pytest.warns(UserWarning, match="1_WeightedLayerPooling is left out"):
        ours = load_encoder(str(tmp_path / "m"))
    expected = st.SentenceTransformer(str(tmp_path / "m"), device="cpu").encode(["a small dog"])
    np.testing.assert_allclose(ours.encode(["a small dog"]), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("sentence_transformers.models.LSTM", "LSTM"),
        ("my_package.Transformer", "never run"),
        ("sentence_transformers.models.Normalize", "order of modules"),
    ],
)
def test_what_is_not_supported_is_said(transformer, tmp_path, kind, match):
    KINDS["prompts and dot products"][0](transformer).save(str(tmp_path / "m"))
    entries = json.loads((tmp_path / "m" / "modules.json").read_text())
    entries[0]["type"] = kind
    (tmp_path / "m" / "modules.json").write_text(json.dumps(entries))
    with pytest.raises(ModelError, match=match):
        load_encoder(str(tmp_path / "m"))


def test_damage_is_said(transformer, tmp_path):
    KINDS["inference-free sparse"][0](transformer).save(str(tmp_path / "m"))
    _edit(tmp_path / "m" / "router_config.json", structure={"query": ["query_0_SparseStaticEmbedding"]})
    with pytest.raises(ModelError, match="document is not complete"):
        load_encoder(str(tmp_path / "m"))
    KINDS["splade of bert"][0](transformer).save(str(tmp_path / "s"))
    shutil.copyfile(transformer() / "model.safetensors", tmp_path / "s" / "model.safetensors")
    with pytest.raises(ModelError, match="head over words"):
        load_encoder(str(tmp_path / "s"))


def test_nothing_is_written_over_or_left_behind(transformer, tmp_path):
    ours = load_encoder(str(transformer()))
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("mine")
    with pytest.raises(UsageError, match="there already"):
        save_folder(ours, tmp_path / "there")
    with pytest.raises(UnsupportedModelError, match="no form"):
        save_folder(load_encoder("words"), tmp_path / "words")
    with pytest.raises(UnsupportedModelError, match="unknown tokens"):
        save_folder(load_encoder("static"), tmp_path / "static")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "there") == []
