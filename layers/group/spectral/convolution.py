"""The group convolution in the spectrum of the group: exact, with fewer products.

Turning the window of orientation h back by h makes of the group correlation a
convolution over the group itself, tap by tap:

    z_h[q](p) = x_h(p + h q)
    f_q(g)    = w[g^-1 q, g^-1]
    y_s(p)    = sum_q sum_h f_q(h^-1 s) z_h[q](p)

and the Fourier transform of the group makes products of convolutions:

    zhat(rho) = sum_h z_h rho(h),   fhat(rho) = sum_g f(g) rho(g)
    yhat(rho) = sum_q zhat[q](rho) fhat[q](rho)
    y_s       = 1/|G| sum_rho d_rho <rho(s), yhat(rho)>

One irrep of dimension d costs d^3 products of channels instead of its share of |G|^2.
A pair of complex irreps is one complex product, three real ones (Gauss).
"""

from dataclasses import astuple, dataclass

import keras
import numpy as np
from keras import ops

from zoo.layers.group.spectral.control_dependencies import begin_after
from zoo.layers.group.spectral.plane import Pixels, Plane
from zoo.layers.group.spectral.signed_sums import SignedSums

# What it costs to go through a channel once more, to add it up, in multiplications: in
# windows of one pixel and in wider ones. XLA adds slowly, and its convolution of one
# pixel is slower than its products by far. Fitted on two cores in float32 to the tables
# of benchmarks/group_convolution.py.
PASSES = {"tensorflow": (23, 23), "jax": (6, 60)}


@dataclass(frozen=True)
class Block:
    """One matrix product of the spectrum, `(rows, inner) x (inner, columns)`.

    Args:
        values: array `(rows, inner, order)`: the sums of the input's orientations.
        filters: array `(inner, columns, order)`: those of the filter's.
        results: array `(rows, columns, order)`: what each entry of the product adds to
            each orientation of the output.
    """

    values: np.ndarray
    filters: np.ndarray
    results: np.ndarray

    @property
    def rows(self):
        return self.values.shape[0]

    @property
    def inner(self):
        return self.values.shape[1]

    @property
    def columns(self):
        return self.filters.shape[1]


def spectrum_of(group):
    """The products that make up a convolution over a group, a tuple of `Block`."""
    blocks = []
    for irrep in group.irreps:
        matrices = np.moveaxis(irrep.matrices, 0, -1)
        if irrep.type == "real":
            share = irrep.dimension / group.order
            blocks.append(Block(matrices, share * matrices, matrices))
            continue
        # [[a, -b], [b, a]] is the complex number a + ib. A product of two takes three
        # real ones: c (a + b), a (d - c) and b (c + d). Half of its dimension counts,
        # since it is a pair of irreps of dimension one: 2 / |G| of the real part.
        real, imaginary = matrices[:1, :1], matrices[1:, :1]
        share = 2 / group.order
        blocks += [
            Block(real + imaginary, share * real, real + imaginary),
            Block(real, share * (imaginary - real), imaginary),
            Block(imaginary, share * (real + imaginary), -real),
        ]
    return tuple(blocks)


class SpectralConvolution:
    """A group correlation `G -> G` at stride 1, with both of its gradients.

    Works through the window tap by tap: no matrix of patches ever exists, and nothing
    but the arguments is kept for the backward pass.

    Args:
        group: a `Group`.
        filter_index: the expansion table of `GroupConv2D`, `(rows, columns, |G|, |G|)`.
        dilation_rate: pair of ints.
        margin: pixels of zeros on either side, per axis.
    """

    def __init__(self, group, filter_index, dilation_rate, margin):
        self.margin = margin
        self.extent = tuple(
            (size - 1) * rate
            for size, rate in zip(filter_index.shape[:2], dilation_rate, strict=True)
        )
        self.taps = _places_of_taps(group, filter_index.shape[:2], dilation_rate)
        # f_q(g) = w[g^-1 q, g^-1]: each weight is taken once.
        gather = np.moveaxis(filter_index[:, :, 0], -1, 0)
        self._gather = gather.ravel()
        self._scatter = np.argsort(self._gather).astype("int32")
        # The filter of the input's gradient, w'[q, s] = w[-s^-1 q, s^-1]^T.
        self._turn = filter_index[::-1, ::-1, 0].ravel()
        self.blocks = spectrum_of(group)
        values, filters, results = (
            np.concatenate([_as_rows(block) for block in matrices])
            for matrices in zip(*map(astuple, self.blocks), strict=True)
        )
        self._value_sums = SignedSums(values)
        self._filter_sums = SignedSums(filters)
        self._filter_gradient_sums = SignedSums(filters.T)
        self._result_sums = SignedSums(results.T)
        self._result_gradient_sums = SignedSums(results)

    def __call__(self, inputs, kernel, bias=None):
        """A map `(B, H, W, G, C)` and a kernel `(k, k, G, C, filters)` to a map."""

        @ops.custom_gradient
        def correlate(inputs, stored, *bias):
            def gradient(*upstreams, upstream=None):
                # torch gives it by name, TensorFlow and JAX by place.
                upstream = upstreams[0] if upstream is None else upstream
                changes = self.gradients(inputs, stored, upstream)
                if not bias:
                    return changes
                return *changes, ops.sum(upstream, axis=(0, 1, 2, 3))

            return self.infer(inputs, self.spectrum(stored), *bias), gradient

        # Reshaped outside: TensorFlow wants no variables within a custom gradient.
        stored = ops.reshape(kernel, (-1, *kernel.shape[3:]))
        if bias is None:
            return correlate(inputs, stored)
        return correlate(inputs, stored, ops.reshape(bias, (-1,)))

    def infer(self, inputs, spectrum, bias=None):
        """The map for the `spectrum` of a kernel."""
        plane = self._plane(inputs, self.margin)
        return self._correlate(plane, spectrum, bias)

    def _plane(self, maps, margin, lines=0):
        if self.extent == (0, 0):
            return Pixels(maps, lines)
        return Plane(maps, margin, self.extent, lines)

    def spectrum(self, stored):
        """fhat of a kernel `(k * k * G, C, filters)`, an array for each block:

        `(taps, inner * C, columns * filters)`.
        """
        order = len(self.taps[0])
        turned = ops.take(stored, self._gather, axis=0)
        turned = ops.reshape(turned, (order, len(self.taps), *stored.shape[1:]))
        sums = iter(self._filter_sums([turned[g] for g in range(order)]))
        spectrum = []
        for block in self.blocks:
            rows = [
                ops.concatenate([next(sums) for _ in range(block.columns)], axis=2)
                for _ in range(block.inner)
            ]
            spectrum.append(ops.concatenate(rows, axis=1))
        return spectrum

    def pays(self, channels, filters, strides):
        """Whether it is expected to be faster than the convolution of order^2 products.

        In multiplications a pixel and tap. Products of narrower matrices run at about
        three quarters of the convolution's rate; a pass through a channel costs what
        `PASSES` says (to put it beside another, half as much again). What a stride
        skips is computed.
        """
        is_one_pixel = self.extent == (0, 0)
        one, wide = PASSES[keras.backend.backend()]
        blocks = self.blocks
        products = sum(block.rows * block.inner * block.columns for block in blocks)
        beside = sum(block.rows * block.inner for block in blocks if block.inner > 1)
        totals = sum(block.rows * block.columns for block in blocks)
        results = self._result_sums.additions / len(self.taps)
        passes = (self._value_sums.additions + 1.5 * beside) * channels
        passes += (totals + results) * filters
        cost = products * channels * filters / 0.75
        cost += (one if is_one_pixel else wide) * passes
        skipped = 1 if is_one_pixel else np.prod(strides)
        return bool(cost * skipped < len(self.taps[0]) ** 2 * channels * filters)

    def _correlate(self, plane, filters, bias=None):
        """A map from a plane and the spectrum of a kernel."""

        def strip(before, start):
            totals = None
            for tap, places in enumerate(self.taps):
                with begin_after(before if totals is None else totals[-1]):
                    spectra = self._spectrum_of_values(plane, start, places)
                products = [
                    values @ block[tap]
                    for rows, block in zip(spectra, filters, strict=True)
                    for values in rows
                ]
                totals = (
                    products
                    if totals is None
                    else [a + b for a, b in zip(totals, products, strict=True)]
                )
            if bias is not None:
                # The trivial irrep is the first, and adds alike to all orientations.
                totals[0] = totals[0] + bias
            results = ops.stack(self._result_sums(self._entries(totals)), axis=1)
            return results, results

        number = filters[0].shape[2] // self.blocks[0].columns
        shape = (plane.strip, plane.order, number)
        _, strips = ops.scan(strip, ops.zeros(shape, plane.dtype), plane.starts)
        return plane.image(strips)

    def _entries(self, totals):
        """The products' rows as a flat list of their columns."""
        columns = [block.columns for block in self.blocks for _ in range(block.rows)]
        return [
            part
            for total, number in zip(totals, columns, strict=True)
            for part in (ops.split(total, number, axis=1) if number > 1 else [total])
        ]

    def gradients(self, inputs, stored, upstream):
        """Of the inputs and of the kernel."""
        margin = tuple(
            extent - margin
            for extent, margin in zip(self.extent, self.margin, strict=True)
        )
        plane = self._plane(inputs, self.margin)
        # Both planes have lines of one length, so that the changes of the output, zero
        # outside, are read from this one in the strips of the other.
        changes = self._plane(upstream, margin, plane.lines)
        kernel = self._kernel_gradient(plane, changes, margin)
        # dx is a correlation with the filter turned about and transposed.
        turned = ops.transpose(ops.take(stored, self._turn, axis=0), (0, 2, 1))
        with begin_after(kernel):
            return self._correlate(changes, self.spectrum(turned)), kernel

    def _kernel_gradient(self, plane, changes, margin):
        """dfhat = sum zhat^T dyhat, with zhat made anew tap by tap."""

        def add_strip(number, totals):
            start = plane.starts[number]
            with begin_after(totals[-1]):
                outcomes = changes.slices(start, [margin] * plane.order, plane.strip)
            results = self._in_blocks(
                self._result_gradient_sums(outcomes),
                [(block.rows, block.columns) for block in self.blocks],
            )
            gradients = []
            for places in self.taps:
                with begin_after(gradients[-1] if gradients else totals[-1]):
                    spectra = self._spectrum_of_values(plane, start, places)
                for values, columns in zip(spectra, results, strict=True):
                    products = [
                        ops.transpose(a) @ b
                        for a, b in zip(values, columns, strict=True)
                    ]
                    gradients.append(sum(products[1:], products[0]))
            return [a + b for a, b in zip(totals, gradients, strict=True)]

        nothing = [
            ops.zeros(
                (block.inner * plane.channels, block.columns * changes.channels),
                plane.dtype,
            )
            for _ in self.taps
            for block in self.blocks
        ]
        gradients = ops.fori_loop(0, plane.strips, add_strip, nothing)
        return self._kernel_of_filters(gradients)

    def _spectrum_of_values(self, plane, start, places):
        """For each block the rows of zhat, each `(pixels, inner * channels)`."""
        return self._in_blocks(
            self._value_sums(plane.slices(start, places, plane.strip)),
            [(block.rows, block.inner) for block in self.blocks],
        )

    @staticmethod
    def _in_blocks(values, shapes):
        """A flat list as the rows of each block, their entries side by side."""
        values = iter(values)
        return [
            [_side_by_side([next(values) for _ in range(n)]) for _ in range(rows)]
            for rows, n in shapes
        ]

    def _kernel_of_filters(self, gradients):
        """The transpose of `spectrum`, the blocks of a tap in a row."""
        sums = []
        for number, block in enumerate(self.blocks):
            spectrum = ops.stack(gradients[number :: len(self.blocks)])
            for row in ops.split(spectrum, block.inner, axis=1):
                sums.extend(ops.split(row, block.columns, axis=2))
        turned = ops.concatenate(self._filter_gradient_sums(sums))
        return ops.take(turned, self._scatter, axis=0)


def _places_of_taps(group, kernel_size, dilation_rate):
    """`places[q][h]`: line and column of h q, from the corner of the window."""
    index = np.arange(np.prod(kernel_size)).reshape(kernel_size)
    turned = [group.act_on_grid(h, index) for h in range(group.order)]
    return [
        [
            tuple(int(step) for step in np.argwhere(grid == q)[0] * dilation_rate)
            for grid in turned
        ]
        for q in range(index.size)
    ]


def _as_rows(matrix):
    return matrix.reshape(-1, matrix.shape[-1])


def _side_by_side(values):
    return values[0] if len(values) == 1 else ops.concatenate(values, axis=1)
