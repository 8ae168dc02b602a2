"""Hardware queries without PyTorch."""

import ctypes
import os
import subprocess
import sys
import unittest
from unittest import mock

from MRISuperResLib.core import system


class Nvml:
    """NVIDIA's library on a computer with some GPUs; status: return code, 0 for success."""

    def __init__(self, gpus, status=0):
        self._gpus, self._status = gpus, status

    def nvmlInit_v2(self):
        return self._status

    def nvmlDeviceGetCount_v2(self, count):
        ctypes.cast(count, ctypes.POINTER(ctypes.c_uint))[0] = self._gpus
        return self._status


class GpuTest(unittest.TestCase):
    def found(self, platform_name, library, processor="x86_64"):
        with (
            mock.patch.object(sys, "platform", platform_name),
            mock.patch("platform.machine", return_value=processor),
            mock.patch.object(ctypes, "CDLL", side_effect=[library]) as loaded,
        ):
            found = system.has_gpu.__wrapped__()
        self.name = loaded.call_args and loaded.call_args[0][0]
        return found

    def test_gpu_is_found_if_the_driver_lists_one(self):
        for platform_name, name in (("linux", "libnvidia-ml.so.1"), ("win32", "nvml.dll")):
            self.assertIs(self.found(platform_name, Nvml(1)), True)
            self.assertEqual(self.name, name)

    def test_no_gpu_is_found_without_driver_without_card_or_with_a_failing_driver(self):
        for library in (OSError("no such file"), Nvml(0), Nvml(1, status=9), object()):
            self.assertIs(self.found("linux", library), False)
        self.assertIs(self.found("freebsd14", Nvml(1)), False)

    def test_mac_has_a_gpu_if_it_has_apple_silicon(self):
        self.assertIs(self.found("darwin", Nvml(1), "arm64"), True)
        self.assertIs(self.found("darwin", Nvml(1), "x86_64"), False)

    def test_query_imports_no_torch(self):
        code = (
            "import sys; from MRISuperResLib.core import system; "
            "assert system.has_gpu() in (True, False); assert 'torch' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class ThreadsTest(unittest.TestCase):
    def policy(self, **environment):
        """OMP_WAIT_POLICY of a process that has run the command line."""
        code = "import os; from MRISuperResLib.cli.main import main; main(['--version']); "
        inherited = {key: os.environ[key] for key in os.environ if not key.startswith("OMP_")}
        result = subprocess.run(
            [sys.executable, "-c", code + "print(os.environ['OMP_WAIT_POLICY'])"],
            env=inherited | environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return result.stdout.split()[-1]

    def test_waiting_threads_sleep_unless_the_user_chose_otherwise(self):
        self.assertEqual(self.policy(), "passive")
        self.assertEqual(self.policy(OMP_WAIT_POLICY="active"), "active")


class DeviceKindTest(unittest.TestCase):
    def test_auto_is_the_gpu_if_there_is_one_and_a_named_device_is_kept(self):
        for gpu, device, machine in (
            (True, "auto", "gpu"),
            (False, "auto", "cpu"),
            (True, "cpu", "cpu"),
            (False, "cuda", "gpu"),
            (False, "cuda:1", "gpu"),
            (False, "mps", "gpu"),
        ):
            with (
                self.subTest(device, gpu=gpu),
                mock.patch.object(system, "has_gpu", return_value=gpu),
            ):
                self.assertEqual(system.device_kind(device), machine)


class AvailableMemoryTest(unittest.TestCase):
    def test_available_memory_is_that_of_psutil_where_it_is_installed(self):
        psutil = mock.Mock()
        psutil.virtual_memory.return_value.available = 3 * 2**30
        with mock.patch.dict(sys.modules, {"psutil": psutil}):
            self.assertEqual(system.available_memory(), 3 * 2**30)

    def test_available_memory_is_read_from_linux_without_psutil(self):
        text = "MemFree: 1 kB\nMemAvailable:  2048 kB\n"
        with (
            self.without_psutil(),
            mock.patch.object(system.Path, "read_text", lambda *_, **__: text),
        ):
            self.assertEqual(system.available_memory(), 2 * 2**20)

    def test_available_memory_is_unknown_elsewhere_without_psutil(self):
        for text in ("", "MemAvailable: much"):
            with (
                self.without_psutil(),
                mock.patch.object(system.Path, "read_text", lambda *_, **__: text),
            ):
                self.assertIsNone(system.available_memory())
        with (
            self.without_psutil(),
            mock.patch.object(system.Path, "read_text", side_effect=FileNotFoundError),
        ):
            self.assertIsNone(system.available_memory())

    @staticmethod
    def without_psutil():
        return mock.patch.dict(sys.modules, {"psutil": None})


if __name__ == "__main__":
    unittest.main()
