"""Words: hand-made cases in many scripts, spans, and properties over any Unicode text."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.text.hashing import WIDTH, hash_term
from isogloss.text.stemming import SNOWBALL, stemmer
from isogloss.text.stopwords import STOP_WORD_LANGUAGES, stop_words
from isogloss.text.words import WordRules, words

# letters, marks, joiners and signs of many scripts, close together, besides Hypothesis' own choice of any text
MIXED = st.text(
    st.one_of(
        st.sampled_from(
            "aAbzZ09_ .'-\n\u00ad\u200d\u0301\u0308éßøİıΣς½ﬁ’ﷺ漢字カﾞかが水ㇰ㎏㈱"
            "한글한ไทยน้ำກຂមᆨကိုкйЁहिन्दी٣३𝟛\ud800\U0001f600"
        ),
        st.characters(),
    ),
    max_size=40,
)


def terms(text: str, **options: object) -> list[str]:
    return [word for word, _, _ in words(text, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The QUICK brown_fox's 3.14", ["the", "quick", "brown", "fox", "s", "3", "14"]),
        ("naïve Café ﬁne ＡＢＣ", ["naive", "cafe", "fine", "abc"]),
        ("Straße STRASSE Łódź smørrebrød", ["strasse", "strasse", "lodz", "smorrebrod"]),
        ("İstanbul ISTANBUL ıstanbul", ["istanbul", "istanbul", "istanbul"]),
        ("ΌΣΟΣ όσος", ["οσοσ", "οσοσ"]),
        ("Ёлка мой мои її", ["елка", "мой", "мои", "її"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("كَتَبَ كتب أحمد احمد ٣", ["كتب", "كتب", "احمد", "احمد", "3"]),
        ("שָׁלוֹם", ["שלום"]),
        ("co\u00adoperate", ["cooperate"]),
        ("½ ² Ⅷ", ["1", "2", "2", "viii"]),
        ("☃ … — \U0001f600", []),
    ],
)
def test_spaced_scripts(text, expected):
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我愛你", ["我愛", "愛你"]),
        ("水", ["水"]),
        ("我，你", ["我", "你"]),
        ("東京は2024年", ["東京", "京は", "2024", "年"]),
        ("コンピュ", ["コン", "ンピ", "ピュ"]),
        ("ｶﾞｷﾞ", ["ガギ"]),
        ("か\u3099き", ["がき"]),
        ("\uf900\uf901", ["豈更"]),
        ("iPhone手机壳", ["iphone", "手机", "机壳"]),
        ("5㎏です", ["5", "kg", "です"]),
        ("한국어 책", ["한국", "국어", "책"]),
        ("ไทย", ["ไท", "ทย"]),
        ("น้ำ ๒๕๖๗", ["น้\u0e33", "2567"]),
        ("ພາສາ", ["ພາ", "າສ", "ສາ"]),
        ("ភាសា", ["ភាសា"]),
        ("မြန်မာ", ["မြန်", "န်မာ"]),
    ],
)
def test_unspaced_scripts_give_pairs_of_characters(text, expected):
    assert terms(text) == expected


def test_accents_can_be_kept():
    assert terms("má ma", fold_accents=False) == ["má", "ma"]
    assert terms("má ma") == ["ma", "ma"]


def test_spans_are_those_of_the_text():
    text = "Gare de l’Évêché: 大熊猫, ㎏"
    assert [(text[a:b], word) for word, a, b in words(text)] == [
        ("Gare", "gare"),
        ("de", "de"),
        ("l", "l"),
        ("Évêché", "eveche"),
        ("大熊", "大熊"),
        ("熊猫", "熊猫"),
        ("㎏", "kg"),
    ]


def test_stemming_and_stop_words():
    assert terms("The connections were connected", language="en") == ["the", "connect", "were", "connect"]
    assert terms("The connections were connected", language="en", stop_words=True) == ["connect", "connect"]
    assert terms("Les éléphants étaient là", language="fr", stop_words=True) == ["eleph"]
    assert terms("don't, DON’T", language="en", stop_words=True) == []
    assert terms("die Häuser", language="de") == ["die", "haus"]
    assert terms("東京の", language="ja") == ["東京", "京の"]


def test_every_language_stems_and_every_list_is_in_normal_form():
    for language in SNOWBALL:
        assert stemmer(language)(["abc"])[0]
    for language in STOP_WORD_LANGUAGES:
        for word in stop_words(language):
            assert re.fullmatch(r"[^\W\d_]+", word), word
            assert terms(word, language=language, stop_words=True) == []
        assert 60 < len(stop_words(language)) < 220


def test_unknown_languages_are_named_errors():
    with pytest.raises(UsageError, match="'xx'"):
        words("a", language="xx")
    with pytest.raises(UsageError, match="lists exist for"):
        words("a", language="fi", stop_words=True)
    with pytest.raises(UsageError, match="no language is named"):
        words("a", stop_words=True)


@given(st.one_of(MIXED, st.text()))
def test_any_text_has_words_with_spans_inside_it_in_order(text):
    found = words(text)
    assert all(0 <= start < end <= len(text) and word for word, start, end in found)
    assert [start for _, start, _ in found] == sorted(start for _, start, _ in found)
    for word, start, end in found:
        assert word in terms(text[start:end])


@given(st.one_of(MIXED, st.text()))
def test_hashes_are_those_of_the_words(text):
    for rules in (WordRules(), WordRules(language="en", stop_words=True), WordRules(fold_accents=False)):
        expected = [hash_term(word) for word, _, _ in rules.words(text)]
        assert rules.hashes(text) == expected == rules.hashes(text)
        assert all(0 <= value < WIDTH for value in expected)


@given(st.one_of(MIXED, st.text(st.characters(exclude_categories=["Cs"]))))
def test_equivalent_texts_have_equal_words(text):
    composed, decomposed = (terms(unicodedata.normalize(form, text)) for form in ("NFC", "NFD"))
    assert composed == decomposed


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_words_are_runs_of_lower_cased_letters_and_digits(text):
    assert terms(text) == re.findall("[a-z0-9]+", text.lower())


@given(st.one_of(MIXED, st.text()))
def test_words_are_in_normal_form(text):
    for word in terms(text):
        assert terms(word) == [word]
