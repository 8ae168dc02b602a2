"""Makes pyiqa and spandrel importable beside a torchvision of another build than PyTorch's.

Both import torchvision, which fails beside the CPU build of PyTorch because two of its operators
are missing. NIQE, PI and ESRGAN use neither, so that declaring them is enough. For tests only.
"""

import sys

_library = []
"""Keeps the declarations alive."""


def declare_missing_operators():
    """Declare the operators of torchvision if it cannot be imported without."""
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        _library.append(torch.library.Library("torchvision", "DEF"))
        for operator in ("nms", "qnms"):
            _library[0].define(
                f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
    except ImportError:  # without torchvision, the import of pyiqa reports it
        pass
