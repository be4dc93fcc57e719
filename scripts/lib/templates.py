"""Chat templates: conversations as text, which nothing but the conversation decides.

A template is a program: it can write today's date, or a random word. Such a template would make two days' log-probs of
one response differ, so its date is fixed by the configuration, and what is random is refused.
"""

import datetime
import re
from pathlib import Path

from jinja2 import Environment, TemplateError, nodes
from transformers import PreTrainedTokenizerFast

from scripts.lib.errors import InputError
from scripts.lib.ids import Messages

TODAY = "strftime_now"
"""The function by which a template writes the date."""

GENERATION = re.compile(r"\{%-?\s*(end)?generation\s*-?%\}")
"""Tags of transformers' own, without effect on the text."""


class Refused(InputError):
    """A conversation that cannot be encoded as the chat template writes it.

    reason: a word for counts. ``at`` gives the error for a row of a table.
    """

    def __init__(self, where: str, reason: str, problem: str, remedy: str) -> None:
        super().__init__(where, problem, remedy)
        self.reason, self.remedy = reason, remedy

    def at(self, row: str, setting: str) -> InputError:
        """The error that names the row, and the setting that would drop it."""
        return InputError(row, self.told, f"{self.remedy}; or {setting}")


def settled(template: str, date: str | None, where: str) -> str:
    """The template with ``date`` (such as 2024-07-26) written out wherever it would write today's.

    Raises InputError if there is no date for one that needs it, or if the template depends on anything else besides
    the conversation.
    """
    try:
        tree = _parsed(template)
    except TemplateError as error:
        raise InputError(where, f"its chat template is no Jinja ({error})", "give one that is") from error
    chance = {each.name for each in tree.find_all(nodes.Name)} & {"lipsum"}
    chance |= {each.name for each in tree.find_all(nodes.Filter)} & {"random"}
    if chance:
        raise InputError(
            where, f"its chat template draws at random ({', '.join(chance)})", "give a chat_template that does not"
        )
    if not _asks_for_today(tree):
        return template
    if date is None:
        raise InputError(
            where,
            f"its chat template writes today's date ({TODAY}): tomorrow's log-probs would be others",
            "name a date in template_date, such as 2024-07-26, or give a chat_template without a date",
        )
    call = re.compile(TODAY + r"""\(\s*(['"])(.*?)\1\s*\)""")
    fixed = call.sub(lambda found: repr(in_english(datetime.date.fromisoformat(date), found[2])), template)
    if _asks_for_today(_parsed(fixed)):
        raise InputError(
            where,
            f"its chat template calls {TODAY} with something other than a plain format",
            "give a chat_template in which the date is written out",
        )
    return fixed


def own_template(tokenizer: PreTrainedTokenizerFast) -> str | None:
    """A tokenizer's chat template; of several, the one called default."""
    template = tokenizer.chat_template
    return template.get("default") if isinstance(template, dict) else template


def in_english(date: datetime.date, form: str) -> str:
    """``strftime`` whatever the machine's locale."""
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    months = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
    day, month = days[date.weekday()], (*months, "November", "December")[date.month - 1]
    for code, name in (("%A", day), ("%a", day[:3]), ("%B", month), ("%b", month[:3])):
        form = form.replace(code, name)
    return date.strftime(form)


def _parsed(template: str) -> nodes.Template:
    environment = Environment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    return environment.parse(GENERATION.sub("", template))


def _asks_for_today(tree: nodes.Template) -> bool:
    """Whether the date's function is used, other than to ask whether there is one."""
    asked = [each.node for each in tree.find_all(nodes.Test) if each.name in ("defined", "undefined")]
    return any(each.name == TODAY and all(each is not other for other in asked) for each in tree.find_all(nodes.Name))


def template_of(path: str | None) -> str | None:
    """The text of a chat template file."""
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, f"no readable chat template ({error})", "name a Jinja file in UTF-8") from error


def render(tokenizer: PreTrainedTokenizerFast, messages: Messages, generation_prompt: bool = False) -> str:
    """The conversation as the template writes it. Raises Refused if the template refuses it."""
    try:
        return tokenizer.apply_chat_template(messages, add_generation_prompt=generation_prompt, tokenize=False)
    except (TemplateError, TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise Refused(
            template_in(tokenizer),
            "refused_by_template",
            f"refuses messages of the roles {', '.join(turn['role'] for turn in messages)} ({error})",
            "give a chat_template that takes them",
        ) from error


def template_in(tokenizer: PreTrainedTokenizerFast) -> str:
    """How errors name a tokenizer's template."""
    return f"chat template of {tokenizer.name_or_path}"
