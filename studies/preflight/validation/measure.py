"""Detection and false-alarm rates of preflight on planted faults, over several seeds.

    python -m studies.preflight.validation.measure --policy results/policies/medium/policy.json --out <folder>

Makes levels.csv, the level of every finding on every dataset; and table.md, for docs/preflight_validation.md. An alarm
is a finding at ``warn`` or ``bad``. Thresholds stand in the modules of the findings.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.chat import Answer, Encoded
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.csv_files import write_csv
from scripts.lib.encoding import Encoder
from scripts.lib.ids import normalise, prompt_id, response_id
from scripts.lib.models import load_causal, load_tokenizer, read_policy
from scripts.lib.sampling import sampler_of
from scripts.lib.tables import write_text
from scripts.logprobs.compute import logprobs_of
from scripts.samples.sample import table_of
from studies.preflight.config import Config
from studies.preflight.finding import Finding
from studies.preflight.policy import measure as of_policy
from studies.preflight.policy import overlap
from studies.preflight.scorer import measure as of_scorer
from studies.preflight.text import measure as of_text
from studies.preflight.text.texts import Texts
from studies.preflight.validation.faults import FAULTS, SUITE, Data, asked, clean, planted

SEEDS = (101, 102, 103, 104, 105, 106)
CLEAN = "none"
SAMPLING = SamplingSpec(temperature=0.7, samples=8, max_new_tokens=48, precision="float32", batch_tokens=8192)
BATCH = 8192
COLUMNS = ["fault", "seed", "finding", "level", "value", "ci_low", "ci_high"]
ALARM = ("warn", "bad")


class Bench:
    """A policy with what it said so far: nothing is sampled or read twice."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.card = read_policy(path)
        self.tokenizer, self.model = load_tokenizer(self.card), load_causal(self.card, "float32")
        self.encoder, self.sampler = Encoder(self.tokenizer, self.card.rules), sampler_of(self.card, SAMPLING)
        self.samples: dict[str, pd.DataFrame] = {}
        self.logprobs: dict[str, tuple[float, int]] = {}

    def sampled(self, prompts: Sequence[str]) -> pd.DataFrame:
        """SAMPLES of the prompts."""
        new = [each for each in dict.fromkeys(prompts) if each not in self.samples]
        asked_for = [_messages(each) for each in new]
        drawn = self.sampler.sample(asked_for, [prompt_id(each) for each in asked_for], SAMPLING)
        for at, prompt in enumerate(new):
            of_prompt = drawn[at * SAMPLING.samples : (at + 1) * SAMPLING.samples]
            self.samples[prompt] = table_of(of_prompt, "own")
        return pd.concat([self.samples[each] for each in dict.fromkeys(prompts)], ignore_index=True)

    def read(self, responses: pd.DataFrame) -> dict[str, tuple[float, int]]:
        """Log-probs of responses (response_id, prompt, response, finished)."""
        new = responses[~responses["response_id"].isin(self.logprobs)].drop_duplicates("response_id")
        encoded = self.encode([*zip(new["prompt"], new["response"], new["finished"], strict=True)])
        values = logprobs_of(self.model, encoded, self.tokenizer.pad_token_id, BATCH)
        for key, each in zip(new["response_id"], values, strict=True):
            self.logprobs[key] = float(each.sum()), len(each)
        return self.logprobs

    def encode(self, texts: Sequence[tuple[str, str, bool]]) -> list[Encoded]:
        answers = [Answer(_messages(prompt), text, finished) for prompt, text, finished in texts]
        return [each.cut(self.card.max_length) for each in self.encoder.answers(answers, str)]


def _messages(prompt: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}]


def sides_of(data: Data) -> pd.DataFrame:
    """The pairs as studies/preflight/sides.py reads them, with scores, and the prompt's text."""
    rows = pd.DataFrame(data.pairs, columns=["prompt", "chosen_text", "rejected_text"])
    rows["prompt_id"] = [prompt_id(_messages(each)) for each in rows["prompt"]]
    for side in ("chosen", "rejected"):
        texts = rows[f"{side}_text"]
        rows[f"{side}_id"] = [response_id(*each) for each in zip(rows["prompt_id"], texts, strict=True)]
        rows[f"{side}_score"] = [data.score(*each) for each in zip(rows["prompt"], texts, strict=True)]
    return rows.assign(pair=range(len(rows)), source="world", chosen_family="", rejected_family="")


def texts_of(sides: pd.DataFrame) -> Texts:
    """The same for the text part."""
    prompts = list(dict.fromkeys(sides["prompt"]))
    places = {prompt: at for at, prompt in enumerate(prompts)}
    frame = sides[["prompt_id", "chosen_id", "rejected_id", "source"]].assign(
        prompt=sides["prompt"].map(places), chosen=sides["chosen_text"], rejected=sides["rejected_text"]
    )
    return Texts(frame.assign(chosen_author="", rejected_author=""), [_messages(each) for each in prompts])


def findings_on(data: Data, bench: Bench) -> list[Finding]:
    """All parts' findings on a dataset."""
    sides = sides_of(data)
    both = pd.concat(
        [
            sides[["prompt_id", "prompt", f"{side}_id", f"{side}_text", f"{side}_score"]].set_axis(
                ["prompt_id", "prompt", "response_id", "response", "score"], axis=1
            )
            for side in ("chosen", "rejected")
        ]
    ).assign(finished=True)
    prompts = sides["prompt"].tolist()
    suites = {SUITE: [_messages(each) for each in asked()]}
    text, _ = of_text.measures(texts_of(sides), Config(pairs="pairs"), bench.card.max_length, bench.path, suites)
    scored = both.drop_duplicates("response_id")[["prompt_id", "response_id", "score"]]
    scorer, _ = of_scorer.measured(sides, scored)

    samples = bench.sampled(prompts)
    text_of = dict(zip(sides["prompt_id"], prompts, strict=True))
    own = samples[samples["response"] != ""].assign(prompt=samples["prompt_id"].map(text_of))
    own_scores = [data.score(*each) for each in zip(own["prompt"], own["response"], strict=True)]
    scores = pd.concat([scored, own[["response_id"]].assign(score=own_scores)]).drop_duplicates("response_id")
    likelihoods = bench.read(pd.concat([both, own]))
    encoded = bench.encode([(p, normalise(text), True) for p, *pair in data.pairs for text in pair])
    pairs = [(encoded[at], encoded[at + 1]) for at in range(0, len(encoded), 2)]
    hidden = overlap.compared(bench.model, pairs, bench.tokenizer.pad_token_id, BATCH)
    alike = [
        {"pair": at, **overlap.of_tokens(pair), **dict(zip(overlap.OF_HIDDEN, value, strict=True))}
        for at, (pair, value) in enumerate(zip(pairs, hidden, strict=True))
    ]
    policy, _ = of_policy.measured(
        sides, likelihoods, pd.DataFrame(alike), samples, scores.set_index("response_id")["score"]
    )
    return [*text, *scorer, *policy]


def table(levels: pd.DataFrame) -> str:
    """Markdown: a row per dataset, a column per fault's findings, the share of seeds with an alarm, bold where planted.

    levels: COLUMNS. The last column lists other findings that raised an alarm, with their shares.
    """
    alarms = levels.assign(alarm=levels["level"].isin(ALARM)).pivot_table(
        index="fault", columns="finding", values="alarm", aggfunc="mean"
    )
    watched = {name for _, names in FAULTS.values() for name in names}
    seen_by = [name for _, names in FAULTS.values() for name in names]
    lines = ["| planted | " + " | ".join(f"`{each}`" for each in seen_by) + " | others |"]
    lines.append("|---" * (len(seen_by) + 2) + "|")
    for fault in (CLEAN, *FAULTS):
        row = alarms.loc[fault]
        own = FAULTS[fault][1] if fault in FAULTS else ()
        cells = [f"**{row[each]:.0%}**" if each in own else f"{row[each]:.0%}" for each in seen_by]
        others = [f"`{name}` {row[name]:.0%}" for name in row.index if name not in watched and row[name] > 0]
        lines.append(f"| {fault.replace('_', ' ')} | {' | '.join(cells)} | {', '.join(others)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = cli.parser_of("studies.preflight.validation.measure", __doc__)
    parser.add_argument("--policy", type=Path, required=True, help="policy.json of a base policy of the didactic world")
    parser.add_argument("--out", type=Path, required=True, help="folder of levels.csv and table.md")
    arguments = parser.parse_args()

    bench, rows = Bench(arguments.policy), []
    for seed in SEEDS:
        for fault in (CLEAN, *FAULTS):
            data = clean(seed) if fault == CLEAN else planted(fault, seed)
            for each in findings_on(data, bench):
                row = {"fault": fault, "seed": seed, "finding": each.name}
                rows.append(row | {name: getattr(each, name) for name in COLUMNS[3:]})
            write_csv(rows, COLUMNS, arguments.out / "levels.csv")
    write_text(table(pd.DataFrame(rows)), arguments.out / "table.md")


if __name__ == "__main__":
    cli.run(main)
