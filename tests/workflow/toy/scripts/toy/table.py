import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--models", nargs="+")
parser.add_argument("--published")
parser.add_argument("--out")
arguments = parser.parse_args()
with open(arguments.out, "w") as out:
    out.write("model,mean\n")
    for path in arguments.models:
        mean = json.loads(Path(path).read_text())["mean"]
        out.write(f"{path.split('/')[-2]},{mean:.4f}\n")
