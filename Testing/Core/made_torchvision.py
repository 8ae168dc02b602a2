"""Lets pyiqa be imported where torchvision was built for another build of PyTorch, as the CPU build often finds it.

pyiqa imports torchvision, which then fails because two of its operators are missing. NIQE and PI use neither, so that it is
enough to declare them. Of this environment only: never done in the product.
"""

import sys

_library = []
"""The declarations end with the object that made them."""


def declare_missing_operators():
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
    except ImportError:  # no torchvision: then pyiqa's import says so
        pass
