"""Everything that can enlarge a slice: the three baselines, the installed networks, blends of them, and their back-projection.

A method is callable, (n, h, w), normalized, to (n, scale·h, scale·w), and has: name, scale, device, precision (the name of the type in which it
computes), stage ("interpolation", "psnr", "gan" or "blend"), cards (of its networks), messages (sentences on how it had to work), batch_size(h, w),
and start(images, intensity): begins to enlarge, and returns a function that gives the result in the stored type of an intensity.Intensity.
Baselines and networks also take what their upload(images) returns, so that several can share what lies on a device.
"""

from .. import resampling
from ..back_projection import back_project
from ..errors import SuperResolutionError
from ..inference.errors import translate_device_errors
from ..method_names import MethodName
from ..models.store import ModelStore
from ..options import DEFAULT_SCALE, FLOOR, MAX_METHODS
from ..resampling import INTERPOLATIONS
from ..system import device_kind

BASELINE_BATCH_PIXELS = 2**22


class HostMethod:
    """A method whose result lies in the memory of the computer at once."""

    def __call__(self, images):
        raise NotImplementedError

    def start(self, images, intensity):
        result = intensity.restore(self(images))
        return lambda: result


class InterpolationMethod(HostMethod):
    """Interpolation, MATLAB's imresize; needs numpy only."""

    stage, cards, device, precision, messages = "interpolation", (), "cpu", "float64", ()

    def __init__(self, name, scale):
        self.name, self.scale = name, scale

    def batch_size(self, height, width):
        return max(1, BASELINE_BATCH_PIXELS // (height * width * self.scale**2))

    def upload(self, images):
        return images

    def __call__(self, images):
        """Of the floating-point type of the input."""
        return resampling.upsample(images, self.scale, self.name)


class BackProjected(HostMethod):
    """A method whose result is made to agree with the input."""

    def __init__(self, method):
        self._method = method
        self.name = f"{method.name}+bp"
        self.scale, self.stage, self.cards, self.batch_size = (
            method.scale,
            method.stage,
            method.cards,
            method.batch_size,
        )

    @property
    def device(self):
        return self._method.device

    @property
    def precision(self):
        return self._method.precision

    @property
    def messages(self):
        return self._method.messages

    def __call__(self, images):
        return back_project(self._method(images), images, self.scale)


class MethodRegistry:
    """Finds the method that a job asks for, and keeps loaded networks for the next job.

    store: models.ModelStore, default the installed models. given: methods that are not installed, found by their names.
    """

    def __init__(self, store=None, given=()):
        self.store = store or ModelStore()
        self._given = {method.name: method for method in given}
        self._networks = {}

    @translate_device_errors
    def get(self, job):
        """The method of a job, as described above.

        Raises SuperResolutionError: an unknown model, a model of another scale (kind "model", "settings"), PyTorch missing (kind "packages"),
        a device that is not there (kind "environment") or fails ("device").
        """
        if job.model is None:
            device = _import_network().resolve_device(
                job.device
            )  # what PyTorch really finds, where it is “auto”
            return self._network(
                MethodName(
                    self.store.default_name(job.scale or DEFAULT_SCALE, device_kind(device.type))
                ),
                job,
            )
        name = MethodName.parse(job.model)
        plain = name.without_back_projection
        if plain in self._given:
            method = self._given[plain]
        elif plain in INTERPOLATIONS:
            method = InterpolationMethod(name.base, job.scale or DEFAULT_SCALE)
        else:
            method = self._network(name, job)
        return BackProjected(method) if name.back_projected else method

    def scale_of(self, text):
        """The scale of a model or of a blend, by its name. Raises SuperResolutionError where it is not installed."""
        name = MethodName.parse(text)
        plain = name.without_back_projection
        if plain in self._given:
            return self._given[plain].scale
        return (
            self.store.card(name.base) if name.alpha is None else self.store.pair(name.base)[0]
        ).scale

    def _network(self, name, job):
        cards = (
            (self._card(name.base, job.scale),)
            if name.alpha is None
            else self.store.pair(name.base, job.scale)
        )
        network = _import_network()
        device = network.resolve_device(job.device)
        key = (*(card.sha256 for card in cards), name.base, name.alpha, str(device), job.precision)
        if key not in self._networks:
            weights = [self.store.weights(card) for card in cards]
            self._networks[key] = network.NetworkMethod(
                cards, weights, device, name.alpha, job.precision
            )
        self._networks[key].begin()
        return self._networks[key]

    def _card(self, name, scale):
        card = self.store.card(name)
        if scale not in (None, card.scale):
            fitting = ", ".join(c.name for c in self.store.cards(scale)) or "none"
            raise SuperResolutionError(
                f"The model {name} enlarges ×{card.scale}, not ×{scale}. Models for ×{scale}: {fitting}.",
                "settings",
            )
        return card


def _import_network():
    try:
        from . import network
    except (
        ImportError,
        OSError,
        RuntimeError,
    ) as e:  # a broken installation of PyTorch raises any of them
        raise SuperResolutionError(
            f"The networks need PyTorch and safetensors, which can't be imported here ({_first_line(e)}): "
            "install them (pip install torch safetensors), or choose a baseline such as bicubic.",
            "packages",
        ) from e
    return network


def _first_line(error):
    return next(iter(str(error).splitlines()), type(error).__name__)


def default_comparison_methods(scale: int, store: ModelStore) -> tuple[str, ...]:
    """Return the interpolations, the floor without learning and the models of a scale, at most 8."""
    return (*INTERPOLATIONS, FLOOR, *(card.name for card in store.cards(scale)))[:MAX_METHODS]
