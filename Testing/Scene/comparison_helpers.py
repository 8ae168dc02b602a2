"""Comparisons for tests, computed by the core, with doubles of a PSNR and a GAN model."""

import os
import tempfile
import types

import numpy as np
from MRISuperResLib.core.comparison.compare import compare_methods
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.methods.interpolation import InterpolationMethod
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.scene.comparison.builder import createComparison
from MRISuperResLib.scene.nodes import volumeFromNode
from MRISuperResLib.scene.steps import finish
from MRISuperResLib.worker.jobs import Jobs

METHODS = ("nearest", "bicubic", "bicubic+bp")
PAIR = ("bicubic", "net-psnr", "net-gan")


class NetworkDouble(InterpolationMethod):
    """An interpolation to which the GAN model adds a checkerboard."""

    def __init__(self, name, stage):
        super().__init__(name, scale=2)
        self.stage = stage

    def __call__(self, images):
        upsampled = InterpolationMethod("bicubic", 2)(images)
        return (
            upsampled + 0.1 * (np.indices(upsampled.shape).sum(0) % 2)
            if self.stage == "gan"
            else upsampled
        )


STORE = types.SimpleNamespace(
    pairs=lambda scale: {
        "net": (types.SimpleNamespace(name="net-psnr"), types.SimpleNamespace(name="net-gan"))
    }
)


def compare_with_doubles(volume, options, *, registry, **rest):
    given = (NetworkDouble("net-psnr", "psnr"), NetworkDouble("net-gan", "gan"))
    return compare_methods(volume, options, registry=MethodRegistry(given=given), **rest)


def result_of(node, options):
    """Return (fields of the worker's result event, {file: array}) for a volume node."""
    volume = volumeFromNode(node)
    with tempfile.TemporaryDirectory() as folder:
        np.save(os.path.join(folder, "input.npy"), volume.array)
        request = {
            "request": "compare",
            "options": options.to_dict(),
            "input": os.path.join(folder, "input.npy"),
            "ijkToRAS": volume.ijk_to_ras.tolist(),
            "output": folder,
        }
        job = Jobs(compare=compare_with_doubles).job_for(request)
        fields = job(request, lambda progress: None, lambda: False)
        return fields, {file: np.load(os.path.join(folder, file)) for file in os.listdir(folder)}


def make_comparison(node, methods=METHODS, transform=None, **settings):
    """Return the ComparisonNodes of a volume node."""
    options = ComparisonOptions(methods, **settings)
    fields, files = result_of(node, options)
    return finish(createComparison(node, options, fields, files.__getitem__, transform, STORE))
