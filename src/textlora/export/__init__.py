"""From a run to files that work without textlora, and to the Hub."""

from typing import Literal, get_args

Target = Literal["merged", "onnx", "onnx-int8"]
TARGETS: tuple[Target, ...] = get_args(Target)
