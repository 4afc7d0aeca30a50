"""What memory a stage takes, beside its own tensors.

`python -m tests.bench.stage_memory [--gigabytes 1] [--stages 3] [--json]`

Each stage of a random model is loaded from units by a process of its own, as an agent's child does it, which reports
its resident size before, at the peak and after.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from shardd.model.survey import survey
from shardd.model.units import unit_pieces
from tests.bench.push import write_checkpoint

LOADER = """
import json, resource, sys
from pathlib import Path
import psutil
from shardd.model.light import import_mlx_lm_light
import_mlx_lm_light()
from shardd.model.stage import load_stage
blueprint, first, last, *units = sys.argv[1:]
before = psutil.Process().memory_info().rss
stage = load_stage(Path(blueprint).read_bytes(), [Path(unit) for unit in units], int(first), int(last))
after = psutil.Process().memory_info().rss
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
print(json.dumps({"before": before, "peak": peak, "after": after, "weights": stage.weights_bytes}))
"""


def measure(gigabytes: float, count: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="shardboard-bench-") as name:
        folder = Path(name)
        inventory = survey(write_checkpoint(folder / "model", gigabytes))
        files = {unit.name: folder / unit.name for unit in inventory.units}
        for unit in inventory.units:
            with files[unit.name].open("wb") as stream:
                stream.writelines(unit_pieces(unit))
        (folder / "blueprint").write_bytes(inventory.blueprint())
        share = inventory.layer_count // count
        results: list[dict[str, Any]] = []
        for number in range(count):
            first = number * share
            last = inventory.layer_count - 1 if number == count - 1 else first + share - 1
            units = [str(files[unit.name]) for unit in inventory.units_for(first, last)]
            arguments = [str(folder / "blueprint"), str(first), str(last), *units]
            done = subprocess.run(
                [sys.executable, "-c", LOADER, *arguments], capture_output=True, text=True, check=True
            )
            results.append({"layers": [first, last], **json.loads(done.stdout.splitlines()[-1])})
        return results


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--stages", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = measure(options.gigabytes, options.stages)
    if options.json:
        print(json.dumps({"stages": results}))
        return 0
    for each in results:
        own, before, after, peak = (each[key] / 1e6 for key in ("weights", "before", "after", "peak"))
        print(
            f"layers {each['layers']}: own tensors {own:.0f} MB; process {before:.0f} MB "
            f"before, {after:.0f} after ({after - own:.0f} beside its tensors), {peak:.0f} at the peak "
            f"({peak - own:.0f} beside)"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
