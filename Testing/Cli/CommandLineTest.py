"""The command line: results, messages and exit codes."""

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

import numpy as np

from MRISuperResLib import __version__
from MRISuperResLib.cli.console import Console
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import read_volume, write_volume
from MRISuperResLib.core.volume import Volume
from MRISuperResLib.core.messages import info, warning
from MRISuperResLib.core.models.card_figures import SCORES
from MRISuperResLib.core.progress import Progress
from MRISuperResLib.core.resampling import INTERPOLATIONS

from made_files import (
    EDGE,
    NO_DATA,
    PATIENCE,
    FolderTest,
    array,
    grid,
    run,
    run_with_full_disk,
    subprocess_arguments,
    write_series,
)

BASELINE = ("--model", "bicubic")


class CommandLineTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.input, self.output = self.folder / "in.nii.gz", self.folder / "out.nrrd"
        write_volume(
            self.input,
            Volume(array(shape=(5, 8, 9)), grid(), provenance={"software": "MRISuperRes test"}),
        )
        (self.folder / "in.nii.gz.json").unlink()

    def assert_refused(self, pattern, *words, code=2):
        before = sorted(self.folder.iterdir())
        status, out, err = run(*words)
        self.assertEqual((status, out), (code, ""), err)
        self.assertRegex(err, f"^(note: .*\n|warning: .*\n)*error: .*{pattern}[^\n]*\n$")
        self.assertEqual(sorted(self.folder.iterdir()), before)


class UpsampleTest(CommandLineTest):
    def test_the_last_line_tells_where_the_output_is_and_what_it_is(self):
        code, out, err = run("upsample", self.input, self.output, *BASELINE)
        self.assertEqual(code, 0)
        self.assertRegex(
            out,
            rf"^Done in \d+\.\d s: {re.escape(str(self.output))}, 18×16×5 voxels of "
            r"0\.5625×0\.6×3\.3 mm \(int16\), bicubic ×2\n$",
        )
        self.assertRegex(err, "note: Axial slices \\(k\\): 3.3 mm slice spacing")
        self.assert_files("in.nii.gz", "out.nrrd", "out.nrrd.json")

    def test_a_default_run_that_went_well_prints_no_warning(self):
        code, _, err = run("upsample", self.input, self.output, "--device", "cpu")
        self.assertEqual(code, 0, err)
        self.assertNotIn("warning:", err)

    def test_a_warning_about_the_input_comes_once_and_before_the_work(self):
        (self.folder / "scan").mkdir()
        write_series(self.folder / "scan", 3, modality="CT")
        code, _, err = run("upsample", self.folder / "scan", self.output, *BASELINE)
        self.assertEqual(code, 0, err)
        self.assertEqual(err.count("warning: The modality of the series in scan is CT, not MR."), 1)
        self.assertLess(err.index("warning: The modality"), err.index("slices/s"))
        self.assertEqual(err.count("note: Series"), 1)

    def test_every_option_reaches_the_upsampling(self):
        frames = self.folder / "frames.mha"
        import SimpleITK as sitk

        sitk.WriteImage(
            sitk.GetImageFromArray(np.stack([array()] * 3), isVector=False), str(frames)
        )
        code, _, err = run(
            "upsample",
            frames,
            self.output,
            "--model",
            "nearest",
            "--scale",
            4,
            "--slice-axis",
            "sagittal",
            "--device",
            "cpu",
            "--frame",
            2,
        )
        self.assertEqual(code, 0, err)
        record = json.loads((self.folder / "out.nrrd.json").read_text(encoding="utf-8"))
        self.assertEqual(
            (record["options"]["model"], record["scale"], record["slices"]["axis"]),
            ("nearest", 4, "i"),
        )
        self.assertEqual((record["input"]["file"], record["input"]["frame"]), ("frames.mha", 2))
        np.testing.assert_array_equal(
            read_volume(self.output).array, array().repeat(4, 0).repeat(4, 1)
        )

    def test_mask_and_clip_reach_the_upsampling_and_the_record(self):
        inside = np.zeros((5, 8, 9), np.uint8)
        inside[1:3, 2:6, 3:7] = 1
        mask = self.folder / "mask.nii.gz"
        write_volume(mask, Volume(inside, grid(), provenance={}))
        words = ("--model", "nearest", "--mask", mask, "--clip", "input")
        code, _, err = run("upsample", self.input, self.output, *words)
        self.assertEqual(code, 0, err)
        record = json.loads((self.folder / "out.nrrd.json").read_text(encoding="utf-8"))
        self.assertEqual(record["mask"], {"voxels": 32, "file": "mask.nii.gz"})
        self.assertEqual(record["options"]["clip"], "input")
        large = inside.repeat(2, 1).repeat(2, 2) > 0
        source, result = read_volume(self.input).array, read_volume(self.output).array
        np.testing.assert_array_equal(result[large], source.repeat(2, 1).repeat(2, 2)[large])
        write_volume(mask, Volume(inside[1:], grid(), provenance={}))
        self.assert_refused(
            "do not lie on one voxel grid", "upsample", self.input, self.output, *words
        )

    def test_labels_are_written_on_the_grid_of_the_output(self):
        stored = np.zeros((5, 8, 9), np.uint8)
        stored[1:3, 2:6, 3:7] = 4
        labels, target = self.folder / "labels.nii.gz", self.folder / "labels_x2.nii.gz"
        write_volume(labels, Volume(stored, grid(), is_labels=True))
        words = (*BASELINE, "--labels", labels, target)
        code, out, err = run("upsample", self.input, self.output, *words)
        self.assertEqual(code, 0, err)
        self.assertIn(f"; labels: {target}", out)
        result = read_volume(target, labels=True)
        self.assertTrue(result.is_labels)
        self.assertTrue(result.is_aligned_with(read_volume(self.output)))
        np.testing.assert_array_equal(result.array, stored.repeat(2, 1).repeat(2, 2))

    def test_unusable_labels_are_refused_before_the_work(self):
        labels, target = self.folder / "labels.nii.gz", self.folder / "labels_x2.nii.gz"
        for stored, name, message in (
            (np.full((5, 8, 9), 0.5), target, "not whole numbers"),
            (np.zeros((4, 8, 9), np.uint8), target, "do not lie on one voxel grid"),
            (np.zeros((5, 8, 9), np.uint8), self.output, "would replace the file .*out.nrrd"),
            (np.zeros((5, 8, 9), np.uint8), labels, "is the input itself"),
            (np.zeros((5, 8, 9), np.uint8), "a.txt", "which format to write"),
        ):
            write_volume(labels, Volume(stored, grid()))
            with self.subTest(message):
                words = (*BASELINE, "--labels", labels, name)
                self.assert_refused(message, "upsample", self.input, self.output, *words)

    def test_a_label_map_can_be_the_mask(self):
        mask = self.folder / "mask.nii.gz"
        write_volume(mask, Volume(np.ones((5, 8, 9), np.uint8), grid(), is_labels=True))
        code, _, err = run("upsample", self.input, self.output, *BASELINE, "--mask", mask)
        self.assertEqual(code, 0, err)

    def test_a_series_of_a_dicom_folder_can_be_chosen(self):
        (self.folder / "scan").mkdir()
        write_series(self.folder / "scan", 3, series="1.2.3")
        write_series(self.folder / "scan", 4, series="1.2.4")
        self.assert_refused(
            "holds 2 series: .* Choose one with --series",
            "upsample",
            self.folder / "scan",
            self.output,
            *BASELINE,
        )
        self.assertEqual(
            run("upsample", self.folder / "scan", self.output, *BASELINE, "--series", "1.2.4")[0], 0
        )
        self.assertEqual(read_volume(self.output).array.shape, (4, 12, 8))

    def test_a_result_replaces_an_older_one(self):
        for scale in (2, 4):
            self.assertEqual(
                run("upsample", self.input, self.output, *BASELINE, "--scale", scale)[0], 0
            )
            self.assertEqual(read_volume(self.output).array.shape[1], 8 * scale)
        self.assert_files("in.nii.gz", "out.nrrd", "out.nrrd.json")

    def test_the_input_is_never_the_output(self):
        self.assert_refused("is the input itself", "upsample", self.input, self.input, *BASELINE)

    def test_a_baseline_needs_no_torch(self):
        program = (
            "import sys; from MRISuperResLib.cli.main import main; "
            f"sys.exit(main(['upsample', {str(self.input)!r}, {str(self.output)!r}, "
            "'--model', 'bicubic']) or int('torch' in sys.modules))"
        )
        environment = subprocess_arguments()["env"]
        self.assertEqual(
            subprocess.run(
                [sys.executable, "-c", program],
                env=environment,
                capture_output=True,
                timeout=PATIENCE,
            ).returncode,
            0,
        )

    def test_an_invalid_output_is_refused_before_any_work(self):
        with mock.patch(
            "MRISuperResLib.cli.upsample.read_frames", side_effect=AssertionError("read")
        ):
            for name, pattern in (
                ("out.png", "which format to write"),
                ("none/out.nrrd", "The folder .*none does not exist"),
                ("", "is a folder|which format"),
            ):
                self.assert_refused(pattern, "upsample", self.input, self.folder / name, *BASELINE)

    def test_invalid_options_are_refused_before_any_work(self):
        with mock.patch(
            "MRISuperResLib.cli.upsample.read_frames", side_effect=AssertionError("read")
        ):
            for words, pattern in (
                (("--model", "none-such"), "There is no model “none-such”"),
                (
                    ("--scale", 3, *BASELINE),
                    "argument --scale: invalid choice: 3 .choose from 2, 4, 8",
                ),
                (
                    ("--slice-axis", "up", *BASELINE),
                    "argument --slice-axis: invalid choice: 'up' .choose from .?auto",
                ),
                (("--device", "tpu", *BASELINE), '“device” must be auto, cpu.*, not "tpu"'),
            ):
                self.assert_refused(pattern, "upsample", self.input, self.output, *words)

    def test_a_missing_input_is_named(self):
        self.assert_refused(
            "none.nii does not exist. Check the name",
            "upsample",
            self.folder / "none.nii",
            self.output,
            *BASELINE,
        )


class ArgumentsTest(CommandLineTest):
    def test_wrong_words_are_one_sentence_with_the_way_to_the_help(self):
        for words, pattern in (
            ((), "required: COMMAND; see .* --help"),
            (("upsample",), "required: IN, OUT; see .* upsample --help"),
            (("upsample", "a", "b", "c"), "unrecognized arguments: c; see .* upsample --help"),
            (("upsample", "a", "b", "--scale", "x"), "invalid int value"),
            (("upsample", "a", "b", "--mod", "x"), "unrecognized"),
            (("enhance",), "invalid choice"),
            (("models",), "required: COMMAND"),
        ):
            with self.subTest(words):
                self.assert_refused(pattern, *words)

    def test_help_and_version_exit_with_0(self):
        self.assertEqual(run("--version"), (0, f"MRISuperRes {__version__}\n", ""))
        for words in (
            ("--help",),
            ("upsample", "--help"),
            ("models", "--help"),
            ("models", "show", "-h"),
        ):
            code, out, err = run(*words)
            self.assertEqual((code, err), (0, ""))
            self.assertIn("usage: mrisuperres", out)
        self.assertIn("--slice-axis", run("upsample", "--help")[1])

    def test_the_examples_of_the_help_parse(self):
        from MRISuperResLib.cli import help_texts, parser

        examples = re.findall(
            rf"^  {help_texts.PROGRAM} (.+?)(?:   .*)?$",
            "\n".join(text for name, text in vars(help_texts).items() if name.endswith("EXAMPLES")),
            re.MULTILINE,
        )
        self.assertGreater(len(examples), 15)
        for example in examples:
            parser.parse(example.split())


class ModelsTest(CommandLineTest):
    CARD = {
        "name": "tiny-x4-gan",
        "title": "A tiny model",
        "scale": 4,
        "stage": "gan",
        "sha256": "0" * 64,
        "architecture": {"blocks": 1},
        "anatomy": ["brain", "fetal"],
        "training": {"data": [{"source": "somewhere", "license": "CC0"}], "steps": 5},
        "limits": "Only a test.",
        "made_for": "gpu",
        "metrics": [
            {"data": "sub-9", "anatomy": "brain"}
            | dict(zip(SCORES, (33, 0.9, 5)))
            | {
                "baselines": {
                    name: dict(zip(SCORES, (psnr, 0.8, 8)))
                    for name, psnr in (("nearest", 30), ("bicubic", 31))
                }
            }
        ],
    }

    def setUp(self):
        super().setUp()
        (self.folder / "tiny-x4-gan.json").write_text(json.dumps(self.CARD))
        (self.folder / "tiny-x4-gan.safetensors").write_bytes(bytes(2**20))
        patch = mock.patch.dict(os.environ, MRISUPERRES_MODELS=str(self.folder))
        patch.start()
        self.addCleanup(patch.stop)

    def test_the_list_shows_models_and_baselines(self):
        code, out, _ = run("models", "list")
        self.assertEqual(code, 0)
        self.assertRegex(
            out, r"(?m)^tiny-x4-gan +×4 +gan +– +brain, fetal +GPU +1\.0 MiB +A tiny model$"
        )
        self.assertRegex(out, r"(?m)^fast-x2-psnr +×2 +psnr +fast-x2 +brain, fetal +CPU ")
        for name in INTERPOLATIONS:
            self.assertRegex(out, rf"(?m)^{name} +×2 ×4 ×8 +baseline")

    def test_the_list_as_json_holds_every_card(self):
        code, out, _ = run("models", "list", "--json")
        self.assertEqual(code, 0)
        cards = {card["name"]: card for card in json.loads(out)}
        self.assertEqual(cards["tiny-x4-gan"]["limits"], "Only a test.")
        self.assertLess({"fast-x2-psnr", "fast-x8-gan"}, set(cards))

    def test_a_card_is_shown_in_full(self):
        code, out, _ = run("models", "show", "tiny-x4-gan")
        self.assertEqual(code, 0)
        for text in (
            "A tiny model",
            "GAN model: sharp, may hallucinate detail",
            "anatomy: brain, fetal",
            "- source somewhere, license CC0",
            "steps: 5",
            "Only a test.",
            "0" * 64,
            str(self.folder),
        ):
            self.assertIn(text, out)
        self.assertRegex(
            out,
            "(?m)^PSNR, dB, on volumes of held-out subjects:\\n"
            " +nearest +bicubic +tiny-x4-gan\\nsub-9 +30.00 +31.00 +33.00$",
        )
        self.assertIn("bicubic: Interpolation", run("models", "show", "bicubic")[1])

    def test_an_unknown_model_is_refused_with_the_installed_ones(self):
        self.assert_refused(
            "There is no model “huge”. Installed: .*tiny-x4-gan", "models", "show", "huge"
        )


class StoppedTest(CommandLineTest):
    def assert_stopped(self, code=130):
        status, out, err = run("upsample", self.input, self.output, *BASELINE)
        self.assertEqual((status, out), (code, ""))
        self.assertRegex(err, "error: Cancelled; nothing was written.\n$")
        self.assert_files("in.nii.gz")

    def test_a_stop_at_any_time_leaves_nothing(self):
        def stop(*_, **__):
            signal.raise_signal(signal.SIGINT)

        for place in (
            "cli.upsample.read_frames",
            "cli.console.Console.progress",
            "cli.upsample.upsample_frames",
            "core.io.itk.write_itk",
            "core.io.formats.os.replace",
        ):
            with self.subTest(place), mock.patch(f"MRISuperResLib.{place}", side_effect=stop):
                self.assert_stopped()

    def test_a_stop_that_gets_lost_in_a_library_ends_the_run_before_the_next_batch(self):
        def swallowed(*_):
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                pass

        with mock.patch("MRISuperResLib.cli.console.Console.progress", side_effect=swallowed):
            self.assert_stopped()

    def test_termination_is_a_stop_as_well(self):
        with mock.patch.object(
            Console, "progress", side_effect=lambda *_: signal.raise_signal(signal.SIGTERM)
        ):
            self.assert_stopped(128 + signal.SIGTERM)

    def test_the_signals_of_the_program_around_are_as_they_were_afterwards(self):
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        run("models", "list")
        self.assertEqual(
            (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)), before
        )

    @unittest.skipIf(os.name == "nt", "needs a pseudo-terminal")
    def test_ctrl_c_on_a_terminal_ends_the_process_and_leaves_nothing(self):
        import pty

        write_volume(
            self.input,
            Volume(
                np.zeros((60, 256, 256), np.uint8),
                grid(),
                provenance={"software": "MRISuperRes test"},
            ),
        )
        (self.folder / "in.nii.gz.json").unlink()
        terminal, inside = pty.openpty()
        process = subprocess.Popen(
            **subprocess_arguments("upsample", self.input, self.output, *BASELINE, "--scale", 8),
            stdout=subprocess.PIPE,
            stderr=inside,
        )
        os.close(inside)
        seen = b""
        while b"/60 slices" not in seen:  # the line of progress
            seen += os.read(terminal, 1000)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
        while b"nothing was written" not in seen:
            seen += os.read(terminal, 1000)
        os.close(terminal)
        self.assertEqual((process.returncode, out), (130, b""))
        self.assertNotIn(b"Traceback", seen)
        self.assert_files("in.nii.gz")


class FailureTest(CommandLineTest):
    def test_an_error_of_ours_writes_a_log_and_shows_no_traceback(self):
        with mock.patch(
            "MRISuperResLib.cli.upsample.upsample_frames",
            side_effect=ZeroDivisionError("the secret"),
        ):
            code, out, err = run("upsample", self.input, self.output, *BASELINE)
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(
            err,
            r"^note: Output.*\nerror: Internal error \(ZeroDivisionError\)\. "
            r"Please report it and attach .*[.]log[.]\n$",
        )
        self.assertNotIn("Traceback", err)
        log = Path(re.search(r"attach (\S+\.log)\.", err)[1])
        self.addCleanup(log.unlink)
        self.assertRegex(
            log.read_text(encoding="utf-8"),
            "(?s)MRISuperRes.*in.nii.gz.*Traceback.*ZeroDivisionError: the secret",
        )
        self.assert_files("in.nii.gz")

    def test_out_of_memory_is_reported_with_the_file(self):
        for place in ("cli.upsample.read_frames", "core.upsampling.upsample_volume"):
            with mock.patch(f"MRISuperResLib.{place}", side_effect=MemoryError):
                self.assert_refused(
                    "Out of memory while upsampling in.nii.gz",
                    "upsample",
                    self.input,
                    self.output,
                    *BASELINE,
                )

    def test_a_missing_package_is_named(self):
        with mock.patch(
            "MRISuperResLib.cli.upsample.read_frames",
            side_effect=ModuleNotFoundError(name="SimpleITK"),
        ):
            self.assert_refused(
                "package SimpleITK is missing. Install it: pip install SimpleITK",
                "upsample",
                self.input,
                self.output,
                *BASELINE,
            )

    def test_nothing_says_done_when_the_result_can_not_be_written(self):
        with mock.patch(
            "MRISuperResLib.core.io.itk.write_itk",
            side_effect=OSError(errno.ENOSPC, "No space left on device"),
        ):
            code, out, err = run("upsample", self.input, self.output, *BASELINE)
        self.assertEqual((code, out), (2, ""))
        self.assertRegex(err, "error: .*the disk is full")
        self.assertNotIn("Done", err)
        self.assert_files("in.nii.gz")

    @unittest.skipIf(os.name == "nt", "needs resource limits")
    def test_a_disk_that_is_really_full_keeps_the_old_output(self):
        self.assertEqual(run("upsample", self.input, self.output, *BASELINE)[0], 0)
        before = self.output.read_bytes()
        result = run_with_full_disk(
            "upsample", self.input, self.output, "--model", "bicubic", "--scale", 8
        )
        self.assertEqual((result.returncode, result.stdout), (2, ""), result.stderr)
        self.assertRegex(result.stderr, "error: .*the disk is full")
        self.assertEqual(self.output.read_bytes(), before)
        self.assert_files("in.nii.gz", "out.nrrd", "out.nrrd.json")


class SubprocessTest(CommandLineTest):
    def test_the_module_runs_as_a_program(self):
        result = subprocess.run(
            **subprocess_arguments("upsample", self.input, self.output, *BASELINE),
            capture_output=True,
            timeout=PATIENCE,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(result.stdout.decode().startswith("Done in "))
        result = subprocess.run(
            **subprocess_arguments("upsample", "none.nii", self.output, *BASELINE),
            capture_output=True,
            timeout=PATIENCE,
        )
        self.assertEqual(result.returncode, 2)
        self.assertRegex(
            result.stderr.decode(), r"^error: none\.nii does not exist\. Check the name\.\r?\n$"
        )

    @unittest.skipUnless(EDGE.is_dir(), NO_DATA)
    def test_the_libraries_say_nothing_beside_our_sentences(self):
        for name, code in (
            ("pydicom_JPEG-lossy.dcm", 0),
            ("pydicom_MR_truncated.dcm", 2),
            ("pydicom_rtdose.dcm", 2),
        ):
            with self.subTest(name):
                result = subprocess.run(
                    **subprocess_arguments("upsample", EDGE / name, self.output, *BASELINE),
                    capture_output=True,
                    timeout=PATIENCE,
                )
                self.assertEqual(result.returncode, code)
                for line in result.stderr.decode().splitlines():
                    self.assertRegex(line, r"^(note|warning|error): .*|^\d+/\d+ slices.*")

    def test_a_terminal_without_unicode_is_no_reason_to_fail(self):
        arguments = subprocess_arguments("models", "list")
        arguments["env"] |= {"PYTHONIOENCODING": "ascii"}
        result = subprocess.run(**arguments, capture_output=True, timeout=PATIENCE)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertIn(b"bicubic", result.stdout)

    @unittest.skipIf(os.name == "nt", "needs a pipe that can be closed")
    def test_a_reader_that_has_seen_enough_is_no_error(self):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            result = subprocess.run(
                **subprocess_arguments("models", "list"),
                stdout=pipe,
                stderr=subprocess.PIPE,
                timeout=PATIENCE,
            )
        self.assertEqual((result.returncode, result.stderr), (0, b""))


class Terminal(io.StringIO):
    def isatty(self):
        return True


class ConsoleTest(unittest.TestCase):
    def ticks(self, step):
        times = (n * step for n in range(1000))
        return lambda: next(times)

    def test_a_terminal_shows_one_changing_line_that_messages_replace(self):
        stream = Terminal()
        console = Console(stream, self.ticks(1.0))
        for done in range(3):
            console.progress(Progress(done, 2))
        console.messages([info("slice-axis", "Axial slices.")])
        self.assertNotIn("\n", stream.getvalue().partition("note")[0])
        self.assertRegex(
            stream.getvalue(),
            "\r0/2 slices.*\r1/2 slices.*\r2/2 slices.*\r +\rnote: Axial slices.\n$",
        )

    def test_an_error_replaces_the_progress_that_ctrl_c_interrupts(self):
        stream = Terminal()
        console = Console(stream)
        with (
            mock.patch.object(stream, "flush", side_effect=KeyboardInterrupt),
            self.assertRaises(KeyboardInterrupt),
        ):
            console.progress(Progress(0, 2))
        console.error("Cancelled.")
        self.assertRegex(stream.getvalue(), "^\r0/2 slices\r +\rerror: Cancelled.\n$")

    def test_a_file_gets_a_progress_line_now_and_then_and_the_last_one(self):
        stream = io.StringIO()
        console = Console(stream, self.ticks(0.25))
        for done in range(101):
            console.progress(Progress(done, 100))
        lines = stream.getvalue().splitlines()
        self.assertTrue(3 <= len(lines) <= 11, lines)
        self.assertTrue(lines[-1].startswith("100/100 slices"))

    def test_the_progress_of_a_second_volume_starts_again(self):
        stream = io.StringIO()
        console = Console(stream, self.ticks(10.0))
        for _ in range(2):
            for done in range(3):
                console.progress(Progress(done, 2))
        lines = stream.getvalue().splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["1/2", "2/2", "1/2", "2/2"])

    def test_a_message_is_printed_with_its_level(self):
        stream = io.StringIO()
        console = Console(stream)
        console.messages([info("slice-axis", "Axial slices."), warning("spacing", "Odd spacing.")])
        console.error(str(SuperResolutionError("Too bad.")))
        self.assertEqual(
            stream.getvalue(), "note: Axial slices.\nwarning: Odd spacing.\nerror: Too bad.\n"
        )


if __name__ == "__main__":
    unittest.main()
