"""`make bench-warm`: one table of the tests' miniature study with warm starts and cold, in turns on one machine.

Both run the same 56 jobs from an empty folder, from sources to Table 4. Cold is the same checkout with the least number
of jobs for a warm process out of reach. Turns alternate which comes first. Every turn's files must be equal byte for
byte. Raw figures: the elapsed seconds of each call, and of each job as Snakemake's own benchmark has them.
"""

import argparse
import csv
import os
import shutil
import sys
import time
from pathlib import Path

from scripts.lib.tables import write_json
from tests.benchmarks.turns import spread
from tests.workflow.house import House

TARGET = "results/tables/what_matters/table4.csv"
NEVER = ("scripts/workflow/warm.py", "LEAST = 8", "LEAST = 10**9")
"""The edit that makes every step start cold."""


def measured(folder: Path, warm: bool) -> tuple[dict, dict[str, bytes]]:
    """The seconds of one call and of its jobs, and the files that it made."""
    shutil.rmtree(folder, ignore_errors=True)
    house = House.build(folder)
    if not warm:
        house.edit(*NEVER)
    begin = time.perf_counter()
    house.snakemake("--", TARGET)
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "jobs": job_seconds(folder / "benchmarks")}, house.results()


def job_seconds(folder: Path) -> dict[str, float]:
    """Job -> its elapsed seconds, from the tables that Snakemake writes."""
    found = {}
    for path in sorted(folder.rglob("*.tsv")):
        with open(path, encoding="utf-8") as file:
            found[str(path.relative_to(folder).with_suffix(""))] = sum(
                float(row["s"]) for row in csv.DictReader(file, delimiter="\t")
            )
    return found


def summary(turns: list[dict]) -> dict:
    """Medians and spreads over the turns: elapsed and job-seconds of both, and their ratios."""
    found = {}
    for name, of in (("run", lambda each: each["seconds"]), ("jobs", lambda each: sum(each["jobs"].values()))):
        for how in ("warm", "cold"):
            found[f"{name}_seconds_{how}"] = spread([of(turn[how]) for turn in turns])
        found[f"{name}_ratio"] = spread([of(turn["warm"]) / of(turn["cold"]) for turn in turns])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.warm", description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("bench"))
    arguments = parser.parse_args()
    work = arguments.out.resolve() / "warm"
    turns: list[dict] = []
    for number in range(arguments.turns):
        turn, made = {}, {}
        for how in ("warm", "cold")[:: -1 if number % 2 else 1]:
            turn[how], made[how] = measured(work / how, how == "warm")
            print(number, how, f"{turn[how]['seconds']:.1f} s, {len(turn[how]['jobs'])} jobs", file=sys.stderr)
        if made["warm"] != made["cold"]:
            raise SystemExit(
                f"differ: {', '.join(sorted({name for name, _ in made['warm'].items() ^ made['cold'].items()}))}"
            )
        turns.append(turn)
        about = {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(), "load": os.getloadavg()}
        about |= {"target": TARGET, "equal_files": len(made["warm"])}
        write_json({**about, **summary(turns), "turns": turns}, arguments.out / "warm.json")


if __name__ == "__main__":
    main()
