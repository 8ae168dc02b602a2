"""Synthetic training volumes."""

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from MRISuperResLib.core.io.formats import write_volume
from MRISuperResLib.core.volume import Volume
from MRISuperResTrainingLib.data.preparation import PreparedVolume
from MRISuperResTrainingLib.data.sources import Source


def tissue(seed=0, shape=(8, 48, 56)):
    """Blobs with sharp borders and a little noise, int16 (k, j, i), easy to sharpen."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.random(shape), (0, 3, 3))
    levels = np.digitize(smooth, np.quantile(smooth, (0.3, 0.6, 0.8)))
    return (levels * 300 + rng.normal(0, 10, shape)).astype(np.int16)


def grid(i=1.0, j=1.0, k=4.0):
    """IJKToRAS of axial slices with voxels of this size."""
    return np.diag([-i, -j, k, 1.0])


def write(path, volume=None, ijk_to_ras=None):
    """Write a volume and return its path as text."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_volume(
        path,
        Volume(
            tissue() if volume is None else volume,
            grid() if ijk_to_ras is None else ijk_to_ras,
            provenance={},
        ),
    )
    return str(path)


def prepared(subject, anatomy="brain", use="auto", slices=range(20), slice_spacing=3.0):
    """A PreparedVolume without a file, for splits."""
    source = Source(f"/data/{subject}.nii.gz", subject, anatomy, use=use)
    return PreparedVolume(
        source,
        f"{subject}-{anatomy}",
        Path("nowhere.npy"),
        (1.0, 1.0),
        slice_spacing,
        tuple(slices),
        {},
        (),
    )
