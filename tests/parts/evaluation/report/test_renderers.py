"""The forms of a report: the same numbers in each, nothing from outside that a browser or YAML could obey."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.evaluation.report import as_json, card_yaml, html, markdown, mteb_result, plots, svg, wording
from isogloss.evaluation.report.content import Report, SystemTask
from isogloss.evaluation.report.terminal import sections
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.run_file import SystemSettings
from isogloss.evaluation.sample import Sample

VOID = {"meta", "link"}


class Tags(HTMLParser):
    """Every tag, attribute and text of a page; fails where tags do not nest."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts, self.open = [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_terminal_shows_scores_differences_ties_and_costs(ordinary):
    first = sections(ordinary)[0]
    assert first.headers == [
        "ndcg@10", "score", "95 % interval", "tied", "vs words (paired)", "docs/s", "bytes/doc", "ms/query"
    ]  # fmt: skip
    assert first.rows[0] == [
        "rrf(words,minilm)", ".426", "[.391, .461]", "A", "+.082 [+.058, +.107] p < .001", "114", "2,348", "9.3"
    ]  # fmt: skip
    assert first.rows[-1][3:5] == ["B", "–"]
    assert first.lines[-1] == (
        "smallest difference that 225 questions can show at 80 % power: .032 (rrf(words,minilm) vs minilm)"
    )


def test_every_form_holds_every_score(ordinary):
    page, text, plain = html.render(ordinary), markdown.render(ordinary), json.loads(as_json.render(ordinary))
    for score in ordinary.comparisons[0].scores:
        shown = wording.number(score.value)
        assert shown in page
        assert shown in text
    assert {s["system"]: s["value"] for s in plain["comparisons"][0]["scores"]}["minilm"] == 0.4
    assert plain["schema"] == "isogloss.report/1"


def test_a_page_asks_nobody_and_runs_nothing(ordinary, hostile):
    for report in (ordinary, hostile):
        page = html.render(report)
        found = Tags(page)
        assert not {"script", "iframe", "object", "img", "base", "form"} & set(found.tags)
        assert not [name for name in found.attributes if name.startswith("on") or name in ("src", "srcset", "action")]
        assert "url(" not in page.split("</style>")[0]
        assert "@import" not in page


def test_hostile_names_are_text_and_nothing_else(hostile):
    found = Tags(html.render(hostile))
    texts = "".join(found.texts)
    assert "<script>alert(1)</script>" in texts
    assert "]]> --> </style></title></svg> & &amp;" in texts
    assert "\x00" not in texts
    html.render(hostile).encode("utf-8")  # halves of characters would not be writable


@given(st.text(alphabet=st.characters(), max_size=60))
def test_no_text_changes_the_structure_of_a_page(text):
    shape = Tags(html.render(Report("plain", notes=["x" + "plain"], command="plain"))).tags
    assert Tags(html.render(Report(text, notes=["x" + text], command="x" + text))).tags == shape


@given(st.text(alphabet=st.characters(), max_size=60))
def test_no_text_breaks_a_markdown_table(text):
    lines = markdown.table(["a", "b"], [[text, "c"]]).split("\n")
    assert len(lines) == 3
    assert lines[2].replace("\\\\", "").replace("\\|", "").count("|") == 3


def test_a_cell_of_markdown_holds_no_markup():
    assert markdown.escape("<img src=x> [a](b) `c` *d*") == r"\<img src=x\> \[a\](b) \`c\` \*d\*"


def test_numbers_that_are_none_are_said_to_be_none(hostile):
    plain = json.loads(as_json.render(hostile))
    assert plain["comparisons"][0]["differences"][-1]["value"] is None
    assert "nan" not in html.render(hostile).split("</style>")[1].replace("“nan”", "")
    assert sections(hostile)[0].rows[-1][1] == "–"


@pytest.mark.parametrize("report", [Report(""), Report("t", notes=["n"]), Report("t", command="isogloss eval")])
def test_an_empty_report_says_that_it_is_empty(report):
    assert "holds no scores" in html.render(report)
    assert markdown.render(report).startswith("# ")
    assert sections(report) == []


def test_one_system_is_compared_with_nobody(ordinary):
    main = ordinary.comparisons[0]
    alone = type(main)(main.metric, main.scores[:1], [], [["rrf(words,minilm)"]], 100, 0)
    report = Report("one", [alone], baseline="words")
    assert sections(report)[0].headers == ["ndcg@10", "score", "95 % interval"]
    assert "Difference to" not in html.render(report)


def test_a_score_that_is_no_number_keeps_its_column(ordinary):
    main = ordinary.comparisons[0]
    none = replace(main.scores[0], value=float("nan"))
    alone = type(main)(main.metric, [none], [], [[none.system]], 100, 0)
    assert sections(Report("one", [alone]))[0].rows[0][:2] == [none.system, "–"]
    assert sections(Report("none", [type(main)("m", [], [], [], 0, 0)]))[0].rows == []


def test_ties_stand_in_lanes_that_do_not_touch():
    assert plots._lanes([[0, 1, 2], [2, 3], [3, 4]]) == [0, 1, 0]


def test_the_frontier_keeps_what_nothing_beats():
    points = [plots.Point(name, x, y, y, y) for name, x, y in (("a", 1, 0.2), ("b", 2, 0.1), ("c", 3, 0.6))]
    assert [p.label for p in plots.frontier(points, more_is_better=False)] == ["a", "c"]
    assert [p.label for p in plots.frontier(points, more_is_better=True)] == ["c"]


@given(
    st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 9)
)  # fmt: skip
def test_ticks_are_few_and_inside(low, width, most):
    scale = svg.Scale(low, low + width, 0.0, 100.0)
    ticks = scale.ticks(most)
    slack = 1e-6 * max(1.0, abs(low), width)
    assert len(ticks) <= most + 1
    assert all(low - slack <= tick <= low + width + slack for tick in ticks)


@given(st.floats(1e-6, 1e6), st.floats(1.0, 1e6))
def test_a_logarithmic_scale_keeps_order_and_stays_inside(low, factor):
    scale = svg.Scale(low, low * factor * 2, 10.0, 20.0, log=True)
    places = [scale.at(value) for value in (low, low * factor, low * factor * 2)]
    assert places == sorted(places)
    assert 10 - 1e-9 <= places[0] <= places[-1] <= 20 + 1e-9
    assert scale.ticks() == sorted(scale.ticks())


def test_mteb_reads_the_results_back(tmp_path, task):
    results = pytest.importorskip("mteb.results", reason="mteb is not installed")
    settings = {task.system: SystemSettings(task.system, "d" * 64, max_length=256, dimensions=384)}
    files = mteb_result.write_results(tmp_path, [task], settings)
    place = tmp_path / "results" / "sentence-transformers__all-MiniLM-L6-v2" / ("d" * 40)
    assert sorted(files) == [place / "SciFact.json", place / "model_meta.json"]
    read = results.TaskResult.from_disk(place / "SciFact.json")
    assert read.get_score() == pytest.approx(1.75 / 3)
    assert read.scores["test"][0]["recall_at_100"] == pytest.approx(2.5 / 3)
    assert read.task_type == "Retrieval"  # by its name MTEB knows the task
    assert read.languages == ["eng"]
    meta = json.loads((place / "model_meta.json").read_text())
    assert (meta["name"], meta["max_tokens"], meta["embed_dim"]) == (task.system, 256, 384)


def test_mteb_loads_a_folder_of_results(tmp_path, task):
    cache = pytest.importorskip("mteb.cache", reason="mteb is not installed")
    mteb_result.write_results(tmp_path, [task])
    loaded = cache.ResultCache(tmp_path).load_results(include_remote=False, require_model_meta=True)
    assert loaded.model_results[0].task_results[0].task_name == "SciFact"
    assert loaded.model_results[0].model_name == task.system


def test_subsets_of_a_task_stand_in_one_file(tmp_path):
    tasks = [
        SystemTask("m", TaskResult("tatoeba", "bitext", "f1", {"f1": Sample.of([value])}, {"subset": subset}, 2.0))
        for subset, value in (("deu-eng", 0.9), ("fra-eng", 0.8))
    ]
    path = mteb_result.write_results(tmp_path, tasks)[0]
    content = json.loads(path.read_text())
    assert [e["hf_subset"] for e in content["scores"]["test"]] == ["deu-eng", "fra-eng"]
    assert content["evaluation_time"] == 4.0


def test_mteb_has_no_word_for_a_missing_score():
    bad = SystemTask("m", TaskResult("t", "sts", "spearman", {"spearman": Sample.of([float("nan")])}))
    with pytest.raises(UsageError, match="no score"):
        mteb_result.task_json(bad)


def test_the_hub_reads_the_card_back(task):
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    text = card_yaml.render("my model: <1>", [task], {"language": ["en"], "license": "mit", "base_model": "a/b"})
    card = hub.ModelCard(text)
    values = {one.metric_type: one.metric_value for one in card.data.eval_results}
    assert values == {"ndcg_at_10": pytest.approx(1.75 / 3), "recall_at_100": pytest.approx(2.5 / 3)}
    assert card.data.model_name == "my model: <1>"
    assert (card.data.license, card.data.language, card.data.library_name) == ("mit", ["en"], "sentence-transformers")
    assert card.data.eval_results[0].dataset_revision == task.result.details["revision"]
    assert r"\[.400, .700\]" in text  # the interval stands in the text


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=40))
def test_yaml_reads_every_text_back(text):
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    assert yaml.safe_load(f"a: {card_yaml.quoted(text)}\n") == {"a": text}


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e300, 1e300) | st.text("ab: -#'\"\n"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab -:?", min_size=1), inner, max_size=3),
    max_leaves=8,
))  # fmt: skip
def test_yaml_reads_every_block_back(value):
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    assert yaml.safe_load("\n".join(card_yaml._block({"top": value}, 0))) == {"top": value}


@pytest.mark.parametrize(
    "text", ["no", "Yes", "NULL", "true", "on", "y", "1e5", "0x1f", "1.0", "-", "~", "a: b", "a #b", ""]
)
def test_yaml_mistakes_no_text_for_something_else(text):
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    assert yaml.safe_load(f"a: {card_yaml.quoted(text)}\n") == {"a": text}
    assert card_yaml.quoted("y") == '"y"'  # PyYAML reads y as a text, other readers as true
