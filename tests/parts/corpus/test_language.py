"""Languages: the library itself as oracle, real texts, and texts that say nothing."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.language import HEAD, SURE, detect, labels

KNOWN = {
    "en": "The wing was tested at several angles of attack in the wind tunnel.",
    "de": "Der Flügel wurde im Windkanal unter mehreren Winkeln geprüft.",
    "fr": "L'aile a été essayée sous plusieurs angles dans la soufflerie.",
    "es": "El ala se probó con varios ángulos en el túnel de viento.",
    "ru": "Крыло испытывали в аэродинамической трубе под разными углами.",
    "zh": "机翼在风洞中以不同的角度进行了测试。",
    "ja": "翼は風洞の中でいくつかの角度で試験された。",
    "ko": "날개는 풍동에서 여러 각도로 시험되었다.",
    "ar": "تم اختبار الجناح في نفق الرياح بزوايا مختلفة.",
    "th": "ปีกถูกทดสอบในอุโมงค์ลมด้วยมุมต่างๆ",
    "el": "Η πτέρυγα δοκιμάστηκε σε διάφορες γωνίες στην αεροσήραγγα.",
    "he": "הכנף נבדקה במנהרת הרוח בכמה זוויות.",
    "hi": "पंख का परीक्षण पवन सुरंग में कई कोणों पर किया गया।",
}


def test_known_languages():
    found = detect(list(KNOWN.values()))
    assert [code for code, _ in found] == list(KNOWN)
    assert all(SURE <= p <= 1 for _, p in found)


@pytest.mark.parametrize("text", ["", "  \n", "1 + 1 = 2", "@#$%", "a b c", "404", "x" * 5, "🙂🙂🙂🙂", "\0\0\0"])
def test_texts_that_say_nothing_are_undetermined(text):
    assert detect([text])[0][0] == "und"


def test_upper_case_is_read_as_lower_case():
    assert detect([KNOWN["en"].upper()])[0][0] == "en"


@given(st.lists(st.text(max_size=80), max_size=6))
def test_any_text_gets_an_answer_that_its_neighbours_do_not_change(texts):
    together = detect(texts, compiled=False)
    assert [code for code, _ in together] == [detect([text], compiled=False)[0][0] for text in texts]
    assert all((code == "und" or p >= SURE) and 0 <= p <= 1 + 1e-9 for code, p in together)


def test_kernel_equals_numpy():
    pytest.importorskip("numba")
    texts = [*KNOWN.values(), "und so weiter", "1", "", "a mixed текст of слова"] * 3
    first, second = detect(texts, compiled=True), detect(texts, compiled=False)
    assert [code for code, _ in first] == [code for code, _ in second]
    assert np.allclose([p for _, p in first], [p for _, p in second], atol=1e-4)


def test_answers_equal_the_library():
    langid = pytest.importorskip("py3langid.langid")
    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
    identifier.set_languages([name for name in identifier.labels if name in labels()])
    texts = [text for known in KNOWN.values() for text in (known, known[:25], known * 3)]
    for text, (code, p) in zip(texts, detect(texts, compiled=False), strict=True):
        if code != "und":
            expected, sure = identifier.classify(text[:HEAD].strip())
            assert code == expected
            assert p == pytest.approx(sure, abs=0.02)  # a few labels are left out or folded into one here


def test_declaration_of_human_rights(data):
    codes = {"eng": "en", "deu": "de", "fra": "fr", "ita": "it", "nld": "nl", "pol": "pl", "swe": "sv", "fin": "fi"}
    codes |= {"tur": "tr", "hun": "hu", "ell": "el", "rus": "ru", "ukr": "uk", "jpn": "ja", "kor": "ko", "vie": "vi"}
    texts, expected = [], []
    with gzip.open(data("udhr") / "udhr.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["lang"] in codes:
                pieces = [row["text"][at : at + 300] for at in range(0, 6000, 600)]
                texts += [piece for piece in pieces if len(piece) == 300]
                expected += [codes[row["lang"]]] * sum(len(piece) == 300 for piece in pieces)
    assert len(texts) >= 80
    right = sum(code == wanted for (code, _), wanted in zip(detect(texts), expected, strict=True))
    assert right / len(texts) > 0.97


def test_english_passages_are_hardly_ever_called_foreign(data):
    """A wrong language would switch an English model off for the passage: at most 1 in 500."""
    with gzip.open(data("wiki-passages") / "passages.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    found = [code for code, _ in detect(texts)]
    assert sum(code not in ("en", "und") for code in found) / len(found) < 0.005
    assert found.count("en") / len(found) > 0.93


def test_a_bulk_run_is_fast():
    import time

    texts = [f"{text} {i}" for i in range(500) for text in KNOWN.values()]
    detect(texts[:1500])
    start = time.process_time()
    detect(texts)
    assert time.process_time() - start < 1.0
