"""Runs simulations: python -m tests.simulation --seed N --steps M."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from .command import main

raise SystemExit(main())
