"""The report in a real browser: from a file, quiet, alone, readable on a telephone and in the dark."""

from __future__ import annotations

import pytest

from isogloss.evaluation.report import html

BACKGROUND = "getComputedStyle(document.body).backgroundColor"
OVERFLOW = """() => {
  const wide = document.documentElement.clientWidth;
  const inside = element => element.closest('.scroll') || element.closest('pre') || element.closest('svg');
  return [...document.querySelectorAll('body *')]
    .filter(e => !inside(e) && e.getBoundingClientRect().right > wide + 1).map(e => e.outerHTML.slice(0, 80));
}"""
CUT = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  return frame.width === 0 ? [] : [...svg.querySelectorAll('text')].filter(text => {
    const box = text.getBoundingClientRect();
    return box.width > 0 && (box.left < frame.left - 2 || box.right > frame.right + 2 || box.bottom > frame.bottom + 2);
  }).map(text => text.textContent);
})"""


@pytest.fixture
def open_page(chromium, tmp_path):
    """Open a report as a user does, and keep what the page said and asked for."""
    contexts = []

    def call(report, width=1400, scheme="light"):
        path = tmp_path / "report.html"
        path.write_text(html.render(report), encoding="utf-8")
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("dialog", lambda dialog: (page.said.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        page.own = path.as_uri()
        return page

    yield call
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("name", ["ordinary", "hostile"])
def test_a_page_is_quiet_alone_and_fits(open_page, request, name, width):
    page = open_page(request.getfixturevalue(name), width)
    assert page.said == []
    assert [url for url in page.asked if url != page.own and not url.startswith("data:")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OVERFLOW) == []


@pytest.mark.parametrize("width", [400, 1400])
def test_every_plot_is_drawn_once_and_whole(open_page, ordinary, width):
    page = open_page(ordinary, width)
    sizes = page.evaluate(
        "[...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect()).filter(b => b.width > 0)"
        ".map(b => [b.width, b.height])"
    )
    # scores and differences of two metrics, three costs, duels, two reliability plots
    assert len(sizes) == 10
    assert all(w > 200 and h > 60 for w, h in sizes)
    assert page.evaluate(CUT) == []
    assert page.locator("svg .point").count() >= 2 * (4 + 3) * 2


def test_names_stand_at_their_points(open_page, ordinary):
    page = open_page(ordinary)
    names = page.evaluate("[...document.querySelectorAll('figure.third text.small')].map(t => t.textContent)")
    assert len(names) == 3 * 4  # every system is named in every plot of costs


def test_the_dark_page_is_dark_and_the_light_one_light(open_page, ordinary):
    assert open_page(ordinary, scheme="light").evaluate(BACKGROUND) == "rgb(255, 255, 255)"
    dark = open_page(ordinary, scheme="dark")
    assert dark.evaluate(BACKGROUND) == "rgb(20, 23, 27)"
    text = dark.evaluate("getComputedStyle(document.querySelector('svg text.name')).fill")
    assert text == "rgb(231, 234, 238)"


def test_those_who_do_not_see_get_names_and_tables(open_page, ordinary):
    page = open_page(ordinary)
    unnamed = "[...document.querySelectorAll('svg')].filter(s => !s.getAttribute('aria-label')).length"
    assert page.evaluate(unnamed) == 0
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("rowheader", name="rrf(words,minilm)").count() >= 1
    assert page.evaluate("document.documentElement.lang") == "en"


def test_the_browser_refuses_a_script_even_if_one_came_in(open_page, ordinary):
    page = open_page(ordinary)
    page.evaluate(
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)"
    )
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in text for text in page.said)
