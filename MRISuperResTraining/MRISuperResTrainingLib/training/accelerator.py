"""Hugging Face accelerate, which knows devices, processes and mixed precision."""

import contextlib

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from MRISuperResLib.core.errors import SuperResolutionError

PRECISIONS = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


@contextlib.contextmanager
def accelerator_for(settings):
    """An Accelerator of the precision that the settings ask for, on the devices and processes that it finds.

    Raises SuperResolutionError where the precision is not possible here, or the batch can't be shared out.
    """
    AcceleratorState._reset_state(
        reset_partial_state=True
    )  # there is no other way to have another precision in the same interpreter
    has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    try:
        # without GPU it must be told so: else the processes that torchrun has started would not know of each other
        accelerator = Accelerator(mixed_precision=PRECISIONS[settings.precision], cpu=not has_gpu)
    except ValueError as e:
        raise SuperResolutionError(
            f"The precision {settings.precision} is not possible on this computer ({e}): choose float32.",
            "settings",
        ) from e
    try:
        if (
            settings.precision == "float16" and accelerator.scaler is None
        ):  # accelerate would silently compute in float32
            raise SuperResolutionError(
                "The precision float16 needs a GPU: choose bfloat16 or float32.", "settings"
            )
        if settings.batch % accelerator.num_processes:
            raise SuperResolutionError(
                f"A batch of {settings.batch} patches can't be shared out evenly among {accelerator.num_processes} processes: "
                f"choose a multiple of {accelerator.num_processes}.",
                "settings",
            )
        yield accelerator
    finally:
        accelerator.end_training()
