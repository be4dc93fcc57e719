import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--beta", type=float)
parser.add_argument("--numbers")
parser.add_argument("--out", nargs=2)
arguments = parser.parse_args()
numbers = [float(line) for line in Path(arguments.numbers).read_text().split()]
with open(arguments.out[0], "w") as out:
    json.dump({"mean": arguments.beta * sum(numbers) / len(numbers)}, out)
with open(arguments.out[1], "w") as out:
    out.write("weights " * len(numbers))
