"""A study: one target, the methods and budgets to compare, and the model that is to learn."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal, cast

from pydantic import Field, ValidationInfo, field_validator, model_validator

from selection.basics.bounds import Seed
from selection.budget.amounts import Unit
from selection.config.budgets import MAX_FLOPS, Budget, see_that_it_can_be_counted
from selection.config.decoders import Decoder, Training
from selection.config.embedders import EmbedderSpec
from selection.config.named_method import NamedMethod, read_methods
from selection.config.names import Name, ProjectFolder, Revision, Strict, Text, distinct
from selection.config.targets import FileTarget, Target
from selection.leaks.held_out import FEWEST_WORDS
from selection.methods.contract.options import wants_contrast
from selection.models.chat_tokens import TrainOn
from selection.models.packing import Packing

MAX_LISTED = 100
"""Methods, budgets or seeds of a study."""


class CapSpec(Strict):
    """The most that a study may spend in all; enforced before spending, raised by command only."""

    flops: float | None = Field(default=None, gt=0, le=MAX_FLOPS)
    device_hours: float | None = Field(default=None, gt=0, le=1e9)
    usd: float | None = Field(default=None, gt=0, le=1e12)

    @model_validator(mode="after")
    def _one_unit(self) -> CapSpec:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("give one of `flops`, `device_hours` or `usd`")
        return self

    @property
    def measure(self) -> tuple[Unit, float]:
        """The unit and how much of it."""
        [(unit, limit)] = self.model_dump(exclude_none=True).items()
        return cast(Unit, unit), limit


class Leaks(Strict):
    """What else keeps a row out for a held-out row of the target; one that equals it always is."""

    ngram: int | None = Field(
        default=13,
        ge=FEWEST_WORDS,
        le=1_000,
        description="Rows that have so many words of a held-out row in their order; null: off.",
    )
    near: float | None = Field(
        default=0.97,
        gt=0,
        le=1,
        description="Cosine to a held-out row from which on its words, in whatever order, make a"
        " near-duplicate; null: off.",
    )


class Selection(Strict):
    """What holds for every method's subset alike."""

    near_duplicate_cosine: float | None = Field(
        default=0.97,
        gt=0,
        le=1,
        description="Rows this near to a selected row are collapsed; null: off.",
    )
    max_row_tokens: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000_000,
        description="Rows of more tokens are not selected (`too_long`), counted as budgets count"
        " them, with what training would cut off. null: the model's window for conversations, and"
        " with `packing: isolated` for texts; none for texts that are joined, which are trained on"
        " whole, and where nothing is trained.",
    )
    leaks: Leaks = Leaks()


class Harness(Strict):
    """Tasks of EleutherAI's harness, `lm_eval`, which the extra `lm-eval` installs."""

    tasks: Annotated[list[Text], distinct("a task")] = Field(
        min_length=1, max_length=1_000, description="Names of tasks, groups or tags."
    )
    include_path: ProjectFolder | None = Field(
        default=None,
        description="Folder with task files (`*.yaml`) and their rows, beside the harness's own;"
        " relative paths start at the project's folder.",
    )
    revisions: dict[Text, Revision] = Field(
        default_factory=dict,
        max_length=1_000,
        description="The commit of each data set of the hub that a task reads.",
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000_000,
        description="Only the first so many examples of each task; null: all.",
    )
    num_fewshot: int | None = Field(
        default=None,
        ge=0,
        le=1_000,
        description="Solved examples before each question; null: as each task's file says.",
    )


class Evaluation(Strict):
    """How arms are compared."""

    level: float = Field(default=0.95, gt=0.5, lt=1)
    n_resamples: int = Field(default=2000, ge=200, le=1_000_000)
    distance_rows: int = Field(
        default=1000, ge=2, le=20_000, description="Rows a side in POT's exact distances."
    )
    harness: Harness | None = Field(
        default=None, description="Also evaluate every model on these tasks; null: off."
    )


class Study(Strict):
    """One YAML file in `studies/`."""

    name: Name
    pool: Name
    target: Target
    embedder: EmbedderSpec
    base_model: Decoder | None = Field(
        default=None, description="The model that is to learn; optional where nothing `trains`."
    )
    methods: dict[Name, dict[Text, Any]] = Field(min_length=1, max_length=MAX_LISTED)
    selector: Decoder | None = Field(
        default=None,
        validate_default=True,
        description="A smaller model, with which the methods that need one read the pool.",
    )
    contrast: Target | None = Field(
        default=None,
        validate_default=True,
        description="Text that rows are to be unlike; its dev split steers methods whose options "
        "have a `contrast_weight`.",
    )
    trains: bool = Field(
        default=True,
        description="false: rows are selected and written to a file, and no model is trained.",
    )
    budgets: list[Budget] = Field(min_length=1, max_length=MAX_LISTED)
    seeds: Annotated[list[Seed], distinct("a seed")] = Field(
        default=[0, 1, 2],
        min_length=2,
        max_length=MAX_LISTED,
        description="One training an arm and seed. Of two there are intervals and no verdict; a "
        "verdict needs three.",
    )
    full_data_seeds: Annotated[list[Seed], distinct("a seed")] = Field(
        default=[0],
        min_length=1,
        max_length=MAX_LISTED,
        description="Seeds of the full-data line, the dearest run of a study.",
    )
    cap: CapSpec | None = Field(
        default=None, description="The study may spend no more than this on everything it does."
    )
    shared_by: int = Field(
        default=1,
        ge=1,
        le=10_000,
        description="Targets among which a budget splits the cost of what the pool's studies share."
        " 1: each study bears all of it, as if it were alone.",
    )
    usd_per_device_hour: float | None = Field(
        default=None,
        gt=0,
        le=1e6,
        description="What an hour of the device costs; null: money is not kept.",
    )
    accountant: Literal["detailed", "detailed_gqa", "dense", "measured"] = "detailed"
    train_on: TrainOn = Field(
        default="assistant",
        description="Of conversations: the tokens whose prediction is the loss. The answers with"
        " their ends, those of the last turn, or all; the target is measured on the same answers.",
    )
    packing: Packing = Field(
        default="joined",
        description="Of texts laid end to end in one sequence: whether each sees those before it,"
        " as in pre-training, or none of them. Conversations never see another row.",
    )
    warm_up: Training = Training()
    fine_tuning: Training = Training()
    selection: Selection = Selection()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _cap_has_a_price(self) -> Study:
        if self.cap is not None and self.cap.usd is not None and self.usd_per_device_hour is None:
            raise ValueError("a cap in `usd` needs `usd_per_device_hour`, the price of the device")
        return self

    @model_validator(mode="after")
    def _has_what_it_trains(self) -> Study:
        if self.trains and self.base_model is None:
            raise ValueError(
                "there is no `base_model` to train: name one, or set `trains: false` to select rows"
                " and train nothing"
            )
        if self.trains and isinstance(self.target, FileTarget) and self.target.shares is not None:
            self.target.shares.require_all()
        for budget in self.budgets:
            see_that_it_can_be_counted(budget, trains=self.trains, model=self.base_model)
        return self

    @field_validator("methods", mode="before")
    @classmethod
    def _no_options(cls, methods: Any) -> Any:
        """Let a bare `random:` stand for a method with its default options."""
        if not isinstance(methods, dict):
            return methods
        return {name: {} if options is None else options for name, options in methods.items()}

    @field_validator("methods")
    @classmethod
    def _known_methods(cls, methods: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        named = read_methods(methods)
        if "random" not in named or named["random"].method.name != "random":
            raise ValueError("`random` must be among the methods: every verdict is against it")
        return methods

    @field_validator("selector")
    @classmethod
    def _selector_where_needed(
        cls, selector: Decoder | None, info: ValidationInfo
    ) -> Decoder | None:
        needing = [name for name, named in _named(info).items() if named.needs_selector]
        if needing and selector is None:
            raise ValueError(
                f"{', '.join(needing)} read the pool with a small model and there is none: add"
                " `selector`, which is written like `base_model`"
            )
        return selector

    @cached_property
    def named_methods(self) -> dict[str, NamedMethod]:
        """The methods with their options, by the study's name for them."""
        return read_methods(self.methods)

    @field_validator("contrast")
    @classmethod
    def _contrast_is_weighed(cls, contrast: Target | None, info: ValidationInfo) -> Target | None:
        named = _named(info)
        weighed = [name for name, method in named.items() if wants_contrast(method.options)]
        if weighed and contrast is None:
            raise ValueError(
                f"methods.{weighed[0]}.contrast_weight weighs a contrast and there is none: add "
                "`contrast`, which is written like `target`, or leave contrast_weight out"
            )
        if contrast is not None and named and not weighed:
            raise ValueError(
                "no method weighs it: give `ot` a `contrast_weight`, such as 1, or leave it out"
            )
        return contrast

    @field_validator("budgets")
    @classmethod
    def _distinct_budgets(cls, budgets: list[Budget]) -> list[Budget]:
        keys = [budget.key for budget in budgets]
        if len(set(keys)) < len(keys):
            raise ValueError(f"two budgets are the same: {', '.join(keys)}")
        return budgets

    @field_validator("budgets", mode="before")
    @classmethod
    def _bare_shares(cls, budgets: Any) -> Any:
        """Let `budgets: [0.025, 0.05]` stand for shares."""
        if not isinstance(budgets, list):
            return budgets
        return [{"share": b} if isinstance(b, int | float) else b for b in budgets]


def _named(info: ValidationInfo) -> dict[str, NamedMethod]:
    """The methods of a study that is being read; none where they are wrong themselves."""
    return read_methods(info.data.get("methods", {}))
