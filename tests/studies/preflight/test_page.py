"""The page: everything escaped, every bar's pairs at hand, small whatever the size of the data; and its parts."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.report.section import read_section
from studies.preflight.distributions import BEHIND, VALUES, distribution, filters, groups
from studies.preflight.finding import EXAMPLES, Finding, read_findings, worst, write_findings
from studies.preflight.page import drawn, render, wanted
from studies.preflight.recommendation import Recommendation, read_recommendations, write_recommendations
from studies.preflight.rows import joined, to_drop
from studies.preflight.section import render as render_section
from studies.preflight.verdict import summary, verdict

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


class Tags(HTMLParser):
    """The elements of a page, and the handlers in their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.handlers, self.scripts = [], [], 0

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.scripts += tag == "script"
        self.handlers += [name for name, _ in attributes if name.startswith("on")]


def rows_of(n, sources=("mine",), text=""):
    draw = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "pair": range(n),
            "prompt_id": [f"p{at // 2}" for at in range(n)],
            "chosen_id": "c",
            "rejected_id": "r",
            "source": draw.choice(sources, size=n),
            "gap": draw.normal(size=n),
            "match": [text] * n,
            "drop": [["a reason"] if at % 5 == 0 else [] for at in range(n)],
        }
    )


def page_of(rows, findings, text="plain", advice=()):
    shown = {at: {"place": text, "prompt": text, "chosen": text, "rejected": text} for at in wanted(findings, rows)}
    return render(f"data {text}", f"lead {text}", findings, advice, rows, shown)


def finding(**more):
    return Finding(**({"name": "a_question", "part": "text", "question": "What ?", "sentence": "This."} | more))


def test_nothing_of_the_data_is_markup():
    rows = rows_of(30, sources=(EVIL, "mine"), text=EVIL)
    findings = [
        finding(sentence=EVIL, question=f"{EVIL}?", pairs=range(5), column="gap", beside="match", level="bad"),
        finding(name="fine", sentence=EVIL, remedy=EVIL, evidence=EVIL, places=[EVIL], pairs=[3]),
    ]
    advice = [Recommendation(EVIL, "advice", EVIL, EVIL, configuration=EVIL, unknown=EVIL, table=[{EVIL: EVIL}])]
    page = page_of(rows, findings, EVIL, advice)
    tags = Tags()
    tags.feed(page)
    assert tags.scripts == 2  # the data and the page's own
    assert "img" not in tags.tags
    assert not tags.handlers
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert json.loads(data)["texts"]["0"]["chosen"] == EVIL


def test_every_bar_has_its_pairs_and_every_finding_its_examples():
    rows = rows_of(400, sources=("one", "two"))
    findings = [finding(column="gap", pairs=range(7, 30))]
    distributions, data = drawn(findings, rows)
    of = distributions["a_question"]
    assert of.counts.sum() == 400
    assert data["filters"] == {"source": rows["source"].value_counts().index.tolist()}
    for bar, pairs in enumerate(of.pairs):
        assert len(pairs) == min(BEHIND, of.counts[:, bar].sum())
    page = page_of(rows, findings)
    assert page.count('<button type="button"') == len(of.labels)
    assert page.count('<article class="pair">') == EXAMPLES


def test_the_page_of_many_pairs_is_small():
    text = "word " * 180
    findings = [finding(name=f"f{n}", column="gap", pairs=range(10)) for n in range(12)]
    assert len(page_of(rows_of(20_000), findings, text)) < 3_000_000


@given(
    st.lists(st.one_of(st.integers(-40_000, 40_000).map(lambda n: n / 4), st.none()), min_size=1, max_size=60).filter(
        lambda values: any(value is not None for value in values)
    ),
    st.integers(1, 3),
)
def test_a_distribution_counts_every_known_value_once_in_its_group(values, of):
    rows = pd.DataFrame({"x": pd.Series(values, dtype=float)})
    group = np.arange(len(values)) % of
    found = distribution(rows, "x", group)
    known = rows["x"].notna().to_numpy()
    assert found.counts.sum(axis=1).tolist() == np.bincount(group[known], minlength=group.max() + 1).tolist()
    assert len(found.labels) == found.counts.shape[1] == len(found.pairs)
    assert len(set(found.labels)) == len(found.labels)
    for bar, pairs in enumerate(found.pairs):
        assert len(pairs) == min(BEHIND, found.counts[:, bar].sum())


def test_distributions_of_truths_and_words():
    rows = pd.DataFrame({"yes": [True, False, True], "word": ["b", "a", "b"], "none": [None, None, None]})
    group = np.zeros(3, np.int64)
    truths, words = distribution(rows, "yes", group), distribution(rows, "word", group)
    assert (truths.labels, truths.counts.tolist()) == (["no", "yes"], [[1, 2]])
    assert (words.labels, words.counts.tolist()) == (["b", "a"], [[2, 1]])
    assert distribution(rows, "none", group) is None


def test_filters_join_what_is_rare():
    rows = pd.DataFrame({"source": [f"s{n}" for n in range(20) for _ in range(20 - n)], "chosen_tier": "best"})
    found = filters(rows)
    assert list(found) == ["source"]
    assert len(found["source"]) == VALUES
    codes, known = groups(rows, list(found))
    assert [each["source"] for each in known] == list(dict.fromkeys(known[code]["source"] for code in codes))
    assert groups(rows, [])[1] == [{}]


def test_findings_and_recommendations_are_read_as_they_were_written(tmp_path):
    found = [finding(value=0.1, ci_low=0.0, ci_high=0.2, unit="share", n=3, level="warn", pairs=np.arange(20))]
    write_findings(found, tmp_path / "text.json")
    assert read_findings(tmp_path / "text.json") == found
    assert found[0].pairs == tuple(range(EXAMPLES))
    advice = [Recommendation("a", "what_if", "b?", "c", table=[{"k": 1}])]
    write_recommendations(advice, tmp_path / "advice.json")
    assert read_recommendations(tmp_path / "advice.json") == advice
    (tmp_path / "broken.json").write_text('[{"name": "a"}]')
    for read in (read_findings, read_recommendations):
        with pytest.raises(InputError, match=r"broken\.json"):
            read(tmp_path / "broken.json")
    with pytest.raises(ValueError, match="a_question"):
        write_findings(found * 2, tmp_path / "twice.json")
    with pytest.raises(ValueError, match="level"):
        finding(level="terrible")


def test_the_verdict_names_what_is_worst():
    grave = [finding(name=f"fault_{n}", level="bad") for n in range(5)]
    found = [*grave, finding(name="a_loss", level="warn"), finding(name="nothing")]
    assert worst(found) == "bad"
    assert verdict(found) == (
        "Do not train on this yet: fault 0, fault 1, fault 2 and 2 more. Look into a loss. "
        "Of 7 questions, 0 more are worth knowing and 1 are fine."
    )
    assert verdict([finding()]).startswith("Nothing stands against training on this.")


def test_parts_are_joined_by_pair():
    pairs = pd.DataFrame({"prompt_id": ["p", "q"], "chosen_id": ["a", "b"], "rejected_id": ["c", "d"]})
    text = pd.DataFrame({"pair": [0, 1], "size": [3, 4], "drop": [["too long"], []]})
    scorer = pd.DataFrame({"pair": [0, 1], "gap": [0.5, 0.1], "drop": [["no gap"], []]})
    rows = joined(pairs, [text, scorer])
    assert rows[["pair", "size", "gap"]].to_numpy().tolist() == [[0, 3, 0.5], [1, 4, 0.1]]
    assert to_drop(rows).to_numpy().tolist() == [["p", "a", "c", "too long; no gap"]]
    with pytest.raises(InputError, match="size"):
        joined(pairs, [text, text])
    with pytest.raises(InputError, match="other rows"):
        joined(pairs, [text.iloc[:1]])


def test_the_section_is_one_that_the_report_takes(tmp_path):
    found = summary("mine", 10, 9, [finding(level="bad", sentence=EVIL)], [], {"pairs": 2, "reasons": {"a": 2}})
    (tmp_path / "preflight.html").write_text(render_section("preflight", found))
    section = read_section(tmp_path / "preflight.html")
    assert section.links[0][0] == "preflight.findings"
    assert "<img" not in section.body
    assert 'href="preflight.html"' in section.body
