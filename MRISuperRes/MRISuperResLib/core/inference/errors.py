"""What PyTorch raises where a device fails, as sentences. It has no type of its own for most of it, and may raise it in a call long after its cause.

Told apart by their words, so that PyTorch need not be imported.
"""

import functools

from ..errors import SuperResolutionError

NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "STATUS_ALLOC_FAILED")
LOST = (
    "CUDA error",
    "CUDA driver error",
    "HIP error",
    "cuDNN error",
    "CUDNN_STATUS",
    "CUBLAS_STATUS",
    "CUSOLVER_STATUS",
    "CUFFT_",
    "NCCL error",
    "MPS backend",
)


def is_out_of_memory(error):
    """Whether an exception says that the memory of a device, or of the computer, was not enough."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)
    )


def translate_device_errors(function):
    """Decorator: the failure of a device becomes an SuperResolutionError, of kind "memory", or "device" where it is gone.

    The run ends then, it does not go on somewhere else: what a failing GPU has computed before it was noticed may be wrong. Nor can this process use
    the GPU any more, whatever becomes of it.
    """

    @functools.wraps(function)
    def telling(*arguments, **options):
        try:
            return function(*arguments, **options)
        except RuntimeError as error:  # a MemoryError is told by who knows what it was for
            if is_out_of_memory(error):
                raise SuperResolutionError(
                    "The memory was not enough: close other programs, choose the device cpu, or crop the volume.",
                    "memory",
                ) from error
            if any(words in str(error) for words in LOST):
                reason = str(error).splitlines()[0].rstrip(".")
                raise SuperResolutionError(
                    f"The GPU has failed ({reason}), nothing was changed: start the run again; if it fails again, choose the "
                    "device cpu, and restart the computer.",
                    "device",
                ) from error
            raise

    return telling
