"""Stage 1: the generator learns to come near the truth, pixel by pixel."""

from ..losses import content
from .learner import parts
from .stage import Stage


class PsnrStage(Stage):
    """L_content, and where the settings say so a part of the spectral loss: L1 + fft_weight·|FFT|."""

    name = "psnr"

    def learn(self, low, high):
        values = {}
        for synchronized, (part, truth) in parts((low, high), self.micro_batch, self.generator):
            weight = len(part) / len(low)
            with synchronized:
                output = self.generator(part).float()
                losses = {"content": content.l1(output, truth)}
                if self.numbers.fft_weight:
                    losses["fft"] = content.fft_l1(output, truth)
                self.generator.backward(
                    weight * (losses["content"] + self.numbers.fft_weight * losses.get("fft", 0))
                )
            for name, loss in losses.items():
                values[name] = values.get(name, 0) + weight * loss.detach()
        return values | {"gradient_norm": self.generator.step(self.share)}
