"""Stage 2: the generator learns to look real: L_G = perceptual_weight·L_percep + λ·L_adv + η·L_content."""

import torch

from ..losses import content, relativistic
from ..losses.perceptual import perceptual
from .learner import Learner, parts
from .stage import Stage


class GanStage(Stage):
    """discriminator: an untrained network. vgg: features.VGG; None where perceptual_weight is 0.

    The discriminator sees the truth and the output once each in a step: as both networks are changed only after their losses are
    computed, the pass that teaches the generator also teaches the discriminator. (ESRGAN's code makes four passes, with the same values.)

    A part of a batch has other means and other statistics than the whole. Therefore the discriminator always sees the whole batch of
    its process; with a micro-batch only the generator, whose memory is by far the largest, works in parts: first without a graph, and
    then again, with the gradients of its output. So the size of the micro-batch changes nothing but time and memory.
    """

    name = "gan"

    def __init__(self, accelerator, settings, numbers, generator, discriminator, vgg):
        super().__init__(accelerator, settings, numbers, generator)
        self.discriminator = Learner(
            accelerator, discriminator, numbers.discriminator_learning_rate, numbers.betas
        )
        self.vgg = vgg.to(accelerator.device) if vgg else None

    @property
    def learners(self):
        return super().learners | {"discriminator": self.discriminator}

    def learn(self, low, high):
        in_parts = len(low) > self.micro_batch
        with torch.set_grad_enabled(not in_parts):
            outputs = [self.generator(part).float() for part in low.split(self.micro_batch)]
        fake = torch.cat(outputs).detach().requires_grad_()
        real_judged, fake_judged = self.discriminator(high), self.discriminator(fake)
        values = {}
        gradient = self._image_gradient(fake, high, values) + self._adversarial_gradient(
            fake, real_judged, fake_judged, values
        )
        for synchronized, (part, part_gradient) in parts(
            (low, gradient), self.micro_batch, self.generator
        ):
            with synchronized:
                self.generator.backward(
                    self.generator(part).float() if in_parts else outputs[0], part_gradient
                )

        values["gradient_norm"] = self.generator.step(self.share)

        loss = relativistic.discriminator_loss(real_judged, fake_judged)
        self.discriminator.backward(loss)
        values |= {
            "discriminator": loss.detach(),
            "real": real_judged.detach().mean(),
            "fake": fake_judged.detach().mean(),
        }
        return values | {"discriminator_gradient_norm": self.discriminator.step(self.share)}

    def _image_gradient(self, fake, high, values):
        """That of perceptual_weight·L_percep + η·L_content with respect to the images."""
        losses = {"content": content.l1(fake, high)}
        total = self.numbers.content_weight * losses["content"]
        if self.vgg:
            losses["perceptual"] = perceptual(self.vgg, fake, high, self.numbers.perceptual_norm)
            total = total + self.numbers.perceptual_weight * losses["perceptual"]
        values |= {name: loss.detach() for name, loss in losses.items()}
        return torch.autograd.grad(self.generator.scaled(total), fake)[0]

    def _adversarial_gradient(self, fake, real_judged, fake_judged, values):
        """That of λ·L_adv; the discriminator's graph is kept for its own loss. The truth teaches the generator nothing, so that its judgment counts as given."""
        loss = relativistic.generator_loss(
            real_judged.detach(), fake_judged, self.numbers.adversarial_terms
        )
        values["adversarial"] = loss.detach()
        return torch.autograd.grad(
            self.generator.scaled(self.numbers.adversarial_weight * loss), fake, retain_graph=True
        )[0]
