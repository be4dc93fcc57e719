import argparse
import random
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int)
parser.add_argument("--add", nargs="*")
parser.add_argument("--out")
arguments = parser.parse_args()
draw = random.Random(arguments.seed)
extra = sum(float(Path(path).read_text()) for path in arguments.add)
with open(arguments.out, "w") as out:
    out.writelines(f"{draw.random() + extra}\n" for _ in range(100))
