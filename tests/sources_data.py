"""Code shared by the tests of source formats: a file of rows, and the result of loading it."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from scripts.lib.config.sources import SourceSpec
from scripts.lib.ids import prompt_id, response_id
from scripts.sources.load import load


def spec_of(kind: str, path, **options) -> SourceSpec:
    return TypeAdapter(SourceSpec).validate_python({"kind": kind, "path": str(path), **options})


def lines(path: Path, rows: list) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def loaded(kind: str, path, **options) -> tuple[dict, dict]:
    """({prompt turns: {response: (generator, annotations)}}, card), the card's sums checked."""
    tables, card = load("src", spec_of(kind, path, **options))
    assert card["responses_read"] == card["responses"] + sum(card["dropped"].values())
    turns = {row.prompt_id: tuple(turn["content"] for turn in row.prompt) for row in tables.prompts.itertuples()}
    assert all(prompt_id(row.prompt) == row.prompt_id for row in tables.prompts.itertuples())
    scores: dict[str, dict] = {}
    for row in tables.annotations.itertuples():
        scores.setdefault(row.response_id, {})[row.annotation] = row.score
    content: dict = {}
    for row in tables.responses.itertuples():
        assert row.response_id == response_id(row.prompt_id, row.response)
        content.setdefault(turns[row.prompt_id], {})[row.response] = (row.family, scores.get(row.response_id, {}))
    assert set(content) == set(turns.values())
    return content, card
