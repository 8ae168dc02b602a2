"""GPUs that fail during a run, and GPUs without free memory."""

import tempfile
import unittest
from unittest import mock

import numpy as np
import torch
from MRISuperResLib.core.inference import runner
from MRISuperResLib.core.comparison.compare import compare_methods
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.errors import (
    SuperResolutionError,
    is_device_failure,
    is_out_of_memory,
    translate_device_errors,
)
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.inference.runner import NetworkRunner
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.methods import network as network_module
from MRISuperResLib.core.methods.network import NetworkMethod
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume

from made_models import write_model

AcceleratorError = getattr(
    torch, "AcceleratorError", RuntimeError
)  # older versions of PyTorch have no type for it
FAILED = AcceleratorError(
    "CUDA error: unspecified launch failure\n"
    "CUDA kernel errors might be asynchronously reported at some other API call."
)
FAILURES = (
    FAILED,
    RuntimeError("CUDA error: the launch timed out and was terminated"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    RuntimeError("HIP error: invalid device function"),
    RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
)
NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
OUT_OF_MEMORY = (
    NO_MEMORY,
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    MemoryError(),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 9 bytes"
    ),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
)


class RecognitionTest(unittest.TestCase):
    def raised(self, error):
        def fail():
            raise error

        with self.assertRaises(Exception) as caught:
            translate_device_errors(fail)()
        return caught.exception

    def test_missing_memory_is_recognized_by_type_code_or_token(self):
        with_code = AcceleratorError("CUDA error")
        with_code.error_code = 2
        for error in (*OUT_OF_MEMORY, torch.OutOfMemoryError("another text"), with_code):
            self.assertTrue(is_out_of_memory(error), error)
        self.assertFalse(
            any(
                map(
                    is_out_of_memory,
                    (*FAILURES, RuntimeError("shape mismatch"), ValueError("out of memory")),
                )
            )
        )

    def test_the_error_of_a_failed_device_has_its_reason_and_what_to_do(self):
        for error in FAILURES:
            found = self.raised(error)
            self.assertEqual((type(found), found.kind), (SuperResolutionError, "device"))
            self.assertIn(str(error).splitlines()[0], str(found))
            self.assertIn("Start again. If it fails again, choose the device cpu", str(found))
            self.assertNotIn("\n", str(found))

    def test_missing_memory_without_a_fallback_becomes_an_error(self):
        for error in OUT_OF_MEMORY:
            if not isinstance(error, MemoryError):
                self.assertEqual(
                    (self.raised(error).kind, "\n" in str(self.raised(error))), ("memory", False)
                )

    def test_an_error_of_the_accelerator_is_a_failure_whatever_its_text(self):
        if AcceleratorError is RuntimeError:
            self.skipTest("this version of PyTorch has no type for it")
        self.assertTrue(is_device_failure(AcceleratorError("another text")))
        self.assertFalse(is_device_failure(RuntimeError("another text")))

    def test_other_errors_are_raised_unchanged(self):
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
        self.registry = MethodRegistry(ModelStore([folder]))
        self.array = np.random.default_rng(0).integers(0, 1000, (3, 24, 20)).astype(np.int16)

    def run_upsampling(self, **options):
        return upsample_volume(
            Volume(self.array, np.eye(4)),
            UpsamplingOptions("tiny", 2, "k", "cpu", **{"precision": "float32", **options}),
            registry=self.registry,
        )


class FailureTest(WithModel):
    """The run ends, since results of a failing GPU may be wrong."""

    STAGES = {
        "loading": "torch.nn.Module.to",
        "uploading": "MRISuperResLib.core.methods.network.NetworkMethod.upload",
        "computing": "MRISuperResLib.core.inference.runner.run_network",
        "fetching": "MRISuperResLib.core.inference.runner._fetch",
        "arriving": "MRISuperResLib.core.methods.network.restore",
    }

    def test_a_gpu_that_fails_at_any_stage_ends_the_run_with_an_error(self):
        for stage, target in self.STAGES.items():
            for function in (self.run_upsampling, self.compare):
                if function == self.compare and stage == "arriving":
                    continue  # a comparison fetches float32
                with (
                    self.subTest(stage, function=function.__name__),
                    mock.patch(target, side_effect=FAILED),
                    self.assertRaises(SuperResolutionError) as caught,
                ):
                    function()
                self.assertEqual(caught.exception.kind, "device")
                self.assertRegex(
                    str(caught.exception),
                    r"^The GPU failed \(CUDA error: unspecified launch failure\); nothing was ",
                )

    def compare(self):
        return compare_methods(
            Volume(self.array, np.eye(4)),
            ComparisonOptions(
                ("bicubic", "tiny"), 2, slice_axis="k", device="cpu", precision="float32"
            ),
            registry=self.registry,
        )

    def test_a_failure_while_waiting_for_a_result_ends_the_run(self):
        """As with asynchronous copies: the call that waits for the third batch raises."""
        real, waits = runner._fetch, []

        def fetch(tensor):
            arrived = real(tensor)

            def wait():
                waits.append(tensor)
                if len(waits) == 3:
                    raise FAILED
                return arrived()

            return wait

        with (
            mock.patch.object(runner, "_fetch", fetch),
            self.assertRaises(SuperResolutionError) as caught,
        ):
            self.run_upsampling()
        self.assertEqual((caught.exception.kind, len(waits)), ("device", 3))


class FullGpuTest(WithModel):
    """The CPU replaces a GPU without free memory, with the same result."""

    def setUp(self):
        super().setUp()
        self.expected = self.run_upsampling().array

    def test_a_network_that_does_not_fit_on_the_gpu_runs_on_the_cpu_with_a_message(
        self,
    ):
        network, moves = (
            self.registry.get(UpsamplingOptions("tiny", 2, device="cpu", precision="float32")),
            [],
        )

        def to(module, device):
            moves.append(device.type)
            if device.type != "cpu":
                raise NO_MEMORY
            return module

        with mock.patch.object(torch.nn.Module, "to", to):
            network_runner = NetworkRunner(network._net, torch.device("meta"))  # stands for a GPU
        self.assertEqual(
            (moves, network_runner.device.type, network_runner.dtype),
            (["meta", "cpu"], "cpu", torch.float32),
        )
        self.assertEqual(
            [str(message) for message in network_runner.messages],
            ["Out of memory on meta; continued on the CPU (same result)."],
        )
        with mock.patch.object(network, "_runner", network_runner):
            found = network(self.array.astype(np.float32))
            self.assertEqual(network.batch_size(500, 500), 1)
        np.testing.assert_array_equal(found, network(self.array.astype(np.float32)))

    def test_slices_that_do_not_fit_on_the_gpu_stay_on_the_cpu(self):
        network = self.registry.get(UpsamplingOptions("tiny", 2, device="cpu", precision="float32"))
        with (
            mock.patch.object(NetworkMethod, "device", torch.device("cuda")),
            mock.patch.object(torch.Tensor, "pin_memory", side_effect=NO_MEMORY),
        ):
            self.assertEqual(network.upload(self.array).device.type, "cpu")
        with (
            mock.patch.object(NetworkMethod, "device", torch.device("cuda")),
            mock.patch.object(torch.Tensor, "pin_memory", side_effect=FAILED),
            self.assertRaises(AcceleratorError),
        ):
            network.upload(self.array)

    def test_half_precision_is_not_used_without_memory_to_check_it(self):
        with (
            mock.patch(
                "MRISuperResLib.core.inference.device.half_dtype", lambda device: torch.bfloat16
            ),
            mock.patch(
                "MRISuperResLib.core.methods.network.half_precision_error", side_effect=NO_MEMORY
            ),
        ):
            result = self.run_upsampling(precision="half")
        self.assertEqual(result.provenance["precision"], "float32")
        self.assertIn("not enough memory to check bfloat16", str(result.messages[-1]))
        np.testing.assert_array_equal(result.array, self.expected)

    def test_slices_are_computed_one_by_one_if_measuring_one_exceeds_the_memory(self):
        network = self.registry.get(UpsamplingOptions("tiny", 2, device="cpu", precision="float32"))
        devices = iter([torch.device("cuda"), torch.device("cuda"), torch.device("cpu")])
        with (
            mock.patch.object(
                NetworkMethod,
                "device",
                mock.PropertyMock(side_effect=lambda: next(devices, torch.device("cpu"))),
            ),
            mock.patch.object(network_module, "peak_memory", return_value=0),
        ):
            self.assertEqual(network.batch_size(64, 64), 1)
        self.assertEqual(network._slice_bytes, {})

    def test_weights_that_do_not_fit_into_memory_are_not_called_damaged(self):
        for error, kind in ((NO_MEMORY, SuperResolutionError), (MemoryError(), MemoryError)):
            with (
                mock.patch("safetensors.torch.load", side_effect=error),
                self.assertRaises(kind) as caught,
            ):
                MethodRegistry(self.registry.store).get(UpsamplingOptions("tiny", 2, device="cpu"))
            self.assertEqual(getattr(caught.exception, "kind", "memory"), "memory")


del WithModel  # a base, without tests of its own

if __name__ == "__main__":
    unittest.main()
