"""A copy of the repository in which a test runs Snakemake as a user would."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PARTS = ["Snakefile", "config.yaml", "params.yaml", "config.schema.json", "rules", "scripts", "studies", "profiles"]
PARTS += ["envs", "dvc.yaml", ".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore"]


def evaluated(folder: Path, expression: str) -> Any:
    """The value of a Python expression at the end of the Snakefile in a folder, where every rule is known."""
    asking = folder / "Snakefile.asking"
    asking.write_text(
        f"{(folder / 'Snakefile').read_text()}\n\nprint('TOLD', __import__('json').dumps({expression}))\n"
    )
    command = [sys.executable, "-m", "snakemake", "--list-rules", "--snakefile", asking.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    told = [line.removeprefix("TOLD ") for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    assert len(told) == 1, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(told[0])


class Workplace:
    """A folder in which ``snakemake`` is called."""

    folder: Path

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        raise NotImplementedError

    def planned(self, *arguments: str) -> dict[str, int]:
        """Rule -> how many jobs the next call would run."""
        done = self.snakemake("--dry-run", "--quiet", "host", *arguments)
        text = done.stdout + done.stderr
        if "Nothing to be done" in text:
            return {}
        table = re.search(r"^job\s+count\n[-\s]+\n(.*?)\ntotal", text, re.MULTILINE | re.DOTALL)
        assert table, text
        return {rule: int(count) for rule, count in re.findall(r"^(\w+)\s+(\d+)$", table[1], re.MULTILINE)}

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new))


class House(Workplace):
    """One checkout with its own results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def build(cls, folder: Path, *rooms: str) -> "House":
        """A copy of the repository; rooms: studies in tests/workflow/rooms to add to it and to turn on alone."""
        for part in PARTS:
            source, target = ROOT / part, folder / part
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        shutil.copy2(ROOT / "tests/workflow/miniature.yaml", folder / "miniature.yaml")
        house = cls(folder)
        for room in rooms:
            shutil.copytree(ROOT / "tests/workflow/rooms" / room, folder / "studies" / room)
            house.edit("scripts/studies/register.py", "STUDIES = (", f'STUDIES = ("{room}", ')
        if rooms:
            house.turn_on(*rooms)
        return house

    def turn_on(self, *studies: str) -> None:
        """Turn on only these studies, without the miniature's settings for "What Matters in Data for DPO?"."""
        file = self.folder / "miniature.yaml"
        config = yaml.safe_load(file.read_text())
        for key in ("what_matters", "pairs", "samples"):
            del config[key]
        del config["training"]["variants"]
        file.write_text(yaml.safe_dump(config | {"studies": list(studies)}, sort_keys=False))

    def twin(self, folder: Path) -> "House":
        """An identical house in another folder, file times included."""
        shutil.copytree(self.folder, folder)
        return House(folder)

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "miniature.yaml", *arguments]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env=environment)
        assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        return done

    def configure(self, *path_and_value: object) -> None:
        """Set one key of the miniature configuration."""
        *path, key, value = path_and_value
        file = self.folder / "miniature.yaml"
        config = yaml.safe_load(file.read_text())
        part = config
        for name in path:
            part = part.setdefault(name, {})
        part[key] = value
        file.write_text(yaml.safe_dump(config, sort_keys=False))

    def results(self) -> dict[str, bytes]:
        """Every file under results/, by name."""
        folder = self.folder / "results"
        return {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }
