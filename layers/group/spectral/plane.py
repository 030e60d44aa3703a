"""A feature map in rows, for windows that slide over each orientation their own way."""

import keras
from keras import ops

# Bytes of one orientation that are worked through at a time, so that the sums and
# products of a strip are still in the cache when they are used.
STRIP = 2**20 * 3 // 2


class Plane:
    """A padded feature map laid out in rows of channels, so that a shift is a slice.

    Orientation, row, column and image count the rows, in this order: two pixels of one
    shift are the same number of rows apart everywhere, and a slice of rows need not be
    copied. The margin between two lines of pixels is shared by both.

    Args:
        maps: `(B, H, W, G, C)`.
        margin: pixels of zeros on either side, per axis.
        extent: pixels from the first to the last tap of the window, per axis.
        lines: how many shall be there below the margin at least, zeros after the map.
    """

    def __init__(self, maps, margin, extent, lines=0):
        self._images, height, width, self.order, self.channels = ops.shape(maps)
        self.dtype = keras.backend.standardize_dtype(maps.dtype)
        (top, left), (tall, wide) = margin, extent
        self._height, self._width = height + 2 * top - tall, width + 2 * left - wide
        self._pitch = width + left
        line = self._pitch * self._images
        self.strips, strip_height = _strips(
            self._height, line, self.channels, self.dtype
        )
        self.strip = strip_height * line
        self.starts = ops.arange(self.strips, dtype="int32") * self.strip
        # Strips are whole lines, all of one height: the last may reach below the map.
        self.lines = self.strips * strip_height
        # A shift reads past the last line, by less than a line unless that is short.
        lines = _larger(top + lines + 1, self.lines + tall - (-wide // self._pitch))
        below = lines - height - top
        maps = ops.pad(maps, ((0, 0), (top, below), (left, 0), (0, 0), (0, 0)))
        self._orientation = lines * line
        self._rows = ops.reshape(
            ops.transpose(maps, (3, 1, 2, 0, 4)), (-1, self.channels)
        )

    def slices(self, start, places, size):
        """Each orientation under its tap: `size` places of the window."""
        slices = []
        for orientation, (line, column) in enumerate(places):
            row = start + orientation * self._orientation
            row = row + (line * self._pitch + column) * self._images
            # JAX wants both of one type.
            corner = (row, ops.zeros_like(row))
            slices.append(ops.slice(self._rows, corner, (size, self.channels)))
        return slices

    def image(self, strips):
        """`(strips, places, G, channels)` back as a map `(B, H', W', G, channels)`."""
        order, channels = strips.shape[2:]
        shape = (self.lines, self._pitch, self._images, order, channels)
        maps = ops.reshape(strips, shape)[: self._height, : self._width]
        # A size that is known is said again: the number of strips may hide it.
        shape = (self._images, self._height, self._width, order, channels)
        return ops.reshape(ops.transpose(maps, (2, 0, 1, 3, 4)), shape)


class Pixels:
    """The same for a window of one pixel: with no shifts, all stays in its order.

    A line is one pixel here, and the arguments are those of `Plane`.
    """

    def __init__(self, maps, lines=0):
        self._shape = ops.shape(maps)
        images, height, width, self.order, self.channels = self._shape
        self.dtype = keras.backend.standardize_dtype(maps.dtype)
        self._size = images * height * width
        self.strips, self.strip = _strips(self._size, 1, self.channels, self.dtype)
        self.starts = ops.arange(self.strips, dtype="int32") * self.strip
        self.lines = self.strips * self.strip
        rows = ops.reshape(maps, (self._size, self.order * self.channels))
        below = _larger(lines, self.lines) - self._size
        self._rows = ops.pad(rows, ((0, below), (0, 0)))

    def slices(self, start, places, size):
        corner = (start, ops.zeros_like(start))
        rows = ops.slice(self._rows, corner, (size, self.order * self.channels))
        return ops.split(rows, self.order, axis=1)

    def image(self, strips):
        order, channels = strips.shape[2:]
        pixels = ops.reshape(strips, (self.lines, order, channels))[: self._size]
        return ops.reshape(pixels, (*self._shape[:3], order, channels))


def _strips(height, line, channels, dtype):
    """How many strips of how many lines."""
    itemsize = 8 if dtype == "float64" else 4
    pixels = max(STRIP // (itemsize * channels), 1)
    strips = _larger(height * line // pixels, 1)
    strip_height = _larger(-(-height // strips), 1)
    return _larger(-(-height // strip_height), 1), strip_height


def _larger(a, b):
    """Of two numbers, where either may be a tensor."""
    return ops.maximum(a, b) if ops.is_tensor(a) or ops.is_tensor(b) else max(a, b)
