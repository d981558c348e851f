"""Print docs/settings.md: every setting with its type, default and meaning.

    python scripts/settings_table.py > docs/settings.md

The page says nothing that is not in `textlora.config`; a test compares the two.
"""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from textlora.config import RunConfig, SampleText, Section

INTRODUCTION = """\
# Settings

<!-- Written by scripts/settings_table.py from src/textlora/config.py. Do not edit by hand. -->

Every setting of a run. Three ways to give one, the later wins:

1. a recipe: `--recipe NAME`, or a YAML file with the sections below: `--recipe my.yaml`
2. a flag of its own, such as `--model`, `--epochs`, `--learning-rate`, `--batch-size`,
   `--max-length` or `--seed`
3. `--set section.key=value`, as often as needed; the value is read as YAML

```sh
textlora train reviews.csv --recipe my.yaml --set lora.r=16 --set "lora.target_modules=[q, k, v]"
```

`textlora recipes show NAME` prints a recipe with every setting. A run saves its own as
`config.yaml`, which `--recipe` takes again. An unknown key, an unknown option or a wrong value
stops the program; the message names the nearest valid key.
"""

TYPE_NAMES = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    type(None): "null",
    SampleText: "sample text",
}
BOUNDS = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))


def page() -> str:
    """Return the whole page."""
    sections = [
        (name, field.annotation)
        for name, field in RunConfig.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    ]
    tables = [section_text(f"`{name}`", section) for name, section in sections]
    sample = section_text("A sample text", SampleText)
    return "\n".join([INTRODUCTION, *tables, sample])


def section_text(heading: str, section: type[Section]) -> str:
    """Return the heading, the description and the table of one section."""
    lines = [f"## {heading}", "", (section.__doc__ or "").split("\n\n")[0], ""]
    lines += ["| setting | type | default | meaning |", "|---|---|---|---|"]
    for name, field in section.model_fields.items():
        cells = [f"`{name}`", type_name(field), default(field), field.description or ""]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def type_name(field: FieldInfo) -> str:
    """Return a field's type in words, with its bounds."""
    words = in_words(field.annotation)
    bounds = [
        f"{text} {getattr(bound, name):g}"
        for bound in field.metadata
        for name, text in BOUNDS
        if hasattr(bound, name)
    ]
    return ", ".join([words, *bounds])


def in_words(annotation: Any) -> str:
    """Return a type in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(in_words(member) for member in inner)
    if origin is list:
        return f"list of {in_words(inner[0])}"
    if origin is dict:
        return f"map of {in_words(inner[0])} to {in_words(inner[1])}"
    if origin is Annotated:
        return in_words(inner[0])
    return TYPE_NAMES[annotation]


def default(field: FieldInfo) -> str:
    """Return a default as YAML would have it."""
    if field.is_required():
        return "(needed)"
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`"


if __name__ == "__main__":
    print(page(), end="")
