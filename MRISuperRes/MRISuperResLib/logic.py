"""What a script can ask for: a volume, a sequence, many volumes, a comparison; until it is finished, or in the background."""

from .core.methods.registry import default_comparison_methods
from .core.models.store import ModelStore
from .core.options import DEFAULT_SCALE, ComparisonOptions, UpsamplingOptions
from .scene.batch import BatchTask
from .scene.comparison_task import ComparisonTask
from .scene.dicom_export import exportDicom
from .scene.sequence_task import SequenceTask
from .scene.volume_task import VolumeTask
from .widgets.scripted_run import asRuntimeError, scriptedRun
from .worker.client import sharedWorkerProcess


class Scripting:
    """A base of MRISuperResLogic. What the user can mend is a RuntimeError with one sentence, everywhere.

    The start… functions start a run in the background and return it; their onProgress and onFinished: see mrml.scene_job.SceneTask.
    """

    _worker = None

    @property
    def worker(self):
        if self._worker is None:
            self._worker = sharedWorkerProcess()
        return self._worker

    def cleanup(self):
        """Ends the worker process; it starts again with the next run."""
        if self._worker is not None:
            self._worker.cleanup()

    def start(self, volumeNode, job, outputVolume=None, onProgress=None, onFinished=None):
        """job: UpsamplingOptions; the rest: see VolumeTask."""
        with asRuntimeError():
            return VolumeTask(self.worker, volumeNode, job, outputVolume, onProgress, onFinished)

    def startSequence(self, sequenceNode, job, onProgress=None, onFinished=None):
        """job: UpsamplingOptions; the rest: see SequenceTask."""
        with asRuntimeError():
            return SequenceTask(self.worker, sequenceNode, job, onProgress, onFinished)

    def startBatch(self, volumeNodes, job, onProgress=None, onFinished=None, onChanged=None):
        """job: UpsamplingOptions; the rest: see BatchTask."""
        with asRuntimeError():
            return BatchTask(self.worker, volumeNodes, job, onProgress, onFinished, onChanged)

    def startComparison(self, volumeNode, job, onProgress=None, onFinished=None):
        """job: ComparisonOptions; the rest: see ComparisonTask."""
        with asRuntimeError():
            return ComparisonTask(self.worker, volumeNode, job, onProgress, onFinished)

    def upsample(
        self,
        volumeNode,
        model=None,
        scale=None,
        axis="auto",
        device="auto",
        precision="auto",
        outputVolume=None,
        waitForCompletion=True,
        progressCallback=None,
        onFinished=None,
    ):
        """Makes the super-resolved volume of a volume node; the input is not changed.

        model: name of an installed model, or "nearest", "bilinear", "bicubic"; "PAIR@0.5" for the blend of a PSNR and a GAN
        model, "NAME+bp" for a result that is made to agree with the input; None: the default model of the scale.
        scale: 2, 4 or 8; None: the model's own. axis: "auto", "axial", "sagittal", "coronal", "i", "j" or "k": the slices.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps". precision: "float32", or "auto" for half precision where the device is made
        for it and the result is near. outputVolume: a volume node to be replaced; None: a new one.
        progressCallback(done, total): in slices; where it returns False, the run is cancelled.

        waitForCompletion=True: returns the output node, or None where the progress callback has cancelled the run. The
        application stays alive meanwhile. Raises RuntimeError with one sentence for the user where there is no result.
        waitForCompletion=False: returns a VolumeTask at once, with cancel(), state, message and outputNode;
        onFinished(job) is called at its end, however it ends.
        """
        job = _upsamplingOptions(model, scale, axis, device, precision)
        run = scriptedRun(
            lambda onProgress, onEnd: self.start(volumeNode, job, outputVolume, onProgress, onEnd),
            progressCallback,
            onFinished,
            waitForCompletion,
        )
        return run.outputNode if waitForCompletion else run

    def exportDicom(self, outputNode, folder):
        """Writes an output as a DICOM series that is derived from that of its input: same patient, study and place, marked as synthetic.

        outputNode: what `upsample` has made of a volume that was loaded from the DICOM database of the application. folder: is made, or is
        empty. The series is there complete, or not at all. Raises RuntimeError with one sentence for the user.
        """
        with asRuntimeError():
            exportDicom(outputNode, folder)

    def upsampleSequence(
        self,
        sequenceNode,
        model=None,
        scale=None,
        axis="auto",
        device="auto",
        precision="auto",
        waitForCompletion=True,
        progressCallback=None,
        onFinished=None,
    ):
        """Makes the super-resolved sequence of a sequence node of scalar volumes, frame by frame, with the same index; the input is not changed.

        The gray levels of all frames are mapped alike. The output is played together with the input where that has a sequence browser, else in one of
        its own. Where a frame fails or the run is cancelled, nothing is made.
        Parameters, and what is returned: see `upsample`, with a SequenceTask; progress is counted in the slices of all frames.
        """
        job = _upsamplingOptions(model, scale, axis, device, precision)
        run = scriptedRun(
            lambda onProgress, onEnd: self.startSequence(sequenceNode, job, onProgress, onEnd),
            progressCallback,
            onFinished,
            waitForCompletion,
        )
        return run.outputNode if waitForCompletion else run

    def upsampleBatch(
        self,
        volumeNodes,
        model=None,
        scale=None,
        axis="auto",
        device="auto",
        precision="auto",
        waitForCompletion=True,
        progressCallback=None,
        onFinished=None,
    ):
        """Makes the super-resolved volumes of several volume nodes, one after the other. One that fails does not stop the others.

        Returns a list with an mrml.many_job.VolumeResult for each: name, outputNode (None without a result) and message (why). Where the progress
        callback cancels the run, what is finished stays. With waitForCompletion=False: a BatchTask, with cancel(), state, message and results.
        Raises RuntimeError where something is missing that all volumes need. The rest: see `upsample`.
        """
        job = _upsamplingOptions(model, scale, axis, device, precision)
        run = scriptedRun(
            lambda onProgress, onEnd: self.startBatch(volumeNodes, job, onProgress, onEnd),
            progressCallback,
            onFinished,
            waitForCompletion,
        )
        return run.results if waitForCompletion else run

    def compare(
        self,
        volumeNode,
        methods=None,
        scale=DEFAULT_SCALE,
        reference=True,
        axis="auto",
        device="auto",
        precision="auto",
        degradation="bicubic",
        noise=0.0,
        seed=0,
        perceptual="none",
        waitForCompletion=True,
        progressCallback=None,
        onFinished=None,
    ):
        """Lets several methods work on a volume and measures them; the input is not changed.

        methods: names as in `upsample`, 2 to 8 of them; None: the interpolations, "bicubic+bp" and the installed models.
        reference: True where the volume is the truth, which is degraded and restored; False where it is enlarged itself.
        degradation: "bicubic" or "kspace". noise: Rician, in % of the intensity range, with a seed. perceptual: "none", "niqe"
        or "pi". The rest: see `upsample`.

        Returns the ComparisonNodes (outputs, table, tableNode, plotChartNode, report, remove() …), or with
        waitForCompletion=False a ComparisonTask with cancel(), state, message and comparison. Errors: see `upsample`.
        """
        with asRuntimeError():
            job = ComparisonOptions(
                methods or default_comparison_methods(scale, ModelStore()),
                scale,
                reference,
                axis,
                device,
                precision,
                degradation,
                noise,
                seed,
                perceptual,
            )
        run = scriptedRun(
            lambda onProgress, onEnd: self.startComparison(volumeNode, job, onProgress, onEnd),
            progressCallback,
            onFinished,
            waitForCompletion,
        )
        return run.comparison if waitForCompletion else run


def _upsamplingOptions(model, scale, axis, device, precision):
    with asRuntimeError():
        return UpsamplingOptions(
            model=model, scale=scale, slice_axis=axis, device=device, precision=precision
        )
