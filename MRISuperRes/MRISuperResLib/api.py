"""Public Python API: upsample volumes and label maps; list and load models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict, Unpack, overload

from .core.labels import upsample_labels as labels_like
from .core.methods.registry import MethodRegistry
from .core.models.card import ModelCard
from .core.models.store import ModelStore
from .core.options import UpsamplingOptions
from .core.progress import CancelCheck, ProgressCallback
from .core.upsampling import upsample_frames, upsample_volume
from .core.volume import Frames, Volume
from .sources import frames_of, mask_of, volume_of

if TYPE_CHECKING:
    from .core.methods.interpolation import Method
    from .sources import Mask, Source


class _Options(TypedDict, total=False):
    """Arguments of `upsample` that do not decide what it returns."""

    scale: int | None
    model: str | None
    isotropic: bool
    spacing: tuple[float, float, float] | None
    between_slices: str | None
    slice_thickness: float | None
    adapt: int
    seed: int
    slice_axis: str
    device: str
    precision: str
    batch_size: int | None
    clip: str
    mask: Mask | None
    ensemble: bool
    uncertainty: bool
    frame: int | None
    series: str | None
    on_progress: ProgressCallback | None
    is_cancelled: CancelCheck | None


@overload
def upsample(source: Source, *, frames: None = None, **options: Unpack[_Options]) -> Volume: ...


@overload
def upsample(source: Source, *, frames: Literal["all"], **options: Unpack[_Options]) -> Frames: ...


def upsample(
    source: Source,
    *,
    scale: int | None = None,
    model: str | None = None,
    isotropic: bool = False,
    spacing: tuple[float, float, float] | None = None,
    between_slices: str | None = None,
    slice_thickness: float | None = None,
    adapt: int = 0,
    seed: int = 0,
    slice_axis: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    batch_size: int | None = None,
    clip: str = "none",
    mask: Mask | None = None,
    ensemble: bool = False,
    uncertainty: bool = False,
    frame: int | None = None,
    frames: Literal["all"] | None = None,
    series: str | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> Volume | Frames:
    """Upsample a volume in-plane, or to isotropic voxels or a requested spacing.

    Args:
        source: Path of a file or DICOM folder, Volume, SimpleITK image, or (array, ijk_to_ras)
            with the array indexed (k, j, i).
        scale: Upsampling factor 2, 4 or 8. None: the model's own, or 2 without a model.
        model: Name of a model or method, such as "fast-x2-psnr", "bicubic", "fast-x2@0.5" (blend)
            or "bicubic+bp" (back-projected). None: the default model of the scale.
        isotropic: Upsample between slices, to isotropic voxels as large as the pixels of a slice.
            Excludes `scale` and `spacing`.
        spacing: Voxel size (si, sj, sk) of the output, mm. The model upsamples in-plane if the
            output is finer there. Excludes `scale` and `isotropic`.
        between_slices: With `isotropic` or `spacing`: a model between slices, "linear", "bspline"
            or "fourier". None: the installed model.
        slice_thickness: With `isotropic` or `spacing`: slice thickness, mm. None: that of the file,
            else the slice spacing.
        adapt: With `isotropic` or `spacing`: steps in which the network between slices is first
            fine-tuned on the volume's own slices, for example 300; 0: none.
        seed: Seed of `adapt`.
        slice_axis: "auto", "axial", "sagittal", "coronal", "i", "j" or "k".
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto" (half precision on GPUs made for it), "float32" or "half".
        batch_size: Slices per batch. None: chosen from the slice size.
        clip: "input" keeps the output within the range of the input's intensities; or "none".
        mask: Path, Volume, SimpleITK image, or array on the voxel grid of the input, not 0 inside.
            The method upsamples the inside alone, bicubic interpolation the rest.
        ensemble: Average a network's results for eight flips and turns: more accurate, slower.
        uncertainty: Also return the spread of these eight results, as the attribute `uncertainty`
            of the volume. Includes `ensemble`.
        frame: Index of the volume in a 4D file, counted from 0.
        frames: "all" upsamples all frames of a 4D file, with one intensity range.
        series: Series Instance UID, for a DICOM folder with several series.
        on_progress: Called with a Progress, first with no slice done.
        is_cancelled: Called between batches; the task stops when it returns True.

    Returns:
        The upsampled volume with its messages and provenance; or a sequence of such volumes, each
        computed when it is accessed, whose method `save` writes a 4D file.

    Raises:
        SuperResolutionError: An error that the user can fix.
        Cancelled: `is_cancelled` returned True.
    """
    options = UpsamplingOptions(
        model,
        scale,
        slice_axis,
        device,
        precision,
        batch_size,
        ensemble,
        clip=clip,
        isotropic=isotropic,
        spacing=spacing,
        between_slices=between_slices,
        slice_thickness=slice_thickness,
        adapt=adapt,
        seed=seed,
        uncertainty=uncertainty,
    )
    if frames is None:
        volume = volume_of(source, frame, series)
        return upsample_volume(
            volume,
            options,
            on_progress=on_progress,
            is_cancelled=is_cancelled,
            mask=mask_of(mask, volume),
        )
    opened = frames_of(source, frame, series)
    return upsample_frames(
        opened,
        options,
        on_progress=on_progress,
        is_cancelled=is_cancelled,
        mask=mask_of(mask, opened[0]),
    )


def upsample_labels(
    labels: Source, like: Volume, *, interpolation: Literal["nearest", "smooth"] = "nearest"
) -> Volume:
    """Upsample a label map or segmentation to the grid of an upsampled volume.

    Args:
        labels: Label map on the voxel grid of the input: path, Volume, SimpleITK image, or (array,
            ijk_to_ras). It holds whole numbers.
        like: The volume that `upsample` returned.
        interpolation: "nearest", or "smooth", which rounds the corners of the pixels.

    Returns:
        The label map on the grid of `like`. Labels are never blended, and none is lost unless the
        grid is coarser than the label map.

    Raises:
        SuperResolutionError: The source is no label map, or does not lie on the grid of the input.
    """
    return labels_like(volume_of(labels, labels=True), like, interpolation)


def list_models(scale: int | None = None) -> list[ModelCard]:
    """List the cards of the installed models.

    Args:
        scale: 2, 4 or 8; None: all scales.

    Returns:
        Cards by scale, PSNR models before GAN models, then by name.
    """
    return list(ModelStore().cards(scale))


def load_model(
    name: str,
    *,
    scale: int | None = None,
    device: str = "auto",
    precision: str = "auto",
    ensemble: bool = False,
) -> Method:
    """Load a model or another method.

    Args:
        name: See the argument `model` of `upsample`.
        scale: Upsampling factor of an interpolation; None: the model's own, or 2.
        device: See `upsample`.
        precision: See `upsample`.
        ensemble: See `upsample`.

    Returns:
        A callable that upsamples images (n, h, w), normalized so that most values lie between 0
        and 1, to (n, scale·h, scale·w).

    Raises:
        SuperResolutionError: The model is not installed or cannot be used, PyTorch is missing, or
            the device does not exist.
    """
    return MethodRegistry().get(
        UpsamplingOptions(name, scale, device=device, precision=precision, ensemble=ensemble)
    )
