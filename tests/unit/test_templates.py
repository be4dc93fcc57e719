"""Nothing but the conversation decides a template's text: no date, no chance, no locale."""

import datetime
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.config.policies import GivenPolicy
from scripts.lib.errors import InputError
from scripts.lib.models import load_tokenizer, read_policy, write_policy
from scripts.lib.templates import in_english, settled
from scripts.training.given import card_of

PLAIN = "{% for m in messages %}<user>{{ m.content }}{{ eos_token }}{% endfor %}"
DATED = "Today is {{ strftime_now('%d %b %Y') }}." + PLAIN
ASKING = '{%- if strftime_now is defined %}{% set d = strftime_now("%Y-%m-%d") %}{% endif %}{{ d }}' + PLAIN


@pytest.fixture
def dated(tiny_policy, tmp_path):
    """A policy's folder whose template writes the date, and a function that gives its card."""

    def card(template=DATED, **more):
        (tmp_path / "dated.jinja").write_text(template)
        spec = {"model": str(tiny_policy), "max_length": 64, "chat_template": str(tmp_path / "dated.jinja")}
        return card_of("dated", GivenPolicy(kind="given", **spec | more))

    return card


def test_a_template_that_writes_the_date_needs_one(dated):
    with pytest.raises(InputError, match=r"writes today's date[\s\S]*template_date"):
        dated()


@pytest.mark.parametrize(("template", "written"), [(DATED, "Today is 26 Jul 2024."), (ASKING, "2024-07-26")])
def test_the_date_is_the_configurations_in_the_card_and_in_every_step(dated, tmp_path, template, written):
    write_policy(dated(template, template_date="2024-07-26"), tmp_path / "policy.json")
    card = read_policy(tmp_path / "policy.json")
    assert "26" in card.chat_template
    text = load_tokenizer(card).apply_chat_template([{"role": "user", "content": "a"}], tokenize=False)
    assert text == written + "<user>a<eos>"


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{{ lipsum() }}" + PLAIN, "at random"),
        ("{{ ['a', 'b'] | random }}" + PLAIN, "at random"),
        ("{% set form = '%Y' %}{{ strftime_now(form) }}" + PLAIN, "something other than a plain format"),
        ("{% if %}" + PLAIN, "no Jinja"),
    ],
)
def test_what_cannot_be_settled_is_refused(template, problem):
    with pytest.raises(InputError, match=problem):
        settled(template, "2024-07-26", "here")


def test_a_template_without_a_date_is_left_as_it_is():
    marked = PLAIN.replace("{{ m.content }}", "{% generation %}{{ m.content }}{% endgeneration %}")
    assert settled(marked, None, "here") == marked
    assert settled(PLAIN, "2024-07-26", "here") == PLAIN


@given(st.dates(datetime.date(1900, 1, 1)), st.lists(st.sampled_from("AaBbdmYyj"), min_size=1))
def test_dates_are_those_of_the_c_locale(date, codes):
    form = " ".join(f"%{code}" for code in codes)
    assert in_english(date, form) == date.strftime(form)


def test_dates_are_english_whatever_the_locale():
    class Foreign(datetime.date):
        def strftime(self, form: str) -> str:
            return super().strftime(re.sub("%[AaBb]", "dieser", form))

    assert in_english(Foreign(2024, 5, 1), "%A %d %B %Y, %a %b") == "Wednesday 01 May 2024, Wed May"


@pytest.mark.parametrize("day", ["2024-13-01", "today", "20240726"])
def test_a_date_is_a_day(day):
    with pytest.raises(ValueError, match="template_date"):
        GivenPolicy(kind="given", model="m", template_date=day)


def test_yaml_reads_a_day_as_a_date():
    spec = GivenPolicy(kind="given", model="m", template_date=datetime.date(2024, 7, 26))
    assert json.loads(spec.model_dump_json())["template_date"] == "2024-07-26"
