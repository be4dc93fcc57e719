"""Fits length control for a suite of the didactic world, once per judge.

AlpacaEval publishes, for its own instructions and judge, how hard each instruction is and how the judge rates the
reference's outputs made verbose or concise. The didactic world has no such files, so they are computed the same way:

- Writers of several competences, each in plain, verbose and concise style, are judged against the reference. The
  difficulty of an instruction is its coefficient in one logistic model of all these judgements, along with each
  writer's bias and length coefficient (the package's notebook ``instruction_difficulty``; its formula is
  ``C(writer) : tanh(length) + C(writer) + C(instruction) - 1``, the first instruction's difficulty being 0).
- The reference's own outputs, made verbose and concise, are judged against the unchanged ones.
"""

import random
import warnings
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from alpaca_eval.metrics.glm_winrate import fit_LogisticRegressionCV

from scripts.evaluation.control_files import DIFFICULTY, GAMED, gamed_rows
from scripts.evaluation.local_judges import LocalAnnotator, annotator_of, judged, quieten
from scripts.evaluation.suite_files import Instruction, read_instructions
from scripts.lib import cli
from scripts.lib.config.evaluation import WinRateSuite
from scripts.lib.config.scorers import ScorerSpec
from scripts.lib.errors import InputError
from scripts.lib.ids import seed_of
from scripts.lib.rewards import scorer_of
from scripts.lib.tables import write_text
from scripts.lib.world.generators import respond
from scripts.lib.world.language import take_apart
from scripts.lib.world.words import CLOSINGS, OPENINGS, RAMBLINGS

COMPETENCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def verbose(text: str) -> str:
    """The answer with the longest courtesies, and with ramblings before and after it."""
    rng = random.Random(seed_of("verbose", text))
    before, after = rng.sample(RAMBLINGS, 2)
    return " ".join([max(OPENINGS, key=len), before, concise(text), after, max(CLOSINGS, key=len)])


def concise(text: str) -> str:
    """The answer without courtesies."""
    return " ".join(take_apart(text).middle) or text


STYLES: dict[str, Callable[[str], str]] = {"plain": str, "verbose": verbose, "concise": concise}


def standardised_lengths(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """Differences of length in characters, first minus second, over their standard deviation, as in the package."""
    differences = np.array([len(one) - len(other) for one, other in zip(first, second, strict=True)], dtype=float)
    return differences / differences.std(ddof=1)


def difficulties(preferences: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Each instruction's effect on the log-odds of beating the reference: (instructions,), the first being 0.

    preferences: in [0, 1]. lengths: standardised differences of length. Both (writers, instructions).
    """
    writers, instructions = preferences.shape
    writer = np.eye(writers).repeat(instructions, axis=0)
    instruction = np.tile(np.eye(instructions)[:, 1:], (writers, 1))
    design = pd.DataFrame(np.hstack([writer * np.tanh(lengths).reshape(-1, 1), writer, instruction]))
    design.columns = [f"x{at}" for at in range(design.shape[1])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # raised by scikit-learn for the package's arguments
        fitted = fit_LogisticRegressionCV(design.assign(preference=preferences.ravel()), "preference")
    return np.concatenate([[0.0], fitted.coef_[0][2 * writers :]])


def write_control(instructions: Sequence[Instruction], annotator: LocalAnnotator, folder: Path) -> None:
    """Judge the writers and the rewritten references, fit the model, and write the two files into ``folder``."""
    references = [each.reference for each in instructions]
    written = {
        f"{competence:g} {style}": [
            STYLES[style](respond(each.text, competence, random.Random(seed_of("writer", competence, each.text))))
            for each in instructions
        ]
        for competence, style in product(COMPETENCES, STYLES)
    }
    gamed = {f"reference_{style}": [STYLES[style](text) for text in references] for style in ("verbose", "concise")}
    preferences = dict(
        zip(
            [*written, *gamed], _preferences(annotator, instructions, [*written.values(), *gamed.values()]), strict=True
        )
    )
    lengths = {name: standardised_lengths(references, outputs) for name, outputs in {**written, **gamed}.items()}
    difficulty = difficulties(*(np.stack([part[name] for name in written]) for part in (preferences, lengths)))
    table = pd.DataFrame({"index": range(len(difficulty)), "instruction_difficulty": difficulty})
    rows = gamed_rows({name: (preferences[name], lengths[name]) for name in gamed}, difficulty)
    write_text(rows.to_csv(index=False), folder / GAMED)
    write_text(table.to_csv(index=False), folder / DIFFICULTY)


def _preferences(
    annotator: LocalAnnotator, instructions: Sequence[Instruction], outputs: Sequence[Sequence[str]]
) -> np.ndarray:
    """Preferences in [0, 1], (writers, instructions), for each writer's outputs over the reference's."""
    rows = [
        (each.text, each.reference, output)
        for of_one in outputs
        for each, output in zip(instructions, of_one, strict=True)
    ]
    found = judged(annotator, rows)
    if None in found:
        text = rows[found.index(None)][0]
        raise InputError(f"instruction {text[:80]!r}", "the judge has no preference", "use another judge")
    return np.array(found).reshape(len(outputs), len(instructions)) - 1.0


def main() -> None:
    parser = cli.parser_of("scripts.evaluation.length_control", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(WinRateSuite), required=True, help="JSON of the suite")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--scorer", type=cli.spec_of(ScorerSpec), help="JSON of the scorer, where it judges")
    parser.add_argument("--model-dir", type=Path, help="its folder, where it was trained here")
    parser.add_argument("--out-dir", type=Path, required=True, help=f"{GAMED} and {DIFFICULTY} are written here")
    arguments = parser.parse_args()
    quieten()

    if arguments.spec.data != "world":
        raise InputError(
            "--spec", f"{arguments.spec.data} is not of the didactic world", "fit length control there only"
        )
    scorer = scorer_of(arguments.scorer, model_dir=arguments.model_dir) if arguments.scorer else None
    instructions = read_instructions(arguments.prompts, arguments.reference)
    write_control(instructions, annotator_of(arguments.spec.judge, scorer), arguments.out_dir)


if __name__ == "__main__":
    cli.run(main)
