"""Command line of the training: train a generator, export it as a model."""

import argparse
import sys

from MRISuperResLib.core.errors import MRISuperResError
from MRISuperResLib.core.job import SCALES
from MRISuperResLib.core.progress import ProgressMeter, duration


def main(argv=None):
    """Exit code 0, or 2 with one sentence for what the user can mend."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run_command(arguments)
    except MRISuperResError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from the last checkpoint.", file=sys.stderr)
        return 130
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m MRISuperResTrainingLib", description="Trains generators for MRISuperRes.")
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train", help="stage 1 (PSNR); goes on where an earlier run in the same folder ended")
    train.add_argument("recipe", help="JSON file, see Recipes/starter.json")
    train.add_argument("--data", required=True, help="the folder that the recipe's paths start from")
    train.add_argument("--scale", required=True, type=int, choices=SCALES)
    train.add_argument("--run", required=True, help="the run's folder")
    train.add_argument("--start-from", metavar="RUN", help="take over the weights of a finished run of another scale")
    train.set_defaults(run_command=_train)
    export = commands.add_parser("export", help="write a finished run as a model: NAME.safetensors and NAME.json")
    export.add_argument("run", help="the run's folder")
    export.add_argument("--name", required=True)
    export.add_argument("--to", required=True, help="folder of the model, for instance MRISuperRes/Resources/Models")
    export.add_argument("--data", required=True, help="the data folder, for the figures on held-out subjects")
    export.set_defaults(run_command=_export)
    return parser


def _train(arguments):
    from .core import dataset, psnr_stage, run_folder
    from .core.recipe import Recipe

    recipe = Recipe.read(arguments.recipe)
    volumes = []
    for source in recipe.of("train"):
        volumes.append(dataset.load(arguments.data, source, arguments.scale))
        print(f"{source.path}: {len(volumes[-1].high)} slices, {volumes[-1].left_out} empty ones left out", flush=True)
    settings = recipe.training
    sampler = dataset.PatchSampler(volumes, arguments.scale, settings.patch[arguments.scale], settings.batch, settings.seed)
    for unused in [v for v in volumes if v not in sampler.used]:
        print(f"{unused.source.path}: not used, smaller than a patch")
    run_folder.write_description(arguments.run, recipe, arguments.scale, arguments.data, sampler.used, arguments.start_from)
    start = psnr_stage.averaged_weights(arguments.start_from) if arguments.start_from else None
    stage = psnr_stage.PsnrStage(arguments.run, recipe.architecture, arguments.scale, settings, sampler, start)
    meter = ProgressMeter()
    meter.update(0, settings.steps - stage.step)
    first = stage.step

    def report(step, steps, loss):
        progress = meter.update(step - first, steps - first)
        print(f"step {step}/{steps}: L1 {loss:.5f}, {progress.rate:.2f} steps/s, {duration(progress.remaining)} left", flush=True)

    stage.train(report)


def _export(arguments):
    from .core.export import export

    card = export(arguments.run, arguments.name, arguments.to, arguments.data)
    print(card.summary())


if __name__ == "__main__":
    sys.exit(main())
