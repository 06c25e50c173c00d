"""The seam: every kind of model gives the states, logits and routing that it gives by itself."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.arrays import counting  # noqa: E402
from isogloss.errors import ModelError, UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.training.causal_models import LabCausal, Wanted  # noqa: E402
from isogloss.training.local_causal import open_causal  # noqa: E402

ROWS = [np.array([0, 8, 11, 13]), np.array([0, 9, 12]), np.array([5]), np.array([0, 15, 10, 11, 14, 13])]


def own(model, row):
    """What the model under the seam says of one text, asked directly: states by layer, logits, routing."""
    with torch.no_grad():
        if isinstance(model, LabCausal):
            packed = pack([row])
            states = model.body.states(packed, range(model.depth + 1))
            routing = model.body.routed(packed) if model.experts[1] else None
            return states, model.predictor(packed), routing
        out = model.model(torch.from_numpy(row)[None], output_hidden_states=True, output_router_logits=True)
        routing = None
        if model.experts[1]:
            routing = torch.stack([one.reshape(len(row), -1).softmax(1) for one in out.router_logits], 1)
        return [one[0] for one in out.hidden_states], out.logits[0], routing


def test_a_batch_gives_what_the_model_gives_alone(model):
    wanted = Wanted(layers=(0, 1, -1), logits=True, routing=bool(model.experts[1]))
    passed = model(pack(ROWS), wanted)
    start = 0
    for number, row in enumerate(ROWS):
        states, logits, routing = own(model, row)
        part = slice(start, start := start + len(row))
        for layer in (0, 1, -1):
            assert torch.allclose(passed.states[layer][part], states[layer], atol=2e-5), layer
        assert torch.allclose(passed.logits[number], logits[-1], atol=2e-5)
        if routing is not None:
            assert torch.allclose(passed.routing[part], routing, atol=1e-5)
            assert torch.allclose(passed.routing.sum(2), torch.ones(()), atol=1e-5)
    assert passed.states[-1].shape == (sum(map(len, ROWS)), model.width)
    assert passed.logits.shape == (4, model.vocabulary) == (4, 40)


def test_only_without_the_mask_a_first_token_sees_the_last(model):
    changed = [np.array([0, 8, 11, 13]), np.array([0, 8, 11, 14])]
    for bidirectional, same in ((False, True), (True, False)):
        passed = model(pack(changed), Wanted(layers=(-1,), bidirectional=bidirectional))
        states = passed.states[-1].reshape(2, 4, -1)
        assert torch.allclose(states[0, 0], states[1, 0], atol=1e-5) == same
    alone = model(pack(changed[:1]), Wanted(layers=(-1,), bidirectional=True)).states[-1]
    beside = model(pack([changed[0], ROWS[3]]), Wanted(layers=(-1,), bidirectional=True)).states[-1]
    assert torch.allclose(alone, beside[:4], atol=1e-5)


def test_a_switched_mask_leaves_the_model_as_it_was(model):
    before = model(pack(ROWS), Wanted(layers=(-1,))).states[-1]
    model(pack(ROWS), Wanted(layers=(-1,), bidirectional=True))
    assert torch.equal(model(pack(ROWS), Wanted(layers=(-1,))).states[-1], before)


def test_what_a_model_has_not_is_refused(model):
    with pytest.raises(UsageError, match="no layer 3"):
        model(pack(ROWS), Wanted(layers=(3,)))
    if model.experts[1]:
        assert model.experts == (2, 3)
    else:
        with pytest.raises(UsageError, match="no router"):
            model(pack(ROWS), Wanted(routing=True))


def test_costs_grow_with_the_tokens(model):
    one, two = model.multiply_adds(torch.tensor([4])), model.multiply_adds(torch.tensor([8]))
    assert 2 * one < two < 2.2 * one
    with counting() as nothing:
        model(pack(ROWS), Wanted(layers=(-1,)))
    assert nothing.multiply_adds == 0  # the encoder counts, once


def test_the_weights_of_a_token_are_counted_by_hand(model_of):
    # attention 4 * 16 * 16 (two heads of 8; Llama here has one head of keys and values), feed-forward 2 or 3 * 16 * 32
    for kind, each in (("lab", 4 * 256 + 2 * 512), ("gpt2", 4 * 256 + 2 * 16 * 64), ("llama", 3 * 256 + 3 * 512)):
        assert model_of(kind).multiply_adds(torch.tensor([1])) == 2 * (each + 2 * 16), kind
    assert model_of("mixtral").multiply_adds(torch.tensor([1])) == 2 * (3 * 256 + 3 * 16 + 2 * 3 * 512 + 2 * 16)


def test_folders_are_read_without_code_and_pickle(model_of, tmp_path):
    made = model_of("llama")
    folder = tmp_path / "copy"
    shutil.copytree(made.model.config._name_or_path, folder)
    again = open_causal(folder, window=20)
    assert again.identity == made.identity
    assert (again.window, made.window, made.begin, made.blank) == (20, 48, (), 0)
    (folder / "tokenizer.json").rename(tmp_path / "tokenizer.json")
    with pytest.raises(ModelError, match=r"no tokenizer\.json"):
        open_causal(folder)
    (tmp_path / "tokenizer.json").rename(folder / "tokenizer.json")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        open_causal(folder)
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    said = json.loads((folder / "config.json").read_text())
    planted = tmp_path / "ran"
    (folder / "own.py").write_text(f"open({str(planted)!r}, 'w')\n")
    said |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(said))
    with pytest.raises(ModelError, match="cannot open"):
        open_causal(folder)
    assert not planted.exists()


def test_identities_follow_weights_and_settings(model_of, tmp_path, request):
    write = request.getfixturevalue("model_writer")
    identities = [model_of("llama").identity, model_of("qwen2").identity]
    for number, settings in enumerate(({"seed": 1}, {"rope_theta": 500.0}, {"rms_norm_eps": 1e-3})):
        identities.append(open_causal(write(tmp_path / str(number), "llama", **settings)).identity)
    assert len(set(identities)) == len(identities)
