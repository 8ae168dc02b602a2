"""What can be told of the computer without PyTorch."""

import ctypes
import subprocess
import sys
import unittest
from unittest import mock

from MRISuperResLib.core import system


class Nvml:
    """NVIDIA's library on a computer with so many GPUs; status: what its calls return, 0 where they succeed."""

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

    def test_there_is_one_where_the_driver_knows_one(self):
        for platform_name, name in (("linux", "libnvidia-ml.so.1"), ("win32", "nvml.dll")):
            self.assertIs(self.found(platform_name, Nvml(1)), True)
            self.assertEqual(self.name, name)

    def test_there_is_none_without_a_driver_without_a_card_or_where_the_driver_fails(self):
        for library in (OSError("no such file"), Nvml(0), Nvml(1, status=9), object()):
            self.assertIs(self.found("linux", library), False)
        self.assertIs(self.found("freebsd14", Nvml(1)), False)

    def test_a_mac_has_one_if_apple_made_its_processor(self):
        self.assertIs(self.found("darwin", Nvml(1), "arm64"), True)
        self.assertIs(self.found("darwin", Nvml(1), "x86_64"), False)

    def test_this_computer_is_asked_without_importing_torch(self):
        program = "import sys; from MRISuperResLib.core import system; assert system.has_gpu() in (True, False); assert 'torch' not in sys.modules"
        subprocess.run([sys.executable, "-c", program], check=True)


class MachineTest(unittest.TestCase):
    def test_automatic_means_the_gpu_where_there_is_one_and_a_named_device_is_that(self):
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


class FreeMemoryTest(unittest.TestCase):
    def test_free_memory_is_that_which_programs_can_still_have(self):
        with (
            mock.patch.object(system.sys, "platform", "linux"),
            mock.patch.object(
                system.Path, "read_text", lambda *a, **k: "MemFree: 1 kB\nMemAvailable:  2048 kB\n"
            ),
        ):
            self.assertEqual(system.available_memory(), 2 * 2**20)

    def test_free_memory_is_not_known_where_the_system_does_not_tell(self):
        for text in ("", "MemAvailable: much"):
            with (
                mock.patch.object(system.sys, "platform", "linux"),
                mock.patch.object(system.Path, "read_text", lambda *a, **k: text),
            ):
                self.assertIsNone(system.available_memory())
        with (
            mock.patch.object(system.sys, "platform", "darwin"),
            mock.patch.object(system.Path, "read_text", side_effect=FileNotFoundError),
        ):
            self.assertIsNone(system.available_memory())


if __name__ == "__main__":
    unittest.main()
