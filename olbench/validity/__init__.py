"""What may be believed: each check looks at one cell (or at the run) and says in sentences what is doubtful."""

from olbench.validity.check import Check
from olbench.validity.evidence import Seen
from olbench.validity.table import CHECKS, of_cell
from olbench.validity.trust import trust
from olbench.validity.whole import RUN_CHECKS, of_run

__all__ = ["CHECKS", "RUN_CHECKS", "Check", "Seen", "of_cell", "of_run", "trust"]
