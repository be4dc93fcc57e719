"""What the documentation says one can type: its fenced blocks, and the commands in them.

A block is ```<language>, or ```<language> title="<what it needs>" where it cannot run on a bare machine: a cluster, a
GPU, a remote, data of one's own, hours.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.workflow.house import ROOT

LANGUAGES = {"bash", "yaml", "json", "python", "text"}
FENCE = re.compile(r"^```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<![`\w])`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
OURS = re.compile(r"(?:\.venv/bin/)?(?:snakemake|make|dvc|python -m) \S")


@dataclass(frozen=True)
class Block:
    """A fenced block. title: what it needs beyond a bare machine, or nothing."""

    page: str
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Everything that is written for users."""
    return [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("studies/*/README.md"))]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(name_of(page), text.count("\n", 0, found.start()) + 1, found[1], found[2] or "", found[3])
        for found in FENCE.finditer(text)
    ]


def all_blocks(*languages: str) -> list[Block]:
    return [block for page in pages() for block in blocks(page) if block.language in languages]


def inline(page: Path) -> list[str]:
    """The text in single backticks."""
    return [" ".join(text.split()) for text in INLINE.findall(FENCE.sub("", page.read_text(encoding="utf-8")))]


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command of a shell text. What stands for something of the reader's, <...>, is one word."""
    text = re.sub(r"\bcores N\b", "cores 2", re.sub(r"<[^<>\n]+>", "SOMETHING", text.replace("\\\n", " ")))
    for line in text.splitlines():
        words = [word for word in shlex.split(line, comments=True) if word != "..."]
        while words:
            end = next((at for at, word in enumerate(words) if word in ("&&", "|", ">")), len(words))
            if end:
                yield [words[0].removeprefix(".venv/bin/"), *words[1:end]]
            words = [] if end < len(words) and words[end] == ">" else words[end + 1 :]


def typed() -> list[tuple[str, list[str]]]:
    """(where, words) of every documented command: in blocks of any title, and in sentences those of our own tools."""
    found = [(str(block), words) for block in all_blocks("bash") for words in commands(block.text)]
    for page in pages():
        for text in inline(page):
            if OURS.match(text):
                found += [(f"{name_of(page)}: `{text}`", words) for words in commands(text)]
    return found
