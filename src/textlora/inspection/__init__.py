"""What is in the data: copies, leakage, labels, lengths; and what to mend before training.

It looks at tables and token ids alone: the tokenizer is handed in, and so is what measures a
training. `findings.Inspection` is what it finds.
"""

from textlora.inspection.findings import Inspection
from textlora.inspection.inspecting import inspect_parts
from textlora.inspection.screen import short_lines
from textlora.report.view import Finding

__all__ = ["Finding", "Inspection", "inspect_parts", "short_lines"]
