"""What goes over the wire, refusals among it: Hugging Face's text-classification task,
text-embeddings-inference's /predict, and this server's own /classify.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from textlora.serving import Limits


class RefusedError(Exception):
    """A request that is not answered.

    Args:
        status: of HTTP.
        kind: one word for programs, as text-embeddings-inference has them.
        problem: what is wrong, and what to do about it; never a text of the request.
        retry_after: seconds after which another try makes sense.
    """

    def __init__(
        self, status: int, kind: str, problem: str, retry_after: int | None = None
    ) -> None:
        self.status = status
        self.kind = kind
        self.problem = problem
        self.retry_after = retry_after
        super().__init__(problem)

    @property
    def body(self) -> dict[str, str]:
        """What is sent."""
        return {"error": self.problem, "error_type": self.kind}

    @property
    def headers(self) -> dict[str, str]:
        """What is sent beside it."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


def invalid(problem: str) -> RefusedError:
    """Return the refusal of a request that can be read and not be answered."""
    return RefusedError(422, "validation", problem)


# Said in the schema alone: `data.rows` checks it, with the words that files get.
_NOT_BLANK = {"minLength": 1, "pattern": r"\S"}
Text = Annotated[str, Field(json_schema_extra=_NOT_BLANK, description="Not blank.")]
AdapterName = Annotated[
    str, Field(min_length=1, max_length=64, description="An adapter; unset: the default one.")
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Parameters(_Strict):
    """Parameters of the text-classification task."""

    top_k: int | None = Field(None, ge=1, description="Only the first so many classes.")
    function_to_apply: Literal["softmax", "sigmoid", "none"] | None = Field(
        None, description="Unset: the adapter's own, calibrated; none: raw logits."
    )


class PredictRequest(_Strict):
    """A request for scores of every class."""

    inputs: Text | list[Text] | list[Annotated[list[Text], Field(min_length=1, max_length=1)]] = (
        Field(
            description="One text, or many. A text may be wrapped in a list of one, as "
            "text-embeddings-inference has it; pairs of texts are refused."
        )
    )
    parameters: Parameters | None = None
    model: AdapterName | None = None
    truncate: bool | None = Field(None, description="false: refuse a text that is too long.")
    truncation_direction: Literal["left", "right", "Left", "Right"] | None = Field(
        None, description="The end at which a long text loses tokens; unset: as in training."
    )
    raw_scores: bool = Field(False, description="Raw logits in place of probabilities.")

    @property
    def texts(self) -> list[str]:
        """All texts, unwrapped."""
        if isinstance(self.inputs, str):
            return [self.inputs]
        return [text if isinstance(text, str) else text[0] for text in self.inputs]


class Score(BaseModel):
    """A class and how probable it is, or its logit."""

    label: str
    score: float


class ClassifyRequest(_Strict):
    """A request for answers."""

    inputs: Text | list[Text] = Field(description="One text, or many.")
    model: AdapterName | None = None


class Answer(BaseModel):
    """The answer to a text, by the adapter's temperature and decision rule."""

    label: str | list[str] | None = Field(description="null: unsure; multi-label: a list.")
    unsure: bool = Field(description="Less sure than the rule demands.")
    probability: float = Field(
        description="That this answer is right; if unsure, the one withheld."
    )
    probabilities: dict[str, float] = Field(description="Of every class.")
    tokens: int = Field(description="Of the whole text.")
    truncated: bool = Field(description="Whether the model did not see all of them.")


class ClassifyResponse(BaseModel):
    """Answers in the order of the texts, and the milliseconds that they took."""

    model: str
    answers: list[Answer]
    latency_ms: float
    queue_ms: float
    inference_ms: float


class ExplainRequest(_Strict):
    """A request for what every word of a text did."""

    inputs: Text = Field(description="One text.")
    model: AdapterName | None = None
    target: str | None = Field(None, description="The class; unset: the answered one.")


class Piece(BaseModel):
    """A piece of the text: a word, a part that was not read, or what lies between."""

    text: str
    score: float | None = Field(None, description="Log-odds that a word adds; null: no word.")
    level: int = Field(0, description="From -5, against the target, to 5, for it.")
    unseen: bool = Field(False, description="Left out: cut off, or in another window.")


class WordScore(BaseModel):
    """A word and the log-odds that it adds."""

    text: str
    score: float


class ExplainResponse(BaseModel):
    """What every word did for a class; the pieces make up the text as the model reads it."""

    model: str
    target: str
    probability: float
    baseline: str = Field(description="The token that stands for no word.")
    baseline_probability: float = Field(description="With every word replaced by it.")
    pieces: list[Piece]
    speak_for: list[WordScore] = Field(description="The strongest, the strongest first.")
    speak_against: list[WordScore]
    quality: str = Field(description="How exact the scores are, and what they leave out.")


class UntrainedRequest(_Strict):
    """A request for the answer that there was before training."""

    inputs: Text = Field(description="One text.")
    model: AdapterName | None = None


class UntrainedResponse(BaseModel):
    """Probabilities by the same encoder with a head of random weights."""

    model: str
    probabilities: dict[str, float]
    seed: int = Field(description="Of the head's weights.")


class AdapterInfo(BaseModel):
    """An adapter that is loaded."""

    name: str
    default: bool
    base: str
    revision: str | None
    labels: list[str]
    multi_label: bool
    max_length: int
    long_texts: str
    temperature: float
    min_confidence: float | None
    bytes: int | None = Field(description="Of its own tensors; null: a whole model of its own.")
    path: str = Field(description="How it is computed.")


class AdapterList(BaseModel):
    """The adapters that are loaded, and those in the folder that could be."""

    adapters: list[AdapterInfo]
    available: list[str]


class Info(BaseModel):
    """What this server is."""

    model_id: str
    model_type: dict[str, dict[str, dict[str, str]]] = Field(
        description="As text-embeddings-inference has it: the classes of the default adapter."
    )
    default: str
    adapters: list[AdapterInfo]
    limits: Limits
    explains: bool = Field(description="Whether POST /explain has what it needs.")
    version: str


class ErrorBody(BaseModel):
    """Why a request was not answered."""

    error: str
    error_type: str


class Health(BaseModel):
    """Whether the server lives, or is ready."""

    status: Literal["ok"]
