"""The model card of an adapter."""

from __future__ import annotations

from collections.abc import Mapping

from huggingface_hub import ModelCard, ModelCardData

from textlora.config import BUNDLED_MODEL, RunConfig
from textlora.evaluation.metrics import ClassificationMetrics
from textlora.evaluation.wording import headline
from textlora.model.spec import ClassifierSpec

_HUB_NAMES = {BUNDLED_MODEL: "sentence-transformers/all-MiniLM-L6-v2"}

_BODY = """
# {title}

A LoRA adapter with its classification head, trained by textlora on `{base}`.

{figures}

## Use

```python
from textlora import TextClassifier

classifier = TextClassifier.load("path/of/this/folder")
classifier.predict(["It was good."])
```
{without_textlora}
## Classes

{classes}

## How texts are prepared

At most {max_length} tokens, {cut}; HTML {html}.
"""

_AUTO_PEFT = """
Without textlora:

```python
from peft import AutoPeftModelForSequenceClassification
from transformers import AutoTokenizer

model = AutoPeftModelForSequenceClassification.from_pretrained(folder, num_labels={labels})
tokenizer = AutoTokenizer.from_pretrained(folder)
```
"""

_OWN_HEAD = """
The head is a `{kind}` head on the {pooling} state, which Transformers has no class for;
`docs/loading.md` of textlora has the lines that load it with PEFT alone.
"""


def model_card(
    spec: ClassifierSpec, config: RunConfig, figures: Mapping[str, ClassificationMetrics]
) -> str:
    """Return the card's Markdown.

    Args:
        spec: what the adapter is.
        config: how it was trained.
        figures: metrics by part.
    """
    data = ModelCardData(
        base_model=_HUB_NAMES.get(spec.backbone.name_or_path, spec.backbone.name_or_path),
        library_name="peft",
        pipeline_tag="text-classification",
        tags=["lora", "textlora"],
    )
    plain = spec.head.kind == "auto"
    without = _AUTO_PEFT if plain else _OWN_HEAD
    body = _BODY.format(
        title=f"{config.recipe or 'textlora'} classifier",
        base=spec.backbone.name_or_path,
        figures="\n\n".join(headline(metrics, part) for part, metrics in figures.items()),
        without_textlora=without.format(
            labels=spec.head.num_units, kind=spec.head.kind, pooling=spec.head.pooling
        ),
        classes="\n".join(f"- `{name}`" for name in spec.label_names),
        max_length=spec.max_length,
        cut=spec.cut_in_words,
        html="is stripped" if spec.strip_html else "is left in",
    )
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n{body}", ignore_metadata_errors=True))
