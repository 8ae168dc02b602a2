"""Evaluation of models between slices: nearly isotropic volumes, degraded to thick slices."""

import csv
import dataclasses
import io
import unittest

import made_volumes
import safetensors.torch
from made_runs import RunTest
from MRISuperResLib.core.comparison.between_slices import compare_between_slices
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore, write_model
from MRISuperResLib.core.networks import make_generator
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.slice_profile import INTERPOLATIONS
from MRISuperResTrainingLib import api
from MRISuperResTrainingLib.data.sources import read_sources
from MRISuperResTrainingLib.evaluation import report
from MRISuperResTrainingLib.evaluation.evaluate import evaluate
from MRISuperResTrainingLib.evaluation.report import evaluate_into

TINY = {"network": "through-plane", "blocks": 1, "features": 4}
OPTIONS = ComparisonOptions(("nearest", "bicubic"), device="cpu", precision="float32")


class EvaluationBetweenSlicesTest(RunTest):
    def setUp(self):
        super().setUp()
        weights = safetensors.torch.save(make_generator(TINY, 8).state_dict())
        write_model(
            self.folder / "models",
            weights,
            name="between",
            stage="psnr",
            title="Between",
            scale=8,
            architecture=TINY,
        )
        self.registry = MethodRegistry(ModelStore([self.folder / "models"]))

    def sources(self, **spacings):
        """Sources of volumes with these slice spacings, by subject."""
        for seed, (subject, spacing) in enumerate(spacings.items()):
            made_volumes.write(
                self.folder / "data" / f"{subject}.nii.gz",
                made_volumes.tissue(seed, (32, 32, 36)),
                made_volumes.grid(k=spacing),
            )
        return read_sources([self.folder / "data"], "brain")[0]

    def test_the_scores_are_those_of_a_comparison_between_slices(self):
        evaluation = evaluate(self.sources(a=1.0), ["between"], (1,), self.registry, OPTIONS)
        (scores,) = evaluation.volumes
        self.assertEqual((scores.scale, scores.mesh), (1, {}))
        self.assertEqual(evaluation.methods("brain", 1), (*INTERPOLATIONS, "between"))
        expected = compare_between_slices(
            read_volume(self.folder / "data" / "a.nii.gz"),
            ComparisonOptions(
                (*INTERPOLATIONS, "between"),
                scale=1,
                slice_spacing=4.0,
                device="cpu",
                precision="float32",
            ),
            registry=self.registry,
        ).table
        for method in expected.methods:
            self.assertEqual(scores.table.volume_psnr(method), expected.volume_psnr(method))
            summary = evaluation.summary("brain", 1, method, "ssim_wang")
            self.assertEqual(summary.mean, expected.mean(method, "ssim_wang"))

    def test_each_kind_of_model_has_its_own_table(self):
        folder = self.folder / "out"
        folder.mkdir()
        evaluation = evaluate_into(
            folder,
            self.sources(a=1.0, b=3.0),
            ["between"],
            (1, 2),
            self.registry,
            OPTIONS,
            with_hr_slices=True,
        )
        self.assertEqual(
            [(scores.volume, scores.scale) for scores in evaluation.volumes],
            [("a.nii.gz", 1), ("a.nii.gz", 2), ("b.nii.gz", 2)],
        )
        text = (folder / "evaluation.md").read_text()
        self.assertEqual(
            [line for line in text.splitlines() if line.startswith("## ")],
            ["## brain, between slices (1 subject)", "## brain, ×2 (2 subjects)"],
        )
        self.assertIn("degraded to slices about 4 mm apart", text)
        self.assertEqual(
            sorted(path.name for path in (folder / "pictures").iterdir()),
            ["a_a_between-slices.png", "a_a_x2.png", "b_b_x2.png"],
        )
        self.assertEqual(
            sorted(path.name for path in (folder / "hr_slices").iterdir()),
            ["a_a_x2.png", "b_b_x2.png"],
        )
        lines = csv.DictReader(io.StringIO(report.volumes_csv(evaluation)))
        methods = {(line["scale"], line["method"]): line["mesh"] for line in lines}
        self.assertEqual(methods["1", "between"], "")
        self.assertNotIn(("2", "between"), methods)

    def test_volumes_with_thick_slices_are_skipped_with_a_reason(self):
        sources = self.sources(a=1.0, b=3.0)
        evaluation = evaluate(sources, ["between"], (1,), self.registry, OPTIONS)
        self.assertEqual([scores.volume for scores in evaluation.volumes], ["a.nii.gz"])
        (sentence,) = evaluation.skipped
        self.assertRegex(sentence, "b.nii.gz, between slices: .*Choose a nearly isotropic volume")
        (self.folder / "out").mkdir()
        with self.assertRaisesRegex(SuperResolutionError, "Choose a nearly isotropic volume"):
            evaluate_into(
                self.folder / "out", sources[1:], ["between"], (1,), self.registry, OPTIONS
            )

    def test_a_degradation_in_plane_is_refused_before_the_work(self):
        options = dataclasses.replace(OPTIONS, degradation="kspace")
        with self.assertRaisesRegex(SuperResolutionError, "leave out the degradation “kspace”"):
            evaluate(self.sources(a=1.0), ["between"], (1,), self.registry, options)

    def test_a_run_between_slices_is_measured_on_its_held_out_volumes(self):
        uses = {"a": "train", "b": "test"}
        sources = [
            dataclasses.replace(source, use=uses[source.subject])
            for source in self.sources(a=1.0, b=1.2)
        ]
        run = self.train(
            sources=sources,
            scale=8,
            generator=TINY,
            data={"patch": 32, "degradation": "slices"},
            gan=None,
            psnr={"steps": 2},
            validate_every=2,
        )
        for scales in ((), (2,)):
            evaluation = api.evaluate(run=run.path, scales=scales, options=OPTIONS)
            found = {
                (scores.volume, scores.scale): scores.table.methods for scores in evaluation.volumes
            }
            self.assertEqual(found["b.nii.gz", 1], (*INTERPOLATIONS, "psnr-best"))
            self.assertEqual({scale for _, scale in found}, {1, *scales})


if __name__ == "__main__":
    unittest.main()
