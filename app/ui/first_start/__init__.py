"""The first five minutes: this machine, other machines, a model. Skippable, and reached again from the menus."""

from app.ui.first_start.dialog import FirstStartDialog, open_first_start
from app.ui.first_start.reach_dialog import ReachDialog, open_reach

__all__ = ["FirstStartDialog", "ReachDialog", "open_first_start", "open_reach"]
