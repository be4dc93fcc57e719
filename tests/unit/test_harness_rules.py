"""Grouping of suites into processes: everything wanted, once, and nothing again."""

import re

from hypothesis import given
from hypothesis import strategies as st

from scripts.workflow import harness

SUITES = ("gsm8k", "mmlu", "ifeval", "truthfulqa", "mine")
ANY = r"[A-Za-z0-9][A-Za-z0-9_.-]*"


def history(parts: dict[tuple[str, str], tuple[str, ...]]):
    return lambda policy, suite: parts.get((policy, suite), ())


def never(policy: str, suite: str) -> tuple[str, ...]:
    return ()


@st.composite
def cases(draw):
    """Policies with the suites wanted for them, and the groups in which some were evaluated before."""
    policies = draw(st.lists(st.sampled_from("abcd"), min_size=1, unique=True))
    wanted = {each: draw(st.lists(st.sampled_from(SUITES), min_size=1, unique=True)) for each in policies}
    asked = {}
    for policy in policies:
        rest = draw(st.permutations(SUITES))
        for cut in (rest[:2], rest[2:4]):
            if draw(st.booleans()):
                asked |= {(policy, suite): tuple(cut) for suite in cut}
    return wanted, asked


@given(cases())
def test_every_wanted_suite_is_asked_in_one_process_and_what_was_asked_stays_as_it_was(case) -> None:
    wanted, asked = case
    parts = harness.together(wanted, history(asked))
    for policy, suites in wanted.items():
        own = [part for part, policies in parts.items() if policy in policies]
        assert sorted(suite for part in own for suite in part) == sorted({s for part in own for s in part})
        assert set(suites) <= {suite for part in own for suite in part}
        new = [suite for suite in suites if (policy, suite) not in asked]
        assert not new or tuple(new) in own
        for suite in set(suites) - set(new):
            assert asked[policy, suite] in own


@given(cases())
def test_the_rules_give_every_policy_its_own_processes(case) -> None:
    wanted, asked = case
    parts = harness.together(wanted, history(asked))
    rules = harness.rules(parts, ANY)
    assert rules[0].name == "harness" and len({rule.name for rule in rules}) == len(rules) == len(parts)
    for policy in wanted:
        matching = [r.suites for r in rules if re.fullmatch(f"evaluations/({r.policies})/x", f"evaluations/{policy}/x")]
        assert sorted(matching) == sorted(part for part, policies in parts.items() if policy in policies)
    strangers = [r for r in rules if re.fullmatch(f"evaluations/({r.policies})/x", "evaluations/zephyr.a.dpo.s0/x")]
    assert [each.name for each in strangers] == ["harness"]


def test_a_first_run_asks_each_policy_in_one_process() -> None:
    parts = harness.together({"a": SUITES[:4], "b": SUITES[:4], "c": ["mine"]}, never)
    assert parts == {SUITES[:4]: ["a", "b"], ("mine",): ["c"]}


def test_one_more_suite_asks_that_suite_alone() -> None:
    before = history({("a", suite): SUITES[:4] for suite in SUITES[:4]})
    assert harness.together({"a": SUITES, "b": SUITES}, before) == {SUITES[:4]: ["a"], ("mine",): ["a"], SUITES: ["b"]}
