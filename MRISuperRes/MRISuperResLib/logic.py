"""Functions of the module for scripts; they wait for the result or run in the background."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import slicer

from .core.methods.registry import default_comparison_methods
from .core.models.store import ModelStore
from .core.options import DEFAULT_SCALE, ComparisonOptions, UpsamplingOptions
from .core.progress import Progress
from .scene.batch import BatchTask, VolumeResult
from .scene.comparison.builder import VolumeComparison
from .scene.dicom_export import exportDicom
from .scene.scripting import ScriptCallback, asRuntimeError, runTask
from .scene.speeds import SpeedMeter
from .scene.tasks import Task
from .scene.upsampling import SequenceUpsampling, VolumeUpsampling
from .worker.client import WorkerProcess, sharedWorkerProcess

if TYPE_CHECKING:
    from .scene.comparison.nodes import ComparisonNodes


class ScriptingLogic:
    """Base of MRISuperResLogic.

    Errors that the user can fix are RuntimeErrors with one sentence. The start… functions start a
    task in the background and return it; they call onProgress(progress) and, at the end,
    onFinished(task).
    """

    _worker: WorkerProcess | None = None

    @property
    def worker(self) -> WorkerProcess:
        """The worker process, shared by all logics unless one was given."""
        if self._worker is None:
            self._worker = sharedWorkerProcess()
        return self._worker

    def cleanup(self) -> None:
        """End the worker process; the next task starts it again."""
        if self._worker is not None:
            self._worker.cleanup()

    def startUpsampling(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        options: UpsamplingOptions,
        outputVolume: slicer.vtkMRMLScalarVolumeNode | None = None,
        onProgress: Callable[[Progress], None] | None = None,
        onFinished: Callable[[Task], None] | None = None,
        labels: slicer.vtkMRMLDisplayableNode | None = None,
        labelInterpolation: str = "nearest",
    ) -> Task:
        """Start to upsample a volume node; for labels see `VolumeUpsampling`."""
        meter = SpeedMeter.of(options, self.worker)
        strategy = VolumeUpsampling(options, outputVolume, meter, labels, labelInterpolation)
        with asRuntimeError():
            return Task(self.worker, volumeNode, strategy, onProgress, onFinished)

    def startSequence(
        self,
        sequenceNode: slicer.vtkMRMLSequenceNode,
        options: UpsamplingOptions,
        onProgress: Callable[[Progress], None] | None = None,
        onFinished: Callable[[Task], None] | None = None,
    ) -> Task:
        """Start to upsample all frames of a sequence node."""
        strategy = SequenceUpsampling(options, SpeedMeter.of(options, self.worker))
        with asRuntimeError():
            return Task(self.worker, sequenceNode, strategy, onProgress, onFinished)

    def startBatch(
        self,
        volumeNodes: Iterable[slicer.vtkMRMLScalarVolumeNode],
        options: UpsamplingOptions,
        onProgress: Callable[[Progress], None] | None = None,
        onFinished: Callable[[BatchTask], None] | None = None,
        onChanged: Callable[[BatchTask], None] | None = None,
    ) -> BatchTask:
        """Start to upsample volume nodes; onChanged(task) follows every start and end of one."""
        with asRuntimeError():
            return BatchTask(self.worker, volumeNodes, options, onProgress, onFinished, onChanged)

    def startComparison(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        options: ComparisonOptions,
        onProgress: Callable[[Progress], None] | None = None,
        onFinished: Callable[[Task], None] | None = None,
    ) -> Task:
        """Start to compare methods on a volume node."""
        strategy = VolumeComparison(options)
        with asRuntimeError():
            return Task(self.worker, volumeNode, strategy, onProgress, onFinished)

    def upsample(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        model: str | None = None,
        scale: int | None = None,
        sliceAxis: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        isotropic: bool = False,
        spacing: Sequence[float] | None = None,
        betweenSlices: str | None = None,
        sliceThickness: float | None = None,
        adapt: int = 0,
        uncertainty: bool = False,
        labels: slicer.vtkMRMLDisplayableNode | None = None,
        labelInterpolation: str = "nearest",
        outputVolume: slicer.vtkMRMLScalarVolumeNode | None = None,
        waitForCompletion: bool = True,
        progressCallback: ScriptCallback | None = None,
        onFinished: Callable[[Task], None] | None = None,
    ) -> slicer.vtkMRMLScalarVolumeNode | Task | None:
        """Upsample a volume node; the input is not changed.

        Args:
            volumeNode: Volume to upsample.
            model: Name of an installed model; "nearest", "bilinear" or "bicubic"; "PAIR@0.5" for a
                blend of PSNR and GAN model; "NAME+bp" for back-projection of the result.
                None: the default model of the scale.
            scale: 2, 4 or 8. None: the scale of the model.
            sliceAxis: Slice direction: "auto", "axial", "sagittal", "coronal", "i", "j" or "k".
            device: "auto", "cpu", "cuda", "cuda:N" or "mps".
            precision: "float32", "half", or "auto": half precision on GPUs made for it.
            isotropic: Upsample between slices too, to isotropic voxels.
            spacing: Voxel size (i, j, k) of the output, mm, in place of a scale.
            betweenSlices: Method between slices for these outputs: a model, "linear", "bspline" or
                "fourier". None: the installed model.
            sliceThickness: Slice thickness, mm. None: that of the DICOM images, else the spacing.
            adapt: Steps in which the network between slices is adapted to the volume first.
            uncertainty: Add a second volume with the uncertainty map of a network.
            labels: Label map or segmentation that comes along as a new node.
            labelInterpolation: "nearest" or "smooth".
            outputVolume: Scalar volume to replace, whatever it holds, except the input and frames
                of sequences. None: a new node.
            waitForCompletion: Wait for the result; the application stays responsive.
            progressCallback: Called with a Progress; it cancels the task by returning False.
            onFinished: Called with the task at its end, whatever the outcome.

        Returns:
            The output node, or None if the callback cancelled the task. Without waiting: the task,
            with cancel(), state, message and result.

        Raises:
            RuntimeError: There is no result; the text is one sentence for the user.
        """
        options = _upsamplingOptions(
            model=model,
            scale=scale,
            slice_axis=sliceAxis,
            device=device,
            precision=precision,
            isotropic=isotropic,
            spacing=spacing,
            between_slices=betweenSlices,
            slice_thickness=sliceThickness,
            adapt=adapt,
            uncertainty=uncertainty,
        )
        return runTask(
            lambda *callbacks: self.startUpsampling(
                volumeNode, options, outputVolume, *callbacks, labels, labelInterpolation
            ),
            progressCallback,
            onFinished,
            waitForCompletion,
        )

    def upsampleSequence(
        self,
        sequenceNode: slicer.vtkMRMLSequenceNode,
        model: str | None = None,
        scale: int | None = None,
        sliceAxis: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        isotropic: bool = False,
        spacing: Sequence[float] | None = None,
        betweenSlices: str | None = None,
        sliceThickness: float | None = None,
        waitForCompletion: bool = True,
        progressCallback: ScriptCallback | None = None,
        onFinished: Callable[[Task], None] | None = None,
    ) -> slicer.vtkMRMLSequenceNode | Task | None:
        """Upsample all frames of a sequence node; the input is not changed.

        All frames share one intensity range. The output has the index of the input and is played
        by its sequence browser, or by a new one. If a frame fails or the task is cancelled, there
        is no output. The other arguments are those of `upsample`.

        Returns:
            The output sequence node; otherwise as `upsample`.

        Raises:
            RuntimeError: There is no result; the text is one sentence for the user.
        """
        options = _upsamplingOptions(
            model=model,
            scale=scale,
            slice_axis=sliceAxis,
            device=device,
            precision=precision,
            isotropic=isotropic,
            spacing=spacing,
            between_slices=betweenSlices,
            slice_thickness=sliceThickness,
        )
        return runTask(
            lambda *callbacks: self.startSequence(sequenceNode, options, *callbacks),
            progressCallback,
            onFinished,
            waitForCompletion,
        )

    def upsampleBatch(
        self,
        volumeNodes: Iterable[slicer.vtkMRMLScalarVolumeNode],
        model: str | None = None,
        scale: int | None = None,
        sliceAxis: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        isotropic: bool = False,
        spacing: Sequence[float] | None = None,
        betweenSlices: str | None = None,
        sliceThickness: float | None = None,
        adapt: int = 0,
        waitForCompletion: bool = True,
        progressCallback: ScriptCallback | None = None,
        onFinished: Callable[[BatchTask], None] | None = None,
    ) -> list[VolumeResult] | BatchTask:
        """Upsample volume nodes one after the other; one that fails does not stop the others.

        The other arguments are those of `upsample`.

        Returns:
            A result for every volume: name, outputNode (None without an output) and message (why).
            Finished volumes are kept if the callback cancels the task.

        Raises:
            RuntimeError: Something is missing that all volumes need.
        """
        options = _upsamplingOptions(
            model=model,
            scale=scale,
            slice_axis=sliceAxis,
            device=device,
            precision=precision,
            isotropic=isotropic,
            spacing=spacing,
            between_slices=betweenSlices,
            slice_thickness=sliceThickness,
            adapt=adapt,
        )
        return runTask(
            lambda *callbacks: self.startBatch(volumeNodes, options, *callbacks),
            progressCallback,
            onFinished,
            waitForCompletion,
        )

    def compare(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        methods: Sequence[str] | None = None,
        scale: int = DEFAULT_SCALE,
        reference: bool = True,
        sliceAxis: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        degradation: str = "bicubic",
        noise: float = 0.0,
        seed: int = 0,
        perceptual: str = "none",
        waitForCompletion: bool = True,
        progressCallback: ScriptCallback | None = None,
        onFinished: Callable[[Task], None] | None = None,
    ) -> ComparisonNodes | Task | None:
        """Apply methods to a volume node and measure their results; the input is not changed.

        Args:
            volumeNode: Volume to compare the methods on.
            methods: 2 to 8 names, see `upsample`. None: the interpolations, "bicubic+bp" and the
                installed models of the scale.
            scale: 2, 4 or 8.
            reference: True: degrade and restore the volume. False: upsample the volume itself.
            sliceAxis: See `upsample`.
            device: See `upsample`.
            precision: See `upsample`.
            degradation: "bicubic" or "kspace".
            noise: Rician noise of the degraded volume, percent of the intensity range.
            seed: Seed of the noise.
            perceptual: No-reference metric: "none", "niqe" or "pi".
            waitForCompletion: See `upsample`.
            progressCallback: See `upsample`.
            onFinished: See `upsample`.

        Returns:
            The nodes of the comparison (outputs, table, tableNode, plotChartNode, report,
            remove() …), or None if the callback cancelled the task. Without waiting: the task.

        Raises:
            RuntimeError: There is no result; the text is one sentence for the user.
        """
        with asRuntimeError():
            options = ComparisonOptions(
                methods=methods or default_comparison_methods(scale, ModelStore()),
                scale=scale,
                reference=reference,
                slice_axis=sliceAxis,
                device=device,
                precision=precision,
                degradation=degradation,
                noise=noise,
                seed=seed,
                perceptual=perceptual,
            )
        return runTask(
            lambda *callbacks: self.startComparison(volumeNode, options, *callbacks),
            progressCallback,
            onFinished,
            waitForCompletion,
        )

    def exportDicom(self, outputNode: slicer.vtkMRMLScalarVolumeNode, folder: str) -> None:
        """Write an output as a DICOM series of the same patient and study as its input.

        Args:
            outputNode: Output of `upsample` for a volume from the DICOM database.
            folder: New or empty folder; it is complete at the end, or was not made.

        Raises:
            RuntimeError: The series cannot be written; the text is one sentence for the user.
        """
        with asRuntimeError():
            exportDicom(outputNode, folder)


def _upsamplingOptions(spacing: Sequence[float] | None, **values: Any) -> UpsamplingOptions:
    with asRuntimeError():
        return UpsamplingOptions(spacing=tuple(spacing) if spacing else None, **values)
