"""A GPU that fails in the middle of a run, and one without room: what is said, and what goes on."""

import tempfile
import unittest
from unittest import mock

import numpy as np
import torch
from MRISuperResLib.core.inference.errors import translate_device_errors
from MRISuperResLib.core.inference import gpu_memory, runner
from MRISuperResLib.core.comparison.compare import compare
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.inference.errors import is_out_of_memory
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.inference.runner import NetworkRunner
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.methods.network import NetworkMethod
from MRISuperResLib.core.upsampling import upsample

from made_models import write_model

AcceleratorError = getattr(
    torch, "AcceleratorError", RuntimeError
)  # older versions of PyTorch have no type for it
GONE = AcceleratorError(
    "CUDA error: unspecified launch failure\nCUDA kernel errors might be asynchronously reported at some other API call."
)
LOSSES = (
    GONE,
    RuntimeError("CUDA error: the launch timed out and was terminated"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    RuntimeError("HIP error: invalid device function"),
    RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
)
NO_ROOM = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
SHORTAGES = (
    NO_ROOM,
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    MemoryError(),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
    ),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
)


class WordsTest(unittest.TestCase):
    def raised(self, error):
        def fail():
            raise error

        with self.assertRaises(Exception) as caught:
            translate_device_errors(fail)()
        return caught.exception

    def test_want_of_memory_is_recognized_by_its_words(self):
        self.assertTrue(all(map(is_out_of_memory, SHORTAGES)))
        self.assertFalse(
            any(
                map(
                    is_out_of_memory,
                    (*LOSSES, RuntimeError("shape mismatch"), ValueError("out of memory")),
                )
            )
        )

    def test_a_device_that_has_failed_is_told_with_its_reason_and_what_to_do(self):
        for error in LOSSES:
            found = self.raised(error)
            self.assertEqual((type(found), found.kind), (SuperResolutionError, "device"))
            self.assertIn(str(error).splitlines()[0], str(found))
            self.assertIn(
                "start the run again; if it fails again, choose the device cpu", str(found)
            )
            self.assertNotIn("\n", str(found))

    def test_want_of_memory_that_nobody_could_mend_is_told(self):
        for error in SHORTAGES:
            if not isinstance(error, MemoryError):
                self.assertEqual(
                    (self.raised(error).kind, "\n" in str(self.raised(error))), ("memory", False)
                )

    def test_any_other_error_stays_what_it_is(self):
        for error in (
            RuntimeError("shape mismatch"),
            MemoryError(),
            KeyError("x"),
            SuperResolutionError("Mine.", "model"),
        ):
            self.assertIs(self.raised(error), error)


class WithModel(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        write_model(folder, "tiny", architecture={"network": "compact", "blocks": 1, "features": 4})
        self.methods = MethodRegistry(ModelStore([folder]))
        self.volume = np.random.default_rng(0).integers(0, 1000, (3, 24, 20)).astype(np.int16)

    def run_job(self, **job):
        return upsample(
            self.volume,
            np.eye(4),
            UpsamplingOptions("tiny", 2, "k", "cpu", **{"precision": "float32", **job}),
            self.methods,
        )


class LossTest(WithModel):
    """The run ends: what a failing GPU has computed may be wrong."""

    STAGES = {
        "loading": "torch.nn.Module.to",
        "uploading": "MRISuperResLib.core.methods.network.NetworkMethod.upload",
        "computing": "MRISuperResLib.core.inference.runner.run",
        "fetching": "MRISuperResLib.core.inference.runner._fetch",
        "arriving": "MRISuperResLib.core.methods.network.restore",
    }

    def test_a_gpu_that_vanishes_at_any_stage_ends_the_run_with_a_sentence(self):
        for stage, target in self.STAGES.items():
            for function in (self.run_job, self.compare):
                if function == self.compare and stage == "arriving":
                    continue  # a comparison fetches single precision
                with (
                    self.subTest(stage, function=function.__name__),
                    mock.patch(target, side_effect=GONE),
                    self.assertRaises(SuperResolutionError) as caught,
                ):
                    function()
                self.assertEqual(caught.exception.kind, "device")
                self.assertRegex(
                    str(caught.exception),
                    r"^The GPU has failed \(CUDA error: unspecified launch failure\), nothing was changed: ",
                )

    def compare(self):
        return compare(
            self.volume,
            np.eye(4),
            ComparisonOptions(("bicubic", "tiny"), 2, slice_axis="k", device="cpu", precision="float32"),
            self.methods,
        )

    def test_a_result_that_does_not_arrive_ends_the_run(self):
        """As with asynchronous copies: the call that waits for the third batch says so."""
        real, waits = runner._fetch, []

        def fetch(tensor):
            arrived = real(tensor)

            def wait():
                waits.append(tensor)
                if len(waits) == 3:
                    raise GONE
                return arrived()

            return wait

        with (
            mock.patch.object(runner, "_fetch", fetch),
            self.assertRaises(SuperResolutionError) as caught,
        ):
            self.run_job()
        self.assertEqual((caught.exception.kind, len(waits)), ("device", 3))


class NoRoomTest(WithModel):
    """A GPU whose memory others have taken: the CPU does it, with the same result."""

    def setUp(self):
        super().setUp()
        self.expected = self.run_job().volume

    def test_a_network_that_does_not_even_fit_on_the_gpu_runs_on_the_cpu_and_a_sentence_says_so(
        self,
    ):
        network, moves = (
            self.methods.get(UpsamplingOptions("tiny", 2, device="cpu", precision="float32")),
            [],
        )

        def to(module, device):
            moves.append(device.type)
            if device.type != "cpu":
                raise NO_ROOM
            return module

        with mock.patch.object(torch.nn.Module, "to", to):
            saver = NetworkRunner(network._net, torch.device("meta"))  # stands for a GPU
        self.assertEqual(
            (moves, saver.device.type, saver.dtype), (["meta", "cpu"], "cpu", torch.float32)
        )
        self.assertIn(
            "The memory of the device meta was not enough: the slices were computed on the CPU; the result is the same.",
            saver.messages,
        )
        with mock.patch.object(network, "_run", saver):
            found = network(self.volume.astype(np.float32))
            self.assertEqual(network.batch_size(500, 500), 1)
        np.testing.assert_array_equal(found, network(self.volume.astype(np.float32)))

    def test_slices_that_do_not_fit_on_the_gpu_wait_on_the_cpu(self):
        network = self.methods.get(UpsamplingOptions("tiny", 2, device="cpu", precision="float32"))
        with (
            mock.patch.object(NetworkMethod, "device", torch.device("cuda")),
            mock.patch.object(torch.Tensor, "pin_memory", side_effect=NO_ROOM),
        ):
            self.assertEqual(network.upload(self.volume).device.type, "cpu")
        with (
            mock.patch.object(NetworkMethod, "device", torch.device("cuda")),
            mock.patch.object(torch.Tensor, "pin_memory", side_effect=GONE),
            self.assertRaises(AcceleratorError),
        ):
            network.upload(self.volume)

    def test_where_there_is_no_room_to_look_at_half_precision_it_is_not_taken(self):
        with (
            mock.patch(
                "MRISuperResLib.core.methods.network.half_dtype", lambda device: torch.bfloat16
            ),
            mock.patch("MRISuperResLib.core.methods.network.difference", side_effect=NO_ROOM),
        ):
            result = self.run_job(precision="auto")
        self.assertEqual(result.provenance["precision"], "float32")
        np.testing.assert_array_equal(result.volume, self.expected)

    def test_a_slice_that_left_the_gpu_while_it_was_measured_goes_alone(self):
        network = self.methods.get(UpsamplingOptions("tiny", 2, device="cpu", precision="float32"))
        devices = iter([torch.device("cuda"), torch.device("cuda"), torch.device("cpu")])
        with (
            mock.patch.object(
                NetworkMethod,
                "device",
                mock.PropertyMock(side_effect=lambda: next(devices, torch.device("cpu"))),
            ),
            mock.patch.object(gpu_memory, "peak", return_value=0),
        ):
            self.assertEqual(network.batch_size(64, 64), 1)
        self.assertEqual(network._slice_bytes, {})

    def test_weights_for_which_there_is_no_room_are_not_called_damaged(self):
        for error, kind in ((NO_ROOM, SuperResolutionError), (MemoryError(), MemoryError)):
            with (
                mock.patch("safetensors.torch.load", side_effect=error),
                self.assertRaises(kind) as caught,
            ):
                MethodRegistry(self.methods.store).get(UpsamplingOptions("tiny", 2, device="cpu"))
            self.assertEqual(getattr(caught.exception, "kind", "memory"), "memory")


del WithModel  # a base, without tests of its own

if __name__ == "__main__":
    unittest.main()
