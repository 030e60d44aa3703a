"""The geometry of a sliding window, and when a symmetry group moves it exactly."""

from dataclasses import dataclass
from numbers import Integral


def standardize_pair(value, name):
    """An int or a pair of ints, all positive, as a pair.

    Raises:
        ValueError: naming the argument, if it is anything else.
    """
    pair = (value, value) if is_positive_integer(value) else value
    if not isinstance(pair, (tuple, list)) or not all(map(is_positive_integer, pair)):
        pair = ()
    if len(pair) != 2:
        raise ValueError(
            f"`{name}` must be a positive integer or a pair of them. "
            f"Received: {name}={value!r}"
        )
    return tuple(int(size) for size in pair)


def is_positive_integer(value):
    """Also of NumPy; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool) and value > 0


@dataclass(frozen=True)
class Window:
    """A window that slides over height and width.

    With padding p in all, a window that covers k pixels and moves by s stands at
    places that a reflection of the axis maps onto each other if and only if
    (n + p - k) mod s == 0. `"same"` pads (k - 1) / 2 on either side; TensorFlow's own
    `"same"` pads (0, 1) at stride 2 on even sizes, which no turn leaves alone.

    Args:
        layer: what an error message calls the owner.
        group: the `Group` under which the window must be exact.
        size_name: `"kernel_size"` or `"pool_size"`, for messages.
        size, strides, dilation_rate: pairs of ints.
        padding: `"valid"` or `"same"`.
        strict: whether sizes that are not exact are refused.

    Raises:
        ValueError: at construction, for what is exact at no size.
    """

    layer: str
    group: object
    size_name: str
    size: tuple
    strides: tuple
    dilation_rate: tuple
    padding: str
    strict: bool

    def __post_init__(self):
        if self.padding not in ("valid", "same"):
            raise ValueError(
                f"{self.layer}: `padding` must be 'valid' or 'same'. "
                f"Received: padding={self.padding!r}"
            )
        if self.padding == "same" and any(size % 2 == 0 for size in self.size):
            raise ValueError(
                f"{self.layer}: padding='same' pads ({self.size_name} - 1) / 2 on "
                f"either side, so {self.size_name} must be odd. Received: "
                f"{self.size_name}={self.size}. Use padding='valid' or an odd size."
            )
        if self.group.has_quarter_turns:
            for name, pair in (
                (self.size_name, self.size),
                ("strides", self.strides),
                ("dilation_rate", self.dilation_rate),
            ):
                if pair[0] != pair[1]:
                    raise ValueError(
                        f"{self.layer}: a quarter turn exchanges height and width, so "
                        f"`{name}` must be equal on both. Received: {name}={pair}. "
                        f"Use one number, or a group without quarter turns (C2, D2)."
                    )

    @property
    def extent(self):
        """Pixels from the first to the last under the window, per axis."""
        return tuple(
            (size - 1) * rate + 1
            for size, rate in zip(self.size, self.dilation_rate, strict=True)
        )

    @property
    def margin(self):
        """Pixels added on either side, per axis."""
        if self.padding == "valid":
            return (0, 0)
        return tuple((extent - 1) // 2 for extent in self.extent)

    def output_size(self, height, width):
        """Height and width of the output; None stays None.

        Raises:
            ValueError: if the window does not fit, or if `strict` and this size is
                not exactly equivariant.
        """
        # The left-right flip of D1 reverses the width alone; C1 moves nothing.
        reversed_axes = {"C1": (), "D1": ("width",)}.get(
            self.group.name, ("height", "width")
        )
        return tuple(
            self._output_length(axis, length, index, axis in reversed_axes)
            for index, (axis, length) in enumerate(
                [("height", height), ("width", width)]
            )
        )

    def _output_length(self, axis, length, index, is_reversed):
        extent, stride = self.extent[index], self.strides[index]
        padding = 2 * self.margin[index]
        must_divide = self.strict and is_reversed and stride > 1
        if length is None:
            if must_divide:
                raise ValueError(
                    f"{self.layer}: the {axis} is unknown (None), and with "
                    f"strides={self.strides} not every size is exactly equivariant. "
                    f"Give the input a fixed size, or pass strict=False."
                )
            return None
        room = length + padding - extent
        if room < 0:
            raise ValueError(
                f"{self.layer}: {axis} {length} is smaller than the window. Expected "
                f"at least {extent - padding} for {self.size_name}={self.size}, "
                f"dilation_rate={self.dilation_rate}, padding={self.padding!r}."
            )
        if must_divide and room % stride:
            below, above = length - room % stride, length + stride - room % stride
            sizes = f"{below} or {above}" if below + padding >= extent else f"{above}"
            raise ValueError(
                f"{self.layer} is not exactly equivariant at {axis} {length}: "
                f"({axis} + padding - {self.size_name}) mod strides must be 0. "
                f"Received: ({length} + {padding} - {extent}) mod {stride} = "
                f"{room % stride}. Use {axis} {sizes}, another {self.size_name} or "
                f"padding, or pass strict=False."
            )
        return room // stride + 1
