"""Everything that can enlarge a slice: the three baselines and the installed networks."""

from . import resample
from .errors import MRISuperResError
from .job import DEFAULT_SCALE
from .models import ModelStore
from .resample import BASELINES

BASELINE_BATCH_PIXELS = 2**22


class BaselineMethod:
    """Interpolation, MATLAB's imresize; needs numpy only."""

    card, device = None, "cpu"

    def __init__(self, name, scale):
        self.name, self.scale = name, scale

    def batch_size(self, height, width):
        return max(1, BASELINE_BATCH_PIXELS // (height * width * self.scale**2))

    def __call__(self, images):
        """(n, h, w) to (n, scale·h, scale·w), of the floating-point type of the input."""
        return resample.upsample(images, self.scale, self.name)


class MethodCache:
    """Finds the method that a job asks for, and keeps loaded networks for the next job.

    store: models.ModelStore, default the installed models.
    """

    def __init__(self, store=None):
        self.store = store or ModelStore()
        self._networks = {}

    def get(self, job):
        """The method of a job: callable on (n, h, w), with name, scale, device, card (None for a baseline), batch_size(h, w).

        Raises MRISuperResError: an unknown model, a model of another scale (kind "model", "settings"), PyTorch missing or
        a device that is not there (kind "environment").
        """
        if job.model in BASELINES:
            return BaselineMethod(job.model, job.scale or DEFAULT_SCALE)
        card = self.store.card(job.model or self.store.default_name(job.scale or DEFAULT_SCALE))
        if job.scale not in (None, card.scale):
            fitting = ", ".join(c.name for c in self.store.cards(job.scale)) or "none"
            raise MRISuperResError(f"The model {card.name} enlarges ×{card.scale}, not ×{job.scale}. Models for ×{job.scale}: {fitting}.", "settings")
        network = _import_network()
        device = network.resolve_device(job.device)
        key = (card.name, card.sha256, str(device))
        if key not in self._networks:
            self._networks[key] = network.NetworkMethod(card, self.store.weights(card), device)
        return self._networks[key]


def _import_network():
    try:
        from . import network
    except ImportError as e:
        raise MRISuperResError(f"The networks need PyTorch and safetensors, which can't be imported here ({e}): "
                               "install them (pip install torch safetensors), or choose a baseline such as bicubic.", "environment") from e
    return network
