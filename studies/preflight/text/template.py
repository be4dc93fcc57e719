"""Damage by chat templates: control tokens and role markers in the text, a BOS that would come twice, lost turns."""

import re

import numpy as np

from studies.preflight.finding import Finding
from studies.preflight.shares import Limits, Share, worst_first
from studies.preflight.text.lengths import Lengths
from studies.preflight.text.texts import SIDES, Measured, Texts

CONTROL = re.compile(
    r"<\|[A-Za-z0-9_]{2,40}\|>|<｜[^｜<>]{2,40}｜>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
    r"|<(?:bos|eos|pad|unk)>|<\|?im_(?:start|end)\|?>|\[(?:BOS|EOS|PAD)\]"
)
"""Control tokens as published templates spell them."""
BOS = re.compile(r"\s*(?:<s>|<bos>|\[BOS\]|<\|(?:begin_of_text|startoftext|endoftext)\|>|<｜begin▁of▁sentence｜>)")
ROLE = re.compile(
    r"(?:^|\n)[ \t]*(?:#{2,3} ?(?:Human|User|Assistant|Instruction|Response|System)(?::|[ \t]*(?:\n|$))"
    r"|(?:Human|User|Assistant|HUMAN|USER|ASSISTANT):)"
)
"""A line that opens a turn; “### Instructions:” of a recipe and “## System requirements” are headings."""
LIMITS = Limits(note=0.0, warn=0.005, bad=0.05)
EVIDENCE = (
    "A control token in the text ends or opens turns where none ends; a second BOS moves every log-probability "
    "(docs/bad_input.md has what the policies here refuse)."
)


def measure(texts: Texts, lengths: Lengths) -> Measured:
    """Columns: control_tokens, role_markers. A prompt is looked at in all its turns, a response as a whole."""
    prompts = ["\n".join(turn["content"] for turn in prompt) for prompt in texts.prompts]
    control = _anywhere(texts, [bool(CONTROL.search(text)) for text in prompts], CONTROL)
    role = _anywhere(texts, [False] * len(prompts), ROLE)
    begins = [any(BOS.match(turn["content"]) for turn in prompt[:1]) for prompt in texts.prompts]
    bos = _anywhere(texts, begins, BOS, at_start=True)
    findings = [
        _finding(
            "control_tokens",
            "Are control tokens of chat templates in the text?",
            "have one in their prompt or in a response",
            control,
            "Strip the template: give plain messages, the policy's own template is applied here.",
        ),
        _finding(
            "role_markers",
            "Do responses play both roles?",
            "have a response in which a line opens a turn (“Human:”, “### Response:”)",
            role,
            "Cut the response where the next turn begins, and strip its own role.",
        ),
        _finding(
            "double_bos",
            "Would a beginning-of-sequence token come twice?",
            "have a prompt or response that begins with one, to which the tokenizer adds its own",
            bos,
            "Strip it from the text.",
        ),
    ]
    if lengths.refused.any():
        findings.append(
            _finding(
                "refused_by_template",
                "Does the policy's chat template take all pairs?",
                "are refused by it",
                lengths.refused,
                "See which turns it does not know; refused: drop in the policy leaves them out of training.",
            )
        )
    return Measured(findings, {"control_tokens": control, "role_markers": role})


def _anywhere(texts: Texts, in_prompt: list[bool], pattern: re.Pattern, at_start: bool = False) -> np.ndarray:
    found = np.array(in_prompt, bool)[texts.pairs["prompt"]]
    look = pattern.match if at_start else pattern.search
    for side in SIDES:
        found |= np.array([look(text) is not None for text in texts.pairs[side]], bool)
    return found


def _finding(name: str, question: str, what: str, found: np.ndarray, remedy: str) -> Finding:
    share = Share(int(found.sum()), len(found))
    return Finding(
        name,
        "text",
        question,
        f"{share.told('pairs')} {what}.",
        **share.numbers(),
        level=LIMITS.level(share.interval[0]) if share.hits else "good",
        evidence=EVIDENCE,
        remedy=remedy if share.hits else "",
        pairs=worst_first(np.flatnonzero(found)),
    )
