"""What pages say to type is typed, page by page: Snakemake plans it, make names what it would do, preflight runs.

Blocks with a title need more than a bare machine; tests/unit/test_docs.py looks at those and at all names and flags.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.documented import Block, all_blocks, commands
from tests.workflow.house import ROOT, House

RUNS = {"docs/your_data.md"}
"""Where preflight makes its page; elsewhere it says what it would do (--plan)."""
ENOUGH = 40


def write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


@pytest.fixture(scope="module")
def house(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> House:
    """With the files of its own that a reader has."""
    made = House.build(tmp_path_factory.mktemp("documented") / "house")
    for name in ("my_pairs", "mine", "theirs"):
        rows = [
            {"prompt": f"sort {at} of {name}", "chosen": f"it is {at}", "rejected": f"it is not {at} ."}
            for at in range(ENOUGH)
        ]
        write(made.folder / f"{name}.jsonl", rows)
    write(made.folder / "gsm8k/test.jsonl", [{"question": "what is 1 plus 0 ?", "answer": "1 #### 1"}])
    for name in ("my-model", "my/policy", "FOLDER"):
        shutil.copytree(tiny_policy, made.folder / name)
    return made


def configuration_of(page: str) -> str:
    """The whole configuration that a page prints."""
    [text] = [each.text for each in all_blocks("yaml") if each.page == page and "policies" in yaml.safe_load(each.text)]
    return text


def typed(words: list[str], page: str) -> tuple[list[str], Path | None]:
    """A command as it is run here, and where, if not in the house."""
    program, *arguments = words
    if program == "make":
        return ["make", "--dry-run", *arguments], ROOT
    if program == "snakemake":
        return [sys.executable, "-m", "snakemake", *(["-n"] if "-n" not in arguments else []), *arguments], None
    if arguments[:2] == ["-m", "scripts.preflight"] and page not in RUNS:
        arguments = [*arguments, "--plan"]
    return [sys.executable, *arguments], None


@pytest.mark.slow
@pytest.mark.parametrize("block", [each for each in all_blocks("bash") if not each.title], ids=str)
def test_what_a_page_says_can_be_typed(house: House, block: Block) -> None:
    for name, page in (("compare.yaml", "docs/your_data.md"), ("mine.yaml", "docs/boundary.md")):
        (house.folder / name).write_text(configuration_of(page))
    if "scripts.preflight" in block.text:
        (house.folder / "mine.yaml").unlink()  # preflight writes it, and never over another one
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for words in commands(block.text):
        command, folder = typed(words, block.page)
        done = subprocess.run(command, cwd=folder or house.folder, capture_output=True, text=True, env=environment)
        said = f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        wanted = {0, 3} if "scripts.preflight" in command else {0}  # 3: made, and something to fix first
        assert done.returncode in wanted, said
    if block.page in RUNS and "scripts.preflight" in block.text:
        assert (house.folder / "results/preflight.html").exists()
