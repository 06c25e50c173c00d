"""Base models of the Lab: found, keyed, built once, admitted, resumed, refused; with planted rows of a few weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import CheckFailed, UsageError  # noqa: E402
from isogloss.recipes import _base_models as lab_models  # noqa: E402
from isogloss.recipes._run import Run  # noqa: E402
from isogloss.workflows import lab_builds  # noqa: E402

ROW = '''"""NAME: a planted model."""
import json

from isogloss.training.base_models._plan import Admission, BaseModel

DATA = ("wikitext2",)
LIMIT = 100.0


class Weights:
    parameters = 3

    def __init__(self, seed):
        self.seed = seed

    def save(self, folder):
        (folder / "model.safetensors").write_text(json.dumps(self.seed))


def build(material, seed, progress):
    assert material.texts("wikitext2", "valid.articles")
    progress.start("train", 2, "steps")
    progress.advance(2)
    progress.finish()
    return Weights(seed)


def admit(made, material):
    return Admission.of({"score": float(made.seed)}, {"a seed below the limit": made.seed < LIMIT})


def load(folder):
    return Weights(json.loads((folder / "model.safetensors").read_text()))


ROW = BaseModel(
    name="NAME", what="Planted", data=DATA, build=build, admit=admit, load=load, score="score", claims=("x",)
)
'''


@pytest.fixture
def rows(tmp_path, monkeypatch, cache):
    """A folder of planted rows in place of the package's own."""
    import importlib.util

    from isogloss.corpus.examples import LabelledTexts
    from isogloss.recipes import _data

    folder = tmp_path / "rows"
    folder.mkdir()
    for name in ("first_one", "second_one"):
        (folder / f"{name}.py").write_text(ROW.replace("NAME", name.replace("_", "-")), encoding="utf-8")
    (folder / "_shared.py").write_text("", encoding="utf-8")
    loaded = {}

    def row(name):
        lab_models.row_file(name)
        if name not in loaded:
            spec = importlib.util.spec_from_file_location(name, folder / f"{name.replace('-', '_')}.py")
            loaded[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(loaded[name])
        return loaded[name].ROW

    class Texts:
        def digest(self):
            return "digest"

        def part(self, part=None):
            return LabelledTexts(["a text"], np.zeros(1, np.int64), ["x"])

    monkeypatch.setattr(lab_models, "ROWS", folder)
    monkeypatch.setattr(lab_models, "_row", row)
    monkeypatch.setattr(lab_models, "opened", lambda name: Texts())
    assert _data.opened is not lab_models.opened
    return folder


def test_rows_are_found_by_their_files(rows):
    assert lab_models.base_model_names() == ["first-one", "second-one"]
    with pytest.raises(UsageError, match=r"first-one, second-one"):
        lab_models.row_file("third-one")


def test_a_model_is_built_once_and_kept_whole(rows, cache):
    first = lab_models.build_base_model("first-one", 1)
    again = lab_models.build_base_model("first-one", 1)
    assert first.fresh
    assert not again.fresh
    assert again.to_dict() == first.to_dict()
    assert first.score == ("score", 1.0)
    files = sorted(path.name for path in first.folder.iterdir())
    assert files == ["README.md", "lab.json", "model.safetensors"]
    assert "seed 1" in (first.folder / "README.md").read_text()
    assert [path.name for path in first.folder.parent.iterdir()] == [first.folder.name]
    assert lab_models.load_base_model("first-one", 1).seed == 1
    assert str(cache) not in json.dumps(first.to_dict())


def test_a_key_follows_code_and_data(rows, monkeypatch):
    first = lab_models.base_model_key("first-one")
    assert first == lab_models.base_model_key("first-one") != lab_models.base_model_key("second-one")
    path = rows / "first_one.py"
    path.write_text(path.read_text(encoding="utf-8").replace("LIMIT = 100.0", "LIMIT = 99.5"), encoding="utf-8")
    changed = lab_models.base_model_key("first-one")
    assert changed != first
    monkeypatch.setattr(lab_models, "opened", lambda name: type("Other", (), {"digest": lambda self: "other"})())
    assert lab_models.base_model_key("first-one") != changed


def test_a_model_that_is_not_admitted_is_not_kept(rows, cache):
    with pytest.raises(CheckFailed, match="a seed below the limit") as error:
        lab_models.build_base_model("first-one", 200)
    assert "score 200.000" in str(error.value)
    assert list((cache / "isogloss" / "lab").iterdir()) == []


def test_a_broken_build_leaves_nothing(rows, cache, monkeypatch):
    class Stops:
        def start(self, what, total, unit):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab_models.build_base_model("first-one", 0, progress=Stops())
    assert list((cache / "isogloss" / "lab").iterdir()) == []
    assert torch.get_num_threads() >= 1


def test_all_are_built_and_a_stopped_build_goes_on(rows, tmp_path):
    lab_models.build_base_model("second-one", 0)
    told = []

    class Notes:
        def start(self, what, total, unit):
            told.append(what)

        def advance(self, amount):
            told.append(amount)

        def finish(self):
            pass

    found = lab_builds.build_base_models(progress=Notes())
    assert [(one.name, one.seed, one.fresh) for one in found.built] == [
        ("first-one", 0, True), ("first-one", 1, True), ("second-one", 0, False), ("second-one", 1, True)
    ]  # fmt: skip
    assert told[0] == "first-one seed 0 (1 of 4), train"
    assert told.count(2) == 3
    lab_builds.write_table(tmp_path, lab_builds.LabBuild(found.built[:2]))
    lab_builds.write_table(tmp_path, lab_builds.LabBuild(found.built[2:]))
    assert [(row["name"], row["seed"]) for row in lab_builds.read_table(tmp_path)] == [
        ("first-one", 0), ("first-one", 1), ("second-one", 0), ("second-one", 1)
    ]  # fmt: skip


def test_refused_models_are_listed_and_others_built(rows):
    found = lab_builds.build_base_models(["first-one"], seeds=(200, 3))
    assert list(found.refused) == ["first-one seed 200"]
    assert [one.seed for one in found.built] == [3]
    with pytest.raises(UsageError, match="no base model"):
        lab_builds.build_base_models(["first-one", "nobody"])


def test_the_lab_gives_them_by_role_and_seed(rows, make_lab, monkeypatch):
    from isogloss.recipes import _lab

    monkeypatch.setattr(_lab, "base_model_names", lab_models.base_model_names)
    monkeypatch.setattr(_lab, "load_base_model", lab_models.load_base_model)
    lab = make_lab(roles={"base": "first-one", "other": "words"})
    assert [lab.model("base", Run(seed)).seed for seed in (0, 1, 2, 7)] == [0, 1, 0, 1]
    assert lab.model("base").seed == 0
    assert lab.model("base") is lab.model("base", Run(4))
    assert lab.model("other").kind == "words"


def test_the_command_builds_and_says_what_it_took(rows, tmp_path, capsys):
    from isogloss.cli.main import main

    assert main(["lab", "build", "first-one", "--seeds", "0,1", "--json", "--record", str(tmp_path)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "isogloss.lab/1"
    assert [one["seed"] for one in answer["models"]] == [0, 1]
    assert (tmp_path / "base_models.json").is_file()
    assert main(["lab", "build", "first-one", "--seeds", "300"]) == 3
    assert "not admitted" in capsys.readouterr().out
    assert main(["lab", "build", "first-one", "--seeds", "x"]) == 2


def test_the_packages_own_rows_say_their_data():
    for name in lab_models.base_model_names():
        assert lab_models._data_of(lab_models.row_file(name)), name
    assert {"tiny-mlm", "tiny-lm", "tiny-moe", "minilm-mlm", "minilm-3"} <= set(lab_models.base_model_names())
