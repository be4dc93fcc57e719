"""What becomes of every architecture that transformers makes tiny: packed, padded or refused, and how exactly.

    python -m tests.contract.sweep docs/models.md

writes the table. Each model reads, scores, samples and trains through the code of the steps, and is compared with
transformers' own forward pass of one sequence at a time, which knows neither padding nor packing.
"""

import logging
import math
import random
import re
import sys
import textwrap
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from inspect import signature
from pathlib import Path

import torch
import transformers
from torch import Tensor
from transformers import PreTrainedModel

from scripts.lib.capability import reason_against
from scripts.lib.chat import Encoded
from scripts.lib.classifiers import Classifier
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.config.training import Hyperparameters
from scripts.lib.errors import InputError
from scripts.lib.sampling import TransformersSampler
from scripts.lib.scratch import train_tokenizer
from scripts.logprobs.compute import logprobs_of
from scripts.training.lessons import Example
from scripts.training.loop import train
from tests.contract.tiny_models import KINDS, NOT_TRIED, VOCABULARY, WINDOW, names, tiny

log = logging.getLogger("sweep")

SHORT, LONG = WINDOW - 16, 3 * WINDOW
"""Tokens of the longest sequence, below and above what windows and scalings of positions are made to set in."""

BATCH = 2 * LONG
SPEC = Hyperparameters(
    precision="float32", learning_rate=1e-3, batch_pairs=4, epochs=1, max_length=LONG, batch_tokens=BATCH
)


@dataclass(frozen=True)
class Outcome:
    """What became of a model with sequences up to a length.

    how: packed, padded or refused; why: of the latter two. off: the largest difference from one sequence at a time,
    in nats, or of a score. loss: of step 0, less log 2; sampled: how prompts are sampled; both of causal models alone.
    """

    how: str
    why: str = ""
    off: float = 0.0
    loss: float = 0.0
    sampled: str = ""


def outcome(kind: str, name: str, longest: int) -> Outcome:
    """What becomes of the model ``name``, causal or classifier, with sequences of up to ``longest`` tokens."""
    try:
        return {"causal": _causal, "classifier": _classifier}[kind](tiny(kind, name), longest)
    except InputError as error:
        return Outcome("refused", error.told.split(": ", 1)[1])


def _causal(model: PreTrainedModel, longest: int) -> Outcome:
    sampled = _sampled(model, longest)
    sequences = responses(longest)
    reason = reason_against(model, longest, 0)
    values = [torch.from_numpy(each) for each in logprobs_of(model, sequences, 0, BATCH)]
    off = max((found - alone(model, each)).abs().max().item() for found, each in zip(values, sequences, strict=True))
    sums = [each.double().sum().item() for each in values]
    pairs = [
        Example(f"c{at}", f"r{at}", sequences[at], sequences[at + 1], sums[at], sums[at + 1])
        for at in range(0, len(sequences), 2)
    ]
    rows = train(model, pairs, SPEC, 0, 0)
    return Outcome("padded" if reason else "packed", reason or "", off, rows["loss"][0] - math.log(2), sampled)


def _sampled(model: PreTrainedModel, longest: int) -> str:
    """How prompts of several lengths are sampled; greedily, each as it is alone, or AssertionError."""
    words = [f"w{at}" for at in range(VOCABULARY - 16)]
    tokenizer = train_tokenizer("words", [" ".join(words)], VOCABULARY)
    draw = random.Random(1)
    texts = [" ".join(draw.choices(words, k=size)) for size in (3, longest // 2, 7, longest // 3, 3)]
    prompts = [[{"role": "user", "content": text}] for text in texts]
    spec = SamplingSpec(temperature=0, max_new_tokens=6, batch_tokens=BATCH, precision="float32")

    def sample(some: Sequence[int]) -> list[str]:
        return [each.text for each in sampler.sample([prompts[at] for at in some], [str(at) for at in some], spec)]

    sampler = TransformersSampler(model, tokenizer, longest)
    try:
        together = sample(range(len(prompts)))
    except InputError as error:
        return f"refused: {error.told.split(': ', 1)[1]}"
    assert together == [sample([at])[0] for at in range(len(prompts))], "a text depends on its batch"
    return {"any": "together", "as long": "by length", "none": "one by one"}[sampler.company]


def _classifier(model: PreTrainedModel, longest: int) -> Outcome:
    model.config.get_text_config().pad_token_id = 0
    sequences = [each.prompt_ids + each.response_ids for each in responses(longest)]
    asked = [tuple(each[:3]) for each in sequences]
    classifier = Classifier("tiny", model, None)
    reason = classifier.reason_against_rows(sequences, asked)
    values = classifier.classify(sequences, BATCH, prompts=asked)
    with torch.no_grad():
        without = {"use_cache": False} if "use_cache" in signature(model.forward).parameters else {}
        plain = [model(input_ids=torch.tensor([each]), **without).logits[0, 0].item() for each in sequences]
    off = max(abs(one - other) for one, other in zip(values, plain, strict=True))
    return Outcome("padded" if reason else "packed", reason or "", off)


def responses(longest: int) -> list[Encoded]:
    """Two responses to each of four prompts, short and as long as they may be, some with a beginning in common."""
    draw = random.Random(0)
    found = []
    for size in (longest, longest // 2, longest, 12):
        ids = draw.choices(range(10, 110), k=size)
        prompt = draw.randint(3, size // 2)
        apart = draw.randint(prompt + 1, size - 1)
        other = ids[:apart] + draw.choices(range(10, 110), k=draw.randint(1, size - apart))
        found += [Encoded(each[:prompt], each[prompt:]) for each in (ids, other)]
    return found


@torch.no_grad()
def alone(model: PreTrainedModel, sequence: Encoded) -> Tensor:
    """log p of the response's tokens, by a plain forward pass of the sequence."""
    ids = torch.tensor([sequence.prompt_ids + sequence.response_ids])
    logits = model(input_ids=ids, use_cache=False).logits[0].float().log_softmax(-1)
    return logits[:-1].gather(1, ids[0, 1:, None]).squeeze(1)[len(sequence.prompt_ids) - 1 :]


def table(kind: str) -> str:
    """The table of one kind of model, in Markdown, under a line that counts its outcomes."""
    rows, counts = [], Counter()
    for name in names(kind):
        found = [outcome(kind, name, longest) for longest in (SHORT, LONG)]
        log.info("%s %s: %s, %s", kind, name, *(each.how for each in found))
        counts[found[1].how] += 1
        rows.append(row_of(kind, name, *found))
    count = ", ".join(f"{counts[how]} {how}" for how in ("packed", "padded", "refused"))
    head = f"| model | up to {SHORT} | up to {LONG} | off by |"
    head += " step 0 | sampled | why |" if kind == "causal" else " why |"
    return "\n".join([f"{len(rows)} at {LONG} tokens: {count}.", "", head, "|---" * (head.count("|") - 1) + "|", *rows])


def row_of(kind: str, name: str, short: Outcome, long: Outcome) -> str:
    """A row of the table: what :func:`outcome` says of a model at both lengths."""
    why = (long.why or short.why).replace("|", "/")
    read = [each for each in (short, long) if each.how != "refused"]
    off = f"{max(each.off for each in read):.0e}" if read else ""
    cells = [name, short.how, long.how, off]
    if kind == "causal":
        cells.append(f"{max(abs(each.loss) for each in read):.0e}" if read else "")
        cells.append(next((each.sampled for each in read[::-1]), ""))
    return f"| {' | '.join([*cells, without_numbers(why)])} |"


def without_numbers(why: str) -> str:
    """A reason without the size of a difference, which depends on the machine."""
    return re.sub(r" \(by up to [^)]*\)", "", why)


def page() -> str:
    """docs/models.md."""
    versions = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}"
    causal, classifier = (table(kind) for kind in KINDS)
    left_out = "; ".join(f"{name} ({why})" for name, why in NOT_TRIED.items())
    left_out = textwrap.fill(f"Not tried: {left_out}.", 120)
    return PAGE.format(
        versions=versions,
        date=f"{date.today():%-d %B %Y}",
        short=SHORT,
        long=LONG,
        window=WINDOW,
        causal=causal,
        classifier=classifier,
        left_out=left_out,
    )


PAGE = """# Which models

What a model can do is tried, not assumed. Before a step works with a model, it tries it on made-up sequences, as long
as the longest that it will see, three quarters of that, and short (`scripts/lib/capability.py`):

- **the same twice, and the same alone as beside others in a padded batch**: else it is refused, with the reason;
- **the same in a packed row** (no padding, and what responses share is computed once): else its batches are padded,
  and the log says why. That costs time, and changes no value;
- **for sampling, the same with padding before a prompt**: else only prompts of as many tokens share a batch, or none.

Runs train in eval mode: dropout, which most older architectures have in their configurations, is off, as it was when
the reference's log-probs were stored, and so are a router's noise and dropped layers. At its first step a run must have
the log-probs of its reference (under DPO, a loss of log 2), or it ends there (`scripts/training/start.py`): the mean
distance may be 1e-4 nats per token in float32, and 0.1 where either is in bfloat16.

## Every architecture that transformers makes tiny

```bash title="an hour"
python -m tests.contract.sweep docs/models.md
```

writes this page ({versions}; {date}; float32, on a CPU).
It builds each architecture with random weights and four layers, with windows, chunks and scalings of positions that set
in at {window} tokens, and runs the code of the steps on sequences of up to {short} and {long} tokens. *Off by* is the
largest difference from one sequence at a time in transformers' own forward pass, in nats per token or of a score;
*step 0* the distance of a DPO run's first loss from log 2. Greedily sampled texts are those of each prompt alone. Your
own model is tried by itself: another configuration, or other weights, may have another outcome.

The slow test `tests/contract/test_sweep.py` repeats it and compares.

### Causal language models

{causal}

### Classifiers (reward models)

{classifier}

{left_out}
"""


def main() -> None:
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    logging.basicConfig(level=logging.WARNING)
    log.setLevel(logging.INFO)
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
