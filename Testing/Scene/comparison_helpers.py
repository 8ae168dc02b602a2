"""Comparisons for tests: computed by the core, with two methods that pass for the networks of a pair."""

import os
import tempfile
import types

import numpy as np
from MRISuperResLib.core.comparison.compare import compare
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.methods.registry import InterpolationMethod, MethodRegistry
from MRISuperResLib.scene.comparison.builder import createComparison
from MRISuperResLib.scene.volume_nodes import upsamplableVolume
from MRISuperResLib.worker.jobs import Jobs

METHODS = ("nearest", "bicubic", "bicubic+bp")
PAIR = ("bicubic", "net-psnr", "net-gan")


class NetworkDouble(InterpolationMethod):
    """Interpolates, and lets a GAN model invent a chequerboard on top."""

    def __init__(self, name, stage):
        super().__init__(name, scale=2)
        self.stage = stage

    def __call__(self, images):
        enlarged = InterpolationMethod("bicubic", 2)(images)
        return (
            enlarged + 0.1 * (np.indices(enlarged.shape).sum(0) % 2)
            if self.stage == "gan"
            else enlarged
        )


STORE = types.SimpleNamespace(
    pairs=lambda scale: {
        "net": (types.SimpleNamespace(name="net-psnr"), types.SimpleNamespace(name="net-gan"))
    }
)


def compare_with_doubles(volume, ijk_to_ras, job, methods, **rest):
    return compare(
        volume,
        ijk_to_ras,
        job,
        MethodRegistry(given=(NetworkDouble("net-psnr", "psnr"), NetworkDouble("net-gan", "gan"))),
        **rest,
    )


def result_of(node, job):
    """(fields of the worker's result event, {file: array}) for the volume of a node."""
    volume, matrix = upsamplableVolume(node)
    with tempfile.TemporaryDirectory() as folder:
        np.save(os.path.join(folder, "input.npy"), volume)
        request = {
            "request": "compare",
            "job": job.to_dict(),
            "input": os.path.join(folder, "input.npy"),
            "ijkToRAS": matrix.tolist(),
            "output": folder,
        }
        fields = Jobs(compare=compare_with_doubles).run(
            request, progress=lambda done, total: None, cancelled=lambda: False
        )
        return fields, {file: np.load(os.path.join(folder, file)) for file in os.listdir(folder)}


def make_comparison(node, methods=METHODS, transform=None, **settings):
    """The ComparisonNodes of a volume node."""
    job = ComparisonOptions(methods, **settings)
    fields, files = result_of(node, job)
    return createComparison(node, job, fields, files.__getitem__, transform, STORE)
