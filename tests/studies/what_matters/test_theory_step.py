"""The step that checks section 4: its verdicts at several seeds, its findings, its files and its picture."""

import math

import pandas as pd
import pytest
import torch

from scripts.lib.errors import InputError
from scripts.studies.theorems import Statement, by_statement, read_theory, verdict_of
from studies.what_matters.figures import figure1
from studies.what_matters.theory import (
    check,
    gradient_step,
    insights,
    minimiser,
    online,
    online_training,
    picture,
    tabular,
)
from studies.what_matters.theory.claims import slug
from studies.what_matters.theory.instances import OPTIMISED, SEEDS

VERDICTS = {
    gradient_step.UNSUPPORTED: "holds",
    gradient_step.UNSUPPORTED_STATED: "fails",
    gradient_step.SHARED: "beyond",
    gradient_step.SIGN: "holds",
    gradient_step.SIGN_STATED: "fails",
    minimiser.MINIMISER: "holds",
    minimiser.REWARD: "holds",
    minimiser.FROM_REFERENCE: "holds",
    minimiser.REWARDED: "holds",
    minimiser.ALIGNED: "holds",
    minimiser.LABELLED: "beyond",
    insights.OVERLAP: "holds",
    insights.RULE: "beyond",
    insights.CEILING: "beyond",
    online.EXPANSION: "holds",
    online.ONE_CHOSEN: "holds",
    online.STATED: "fails",
    online.NEAR: "holds",
    online.DROPPED: "beyond",
    online.FAR: "beyond",
    online_training.SIGN: "holds",
    online_training.TRAINED: "fails",
    online_training.WEIGHT: "holds",
    online_training.STANDSTILL: "holds",
}
"""The paper's statements in the order of the page, and their verdicts at every seed."""


@pytest.mark.parametrize("seeds", [range(3), range(700, 703)])
def test_the_verdicts_do_not_turn_with_the_seed(seeds):
    rows = check.theory(seeds)
    found = {statement: verdict_of(own) for statement, own in by_statement(rows).items()}
    assert list(found.items()) == [(statement.says, verdict) for statement, verdict in VERDICTS.items()]
    assert all(row.agreeing in (0, row.n_seeds) for row in rows)
    assert len({(row.statement, row.quantity) for row in rows}) == len(rows)
    assert all(math.isfinite(number) for row in rows for number in (row.smallest, row.median, row.largest))


@pytest.mark.slow
def test_at_the_seeds_of_the_page_every_seed_agrees_with_its_row_or_none_does():
    assert len(SEEDS) >= 20
    rows = check.theory(SEEDS)
    assert {s: verdict_of(own) for s, own in by_statement(rows).items()} == {s.says: v for s, v in VERDICTS.items()}
    assert all(row.agreeing in (0, row.n_seeds) and row.n_seeds == len(SEEDS) for row in rows)


def test_a_finding_says_what_stands_or_what_the_paper_does_not_claim():
    for statement, verdict in VERDICTS.items():
        assert isinstance(statement, Statement) and statement.claimed == (verdict != "beyond")
        assert (verdict == "fails") == ("What stands: " in statement.finding), statement.says
        assert (verdict == "beyond") <= statement.finding.startswith("The paper "), statement.says
    assert len({slug(statement.says) for statement in VERDICTS}) == len(VERDICTS)


def make(folder, monkeypatch):
    """The step at two seeds."""
    paths = folder / "theory.csv", folder / "figure1.csv"
    monkeypatch.setattr(check, "SEEDS", range(2))
    monkeypatch.setattr("sys.argv", ["step", "--picture", str(paths[1]), "--out", str(paths[0])])
    check.main()
    return paths


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return make(tmp_path_factory.mktemp("theory"), patch)


def test_the_step_writes_its_rows_bit_for_bit(made, tmp_path, monkeypatch):
    assert [path.read_bytes() for path in make(tmp_path, monkeypatch)] == [path.read_bytes() for path in made]
    read, computed = read_theory(made[0]), check.theory(range(2))
    assert [row.quantity for row in read] == [row.quantity for row in computed]
    assert [row.median for row in read] == pytest.approx([row.median for row in computed], abs=1e-12)
    assert [row.verdict for row in read] == [row.verdict for row in computed]


# Figure 1


def test_the_picture_shows_two_rejected_that_agree_wherever_there_are_chosen():
    given = picture.distributions("overlap")
    assert all(float(each.sum()) == pytest.approx(1.0) and (each > 0).all() for each in given.values())
    often = given["chosen"] > 0.05 * given["chosen"].max()
    assert torch.allclose(given["rejected"][often], given["other_rejected"][often], rtol=0.1)
    gap = picture.distributions("gap")
    assert torch.allclose(gap["rejected"][often], gap["other_rejected"][often], rtol=0.1)


def test_the_policies_of_the_picture_are_what_dpo_finds():
    """On every twentieth response of the line, by optimisation, at a beta for which there is a width to find."""
    for scene in picture.SCENES:
        given = {name: each[::20] / each[::20].sum() for name, each in picture.distributions(scene).items()}
        predicted, _ = picture.policies(given, beta=1.0)
        logs = {name: each.log() for name, each in given.items()}
        pairs = tabular.independent(logs["chosen"], logs["rejected"])
        best = tabular.found(tabular.dpo_loss, logs["reference"], logs["reference"], pairs, 1.0)
        assert float(tabular.total_variation(best, predicted)) < OPTIMISED


def test_the_figure_prints_what_the_policies_differ_by(made, tmp_path, monkeypatch):
    scenes = figure1.read_picture(made[1])
    for scene, densities in scenes.items():
        one, other = picture.policies(picture.distributions(scene))
        exact = float(tabular.total_variation(one, other))
        assert figure1.total_variation(densities, "policy", "other_policy") == pytest.approx(exact, abs=1e-4)
    for folder in ("one", "two"):
        out = [str(tmp_path / folder / f"figure1.{kind}") for kind in ("svg", "png")]
        monkeypatch.setattr("sys.argv", ["step", "--table", str(made[1]), "--out", *out])
        figure1.main()
    for kind in ("svg", "png"):
        one, two = (tmp_path / folder / f"figure1.{kind}" for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
    assert "the two policies: 0.00" in (tmp_path / "one/figure1.svg").read_text()


def test_another_table_is_no_picture(made, tmp_path):
    table = pd.read_csv(made[1])
    for broken in (table.drop(columns="policy"), table[table["scene"] == "gap"], table.replace(0.0, None)):
        path = tmp_path / "figure1.csv"
        broken.to_csv(path, index=False)
        with pytest.raises(InputError, match="is not Figure 1's densities"):
            figure1.read_picture(path)
