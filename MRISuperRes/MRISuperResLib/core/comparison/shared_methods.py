"""The methods of a comparison, arranged so that nothing is computed or uploaded twice."""

from ..resampling import back_project
from ..method_names import MethodName


class SharedMethods:
    """Calling it with low-resolution slices (n, h, w), normalized, yields (method name, enlarged slices) for every method.

    A method and its back-projection share one enlargement, all networks of a device one upload.
    job: ComparisonOptions; cache: methods.MethodRegistry. methods: {name: the method, without back-projection}.
    Raises SuperResolutionError as MethodRegistry.get does.
    """

    def __init__(self, job, cache):
        self._scale, self._degradation = job.scale, job.degradation
        self.methods, self._variants = {}, {}
        for name in job.methods:
            parsed = MethodName.parse(name)
            plain = parsed.without_back_projection
            self.methods[name] = cache.get(job.upsampling_options(plain))
            self._variants.setdefault(plain, []).append((name, parsed.back_projected))

    def batch_size(self, height, width):
        return min(method.batch_size(height, width) for method in self.methods.values())

    def __call__(self, low):
        uploaded = {}
        for variants in self._variants.values():
            method = self.methods[variants[0][0]]
            if method.device not in uploaded:
                uploaded[method.device] = method.upload(low)
            enlarged = method(uploaded[method.device])
            for name, back_projected in variants:
                yield (
                    name,
                    back_project(enlarged, low, self._scale, self._degradation)
                    if back_projected
                    else enlarged,
                )
