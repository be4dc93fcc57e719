"""What will this preference data do? An answer before it is trained on.

    python -m scripts.preflight my_pairs.jsonl
    python -m scripts.preflight my_pairs.jsonl --policy FOLDER --scorer FOLDER

Looks at the file, says what it takes it for, writes a configuration that stands alone (mine.yaml), and makes
results/preflight.html and results/preflight.json. Run it in the folder of the Snakefile.

Exit codes:
  0    done, and nothing found that must be fixed first
  1    not done: the file or a model cannot be used, or a step failed; the message says what to do
  2    the command line is not understood
  3    done, and something must be fixed before training
  130  interrupted by Ctrl-C or kill; the same command goes on where it stopped
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from scripts.lib import cli
from scripts.lib.errors import InputError
from scripts.lib.tables import read_json
from scripts.preflight.configuration import Asked, configuration, text_of, write
from scripts.preflight.cost import cost
from scripts.preflight.look import Look, look

DONE, FAILED, BAD, INTERRUPTED = 0, 1, 3, 130
PAGE, SUMMARY = Path("results/preflight.html"), Path("results/preflight.json")
SHOWN = ("bad", "warn")
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a process to end: Ctrl-C, ``kill``, a terminal that is closed."""


def say(text: str) -> None:
    """To the terminal: standard output is the answer's alone."""
    print(text, file=sys.stderr, flush=True)


def introduction(path: str, found: Look) -> list[str]:
    """What a file is taken for, in lines."""
    source = found.source
    lines = [f"{path}: about {found.rows:,} rows, taken for a source of kind {source.kind}"]
    lines += [f"  read: {', '.join(found.read)}"]
    return lines + [f"  {odd}" for odd in found.odd]


def conclusion(summary: dict) -> list[str]:
    """What was found, in lines: the verdict, and every finding that asks for something."""
    lines = [summary["verdict"]]
    for each in summary["findings"]:
        if each["level"] in SHOWN:
            lines.append(f"  {'fix' if each['level'] == 'bad' else 'look into'}: {each['sentence']}")
            lines += [f"    {each['remedy']}"] if each["remedy"] else []
    if summary["drop"]["pairs"]:
        dropped = f"results/preflight/{summary['dataset']}/drop.parquet"
        lines.append(f"  {summary['drop']['pairs']:,} pairs to drop, with reasons: {dropped}")
    return [*lines, f"  everything, with the pairs behind it: {PAGE}"]


def _count(text: str) -> int:
    """An argparse type: a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def _suite(text: str) -> tuple[str, str | None]:
    """An argparse type: a task of lm-eval, and after = the file of its questions."""
    task, _, data = text.partition("=")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", task):
        raise argparse.ArgumentTypeError(f"{text!r} does not begin with the name of a task: write gsm8k=test.jsonl")
    return task, data or None


def refuse_missing(model: str | None) -> None:
    """Raises InputError for what is neither a folder nor written like a hub id, owner/name."""
    if model and not Path(model).is_dir() and not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", model):
        raise InputError(model, "no such folder", "give the folder of a Hugging Face model, or a hub id as owner/name")


def snakemake(configuration_file: Path, cores: int) -> int:
    """Run the target with the progress display; returns Snakemake's exit code.

    Snakemake has a process group of its own: a terminal's Ctrl-C reaches this process alone, as ``kill`` does, and is
    handed on to Snakemake and its steps once. Raises KeyboardInterrupt when they have ended and the folder is unlocked.
    """
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--configfile", str(configuration_file)]
    process = subprocess.Popen([*command, "--", "preflight"], stdout=sys.stderr, process_group=0)
    asked: list[int] = []

    def hand_on(number: int, _: object) -> None:
        asked.append(number)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)

    before = {number: signal.signal(number, hand_on) for number in ENDING}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise KeyboardInterrupt
    return code


def parser() -> argparse.ArgumentParser:
    parser = cli.parser_of("scripts.preflight", __doc__)
    parser.add_argument("file", help="pairs as json, jsonl, csv or parquet (also .gz); a folder of such; or a hub id")
    parser.add_argument("--split", default="train", help="of a folder or a hub id (default: train)")
    parser.add_argument("--policy", help="the model that will be trained: a Hugging Face folder or hub id")
    parser.add_argument("--scorer", help="a reward model: a Hugging Face folder or hub id")
    parser.add_argument(
        "--max-length", type=_count, default=1024, help="tokens at which training will cut (default: 1024)"
    )
    parser.add_argument(
        "--suite",
        type=_suite,
        action="append",
        default=[],
        metavar="TASK[=FILE]",
        help="an evaluation that the prompts must not contain, as lm-eval calls it, and its questions in place of "
        "the hub's: a file, folder or zip; may be given several times",
    )
    parser.add_argument(
        "--configuration", type=Path, default=Path("mine.yaml"), help="what to write (default: mine.yaml)"
    )
    parser.add_argument("--cores", type=_count, default=len(os.sched_getaffinity(0)), help="default: all")
    parser.add_argument("--plan", action="store_true", help="say what would be done and what it costs, and stop")
    parser.add_argument("--json", action="store_true", help="print results/preflight.json to standard output")
    return parser


def main() -> int:
    arguments = parser().parse_args()
    if not Path("Snakefile").exists():
        raise InputError(Path.cwd(), "has no Snakefile", "run this in the folder of the repository")
    for model in (arguments.policy, arguments.scorer):
        refuse_missing(model)
    for task, data in arguments.suite:
        if data and not Path(data).exists():
            raise InputError(data, "no such file or folder", f"give the questions of {task}: docs/suites.md")
    asked = Asked(arguments.policy, arguments.scorer, arguments.max_length, dict(arguments.suite))
    found = look(arguments.file, arguments.split)
    say("\n".join(introduction(arguments.file, found)))
    say(f"cost: {cost(found.rows, found.row_bytes, asked)}")
    write(text_of(configuration(found.source, asked)), arguments.configuration)
    say(f"written: {arguments.configuration}")
    if arguments.plan:
        return DONE
    if snakemake(arguments.configuration, arguments.cores):
        raise InputError(arguments.file, "preflight did not end", "see the message above; the same command goes on")
    summary = read_json(SUMMARY)
    if arguments.json:
        print(json.dumps(summary, indent=2, ensure_ascii=False))
    say("\n".join(conclusion(summary)))
    return BAD if summary["level"] == "bad" else DONE


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        say(f"error: {error}")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        say("interrupted; the same command goes on where it stopped")
        sys.exit(INTERRUPTED)
