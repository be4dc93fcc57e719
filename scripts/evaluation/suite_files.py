"""Reads a win-rate suite back from its two tables: instructions, and the reference's outputs to them."""

from dataclasses import dataclass
from pathlib import Path

from scripts.lib.errors import InputError
from scripts.lib.schemas import PROMPTS, RESPONSES
from scripts.lib.tables import read_table

ALPACA_EVAL = "tatsu-lab/alpaca_eval"
"""AlpacaEval's dataset on the hub."""


@dataclass(frozen=True)
class Instruction:
    """One instruction, the reference's output to it, and the generator of that output."""

    prompt_id: str
    text: str
    reference: str
    generator: str


def read_instructions(prompts: Path, reference: Path) -> list[Instruction]:
    """The suite's instructions in its own order. Raises InputError unless the two tables list the same prompts."""
    asked = read_table(prompts, PROMPTS)
    answered = read_table(reference, RESPONSES)
    if list(asked["prompt_id"]) != list(answered["prompt_id"]):
        raise InputError(reference, f"lists other prompts than {prompts}", "delete both and run snakemake again")
    rows = zip(asked["prompt_id"], asked["prompt"], answered["response"], answered["family"], strict=True)
    return [Instruction(each, prompt[-1]["content"], output, by) for each, prompt, output, by in rows]
