import argparse
import csv
import json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--claims")
parser.add_argument("--out")
arguments = parser.parse_args()
rows = csv.DictReader(Path(arguments.claims).read_text().splitlines())
with open(arguments.out, "w") as out:
    json.dump({"claims": {row["claim"]: float(row["measured"]) for row in rows}}, out)
