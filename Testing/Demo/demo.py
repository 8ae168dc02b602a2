"""The main job in one go: a real volume, enlarged; and all methods beside the truth, as picture and table."""

import argparse
import csv
import sys
from importlib import resources
from pathlib import Path

import numpy as np

from MRISuperResLib.__main__ import main as command_line
from MRISuperResLib.core import slices
from MRISuperResLib.core.errors import MRISuperResError
from MRISuperResLib.core.files import read_volume
from MRISuperResLib.core.job import SCALES, UpscaleJob
from MRISuperResLib.core.methods import BASELINES, MethodCache
from MRISuperResLib.core.reference import ReferenceTest


def sample():
    """A real MRI that comes with a Python package: nibabel's oblique 4D example, of which frame 0 is taken."""
    return Path(str(resources.files("nibabel") / "tests" / "data" / "example4d.nii.gz"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--input", help="another volume (default: nibabel's example4d.nii.gz, frame 0)")
    parser.add_argument("--frame", type=int, help="the frame of a 4D volume")
    parser.add_argument("--scale", type=int, choices=SCALES, default=2)
    arguments = parser.parse_args()
    path = arguments.input or sample()
    frame = 0 if not arguments.input and arguments.frame is None else arguments.frame
    arguments.out.mkdir(parents=True, exist_ok=True)
    name = Path(path).name.split(".")[0]
    output = arguments.out / f"{name}_x{arguments.scale}.nrrd"

    print(f"1. {path}, enlarged ×{arguments.scale}")
    code = command_line(["upscale", str(path), str(output), "--scale", str(arguments.scale)] + (["--frame", str(frame)] if frame is not None else []))
    if code:
        return code
    print(f"2. The same volume as the truth: made smaller ÷{arguments.scale}, then enlarged by every method")
    try:
        files = compare(path, frame, arguments.scale, arguments.out, name)
    except MRISuperResError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    print("Results:", *(f"  {file}" for file in (output, *files)), sep="\n")
    return 0


def compare(path, frame, scale, folder, name):
    """Writes the table and the picture; returns their paths."""
    volume = read_volume(path, frame=frame)
    test = ReferenceTest(volume.array, volume.ijk_to_ras, scale)
    methods = MethodCache()
    rows, middle = [], len(test.reference) // 2

    def picture_of(images):
        return slices.radiological(images[middle], volume.ijk_to_ras, test.axis)

    pictures = {f"low resolution ÷{scale}": picture_of(test.low)}
    for model in (*BASELINES, *(card.name for card in methods.store.cards(scale))):
        method = methods.get(UpscaleJob(model, scale))
        rebuilt = test.rebuild(method)
        scores = test.scores(rebuilt)
        rows.append((model, f"{scores.psnr:.2f}", f"{scores.ssim:.4f}", f"{scores.rmse:.2f}"))
        pictures[f"{model}\n{scores.psnr:.2f} dB, SSIM {scores.ssim:.3f}"] = picture_of(rebuilt)
        print(f"   {model}: PSNR {scores.psnr:.2f} dB, SSIM {scores.ssim:.4f}, RMSE {scores.rmse:.2f}", flush=True)
    pictures["truth"] = picture_of(test.reference)

    table = folder / f"{name}_x{scale}_metrics.csv"
    with open(table, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("method", "psnr_db_peak255", "ssim_wang", "rmse_0_255"))
        writer.writerows(rows)
    picture = folder / f"{name}_x{scale}_slice{middle}.png"
    draw(pictures, picture)
    return table, picture


def draw(pictures, path):
    """The whole slice above, its most detailed part below, the same grey levels everywhere, no smoothing by the display."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    truth = list(pictures.values())[-1]
    y, x, side = most_detailed(truth)
    figure, axes = pyplot.subplots(2, len(pictures), figsize=(2.6 * len(pictures), 5.6))
    for (title, image), (whole, detail) in zip(pictures.items(), axes.T):
        factor = image.shape[0] / truth.shape[0]
        cut = slice(round(y * factor), round((y + side) * factor)), slice(round(x * factor), round((x + side) * factor))
        for axis, part in ((whole, image), (detail, image[cut])):
            axis.imshow(part, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set_axis_off()
        whole.set_title(title, fontsize=9)
        whole.add_patch(pyplot.Rectangle((x * factor - 0.5, y * factor - 0.5), side * factor, side * factor, fill=False, color="yellow"))
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def most_detailed(image):
    """(y, x, side) of the square, a third of the image wide, with the strongest edges."""
    side = min(image.shape) // 3
    edges = np.hypot(*np.gradient(image))
    total = np.pad(edges, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    boxes = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    y, x = np.unravel_index(boxes.argmax(), boxes.shape)
    return int(y), int(x), side


if __name__ == "__main__":
    sys.exit(main())
