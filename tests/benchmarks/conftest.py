"""The benchmarks are scripts, no package: their folder goes behind everything else."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
