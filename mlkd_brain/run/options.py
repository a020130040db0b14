"""What the keys of the recipes' yaml files may be, and SpeechBrain's options.

Defaults and explanations are in the yaml files, beside the keys; here are types,
ranges, choices and units. ``command_line.py`` checks every value by it before
anything is created, and prints it with ``--help``.

Authors
 * The MLKD team 2026
"""

from typing import Annotated, Literal

from mlkd_brain.schema import STRICT, Schema, unique, unit
from pydantic import AfterValidator, ConfigDict, Field
from typing_extensions import TypedDict

Count = Annotated[int, Field(ge=1)]
Number = Annotated[int, Field(ge=0)]  # of something that may be left out
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Part = Annotated[float, Field(gt=0, lt=1)]
AboveZero = Annotated[float, Field(gt=0, le=1)]  # a share of something
Seconds = Annotated[float, Field(gt=0), unit("s")]
Samples = Annotated[int, Field(ge=1), unit("samples")]
Decibel = Annotated[float, Field(ge=-100, le=200), unit("dB")]
Text = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4096,
        pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$",
    ),
]
PART = r"[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]{0,99}"
#: Part of a path; or a cell of a search, in the folder of that search.
Name = Annotated[
    str,
    Field(
        pattern=rf"^(search/{PART}/)?{PART}$",
        json_schema_extra={"words": "a name for a folder, without /"},
    ),
]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


def _started_anew(persistent):
    if persistent:
        raise ValueError(
            "is True; it is False: workers that persist would add the noise of "
            "the first epoch in every epoch"
        )
    return persistent


class Parts(TypedDict):
    """A share for each part of a fold."""

    __pydantic_config__ = ConfigDict(  # type: ignore
        **{**STRICT, "extra": "forbid"},
        json_schema_extra={"words": "train, valid and test, each in (0, 1)"},
    )
    train: Part
    valid: Part
    test: Part


class Loader(TypedDict, total=False):
    """Arguments of a DataLoader."""

    __pydantic_config__ = ConfigDict(  # type: ignore
        **STRICT, json_schema_extra={"words": "arguments of a DataLoader"}
    )
    num_workers: Number
    batch_size: Count
    shuffle: bool
    pin_memory: bool
    prefetch_factor: Count | None
    timeout: Annotated[float, Field(ge=0), unit("s")]
    persistent_workers: Annotated[bool, AfterValidator(_started_anew)]


class TargetWeights(TypedDict, total=False):
    """Weights of the targets of pretraining."""

    __pydantic_config__ = STRICT  # type: ignore
    middle_frames: Weight
    last_frames: Weight
    utterance: Weight
    cluster: Weight


class Options(TypedDict, total=False):
    """Keys of teacher.yaml, student*.yaml, vad_nmf.yaml and embedded.yaml."""

    __pydantic_config__ = STRICT  # type: ignore

    seed: Seed
    # folders
    data_folder: Text
    noise_folder: Text
    results_folder: Text
    manifest_folder: Text
    noise_cache: Text
    feature_folder: Text
    prepared_folder: Text
    pretrained_folder: Text
    system: Name
    fold: Count
    output_folder: Text
    save_folder: Text
    train_log: Text
    tracker: Literal["tensorboard", "wandb", "mlflow", "none"]
    teacher_folder: Text
    # data
    corpus: Text
    manifest: Text | None
    skip_prep: bool
    allow_partial: bool
    validates_on: Literal["session_partner", "next"]
    fold_groups: Annotated[int, Field(ge=3)] | None
    emotions: Annotated[
        list[Text],
        Field(min_length=2, max_length=20),
        AfterValidator(unique),
    ]
    num_workers: Number
    # noise
    noise_types: (
        Annotated[list[Text], Field(min_length=1), AfterValidator(unique)]
        | None
    )
    held_out_noise: Text | None
    noise_per: Literal["epoch", "utterance"]
    snrs_db: Annotated[
        list[Decibel], Field(min_length=1), AfterValidator(unique)
    ]
    weighting: Literal["none", "band_4khz", "g712"]
    noise_shares: Parts
    save_mixtures: Text | None
    # training
    number_of_epochs: Count
    batch_size: Count
    bucket_jitter: Weight | None
    lr: Positive
    lr_warmup: Annotated[float, Field(ge=0, lt=1)] | None
    weight_decay: Weight
    precision: Literal["fp32", "bf16"]
    grad_accumulation_factor: Count
    max_grad_norm: Weight
    ckpt_interval_minutes: Annotated[int, Field(ge=0), unit("minutes")]
    train_dataloader_opts: Loader
    valid_dataloader_opts: Loader
    # beyond the paper
    pooling: Literal["mean", "mean_deviation", "attentive"]
    lr_schedule: Literal["constant", "linear", "cosine"] | None
    freeze_transformer: bool
    class_weights: Literal["balanced"] | None
    balanced_sampling: bool
    time_masks: Number
    time_mask_width: AboveZero
    feature_masks: Number
    feature_mask_width: AboveZero
    impulse_responses: Text | None
    reverberant_share: Share
    unlabelled_folder: Text | None
    unlabelled_share: Annotated[float, Field(gt=0, lt=1)]
    # model
    encoder_hub: Text
    freeze_feature_extractor: bool
    gradient_checkpointing: bool
    teacher_layers: Annotated[
        list[Count], Field(min_length=1), AfterValidator(unique)
    ]
    initialisation: Literal["teacher", "pretrained"]
    # distillation
    temperature: Positive
    times_squared_temperature: bool
    alpha: Share
    feature_weight: Weight
    over_pairs: Literal["sum", "mean"]
    distance: Literal["mse", "l1", "cosine"]
    layer_norm: bool
    balance_batches: Number
    gradient_share_batches: Number
    teacher_cache: Literal["disk", "memory", "none"]
    teacher_cache_dtype: Literal["float16", "float32"]
    # baseline
    noisy_copies: Number
    noise_knowledge: Literal["oracle", "pooled", "blind"]
    enhancement: None
    vad_detector: Literal["energy", "webrtc", "silero"]
    vad: None
    order: Literal["nmf_then_vad", "vad_then_nmf"]
    features: Literal[
        "descriptors", "IS09", "IS10", "eGeMAPSv02", "ComParE_2016"
    ]
    descriptor_hop: Samples
    feature_cache: Literal["disk", "none"]
    kernel: Literal["linear", "rbf"]
    C: Annotated[list[Positive], Field(min_length=1), AfterValidator(unique)]
    # pretraining
    valid_share: Part
    measured_utterances: Count
    crop_seconds: Seconds
    speeds: Annotated[list[Positive], Field(min_length=1)]
    noisy_ratio: Share
    noise_snrs_db: Annotated[list[Decibel], Field(min_length=2, max_length=2)]
    babble_ratio: Share
    babble_speakers: Count
    equalised_ratio: Share
    equaliser_db: Annotated[float, Field(ge=0), unit("dB")]
    masked_ratio: Share
    masked_frames: Count
    warmup_steps: Number
    hidden_size: Count
    dropped_blocks: Annotated[float, Field(ge=0, lt=1)]
    n_descriptors: Count
    clusters: Annotated[int, Field(ge=2)]
    target_weights: TargetWeights


class SpeechBrainOptions(TypedDict, total=False):
    """Ranges of SpeechBrain's own options; their types are its own."""

    __pydantic_config__ = STRICT  # type: ignore

    eval_precision: Literal["fp32", "bf16"]
    device: Annotated[
        str,
        Field(
            pattern=r"^(cpu|mps|(cuda|xpu|npu|hpu)(:\d+)?)$",
            json_schema_extra={"words": "cpu, cuda or cuda:N"},
        ),
    ]
    distributed_backend: Literal["nccl", "gloo", "mpi"]
    debug_batches: Count
    nonfinite_patience: Number
    ckpt_interval_minutes: Number
    ckpt_interval_steps: Number
    optimizer_step_limit: Count
    grad_accumulation_factor: Count
    profile_warmup: Number
    profile_steps: Count


OPTIONS = Schema(Options)
RUN_OPTIONS = Schema(SpeechBrainOptions)
