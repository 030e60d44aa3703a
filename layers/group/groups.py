"""The finite symmetry groups of the square pixel grid, as NumPy algebra.

`C_n` holds the turns by multiples of 360/n degrees, `D_n` those turns with and
without a left-right flip. An element is an index

    f * n + r   =   turn by r * 360/n degrees counter-clockwise, after f flips,

so that `R` (one turn) and `F` (the flip) generate the group, with
`F R = R^-1 F` and therefore

    (R^a F^e)(R^b F^f) = R^(a + (-1)^e b) F^(e + f).

Three actions follow, all of them index permutations on the grid:

    on positions       (g.x)(p)   = x(g^-1 p)               as `np.rot90` turns an image
    on orientations    (g.x)_i    = x_{g^-1 i}              the regular action
    on feature maps    (g.x)_i(p) = x_{g^-1 i}(g^-1 p)      both together

There is no Keras in this file.
"""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

GROUP_NAMES = ("C1", "C2", "C4", "D1", "D2", "D4")


@dataclass(frozen=True, eq=False)
class Irrep:
    """An irreducible real orthogonal representation.

    Args:
        name: `"A1"`, `"A2"`, `"B1"`, `"B2"` (one-dimensional) or `"E1"` (a pair),
            as the character tables of the point groups name them.
        type: `"real"`, or `"complex"` for a 2 x 2 block that is a conjugate pair of
            complex one-dimensional irreps of `C_n`.
        matrices: array of shape `(order, dimension, dimension)`, one orthogonal
            matrix an element.
    """

    name: str
    type: str
    matrices: np.ndarray

    @property
    def dimension(self):
        return self.matrices.shape[-1]


class Group:
    """A group of turns, or of turns and flips, of the square grid.

    Use `get_group("C4")` rather than this constructor: it returns one shared object
    a name.

    Args:
        name: one of `"C1"`, `"C2"`, `"C4"`, `"D1"`, `"D2"`, `"D4"`.

    Raises:
        ValueError: if the name is another.

    Example:

    >>> group = get_group("C4")
    >>> group.order
    4
    >>> int(group.product[1, 3])  # three turns, then one more: the identity
    0
    """

    def __init__(self, name):
        if name not in GROUP_NAMES:
            raise ValueError(
                f"Unknown symmetry group. Expected one of {', '.join(GROUP_NAMES)}. "
                f"Received: group={name!r}"
            )
        self.name = name
        self.rotations = int(name[1:])
        self.has_flips = name[0] == "D"
        self.order = self.rotations * (2 if self.has_flips else 1)

    def __repr__(self):
        return f"Group({self.name!r})"

    @property
    def has_quarter_turns(self):
        return self.rotations == 4

    def flips_and_turns(self, element):
        """`(f, r)` of an element `R^r F^f`."""
        return divmod(element, self.rotations)

    @cached_property
    def product(self):
        """Cayley table, shape `(order, order)`: `product[g, h]` is the index of gh."""
        flips, turns = np.divmod(np.arange(self.order), self.rotations)
        sign = 1 - 2 * flips
        turn = (turns[:, None] + sign[:, None] * turns[None, :]) % self.rotations
        flip = (flips[:, None] + flips[None, :]) % 2
        return flip * self.rotations + turn

    @cached_property
    def inverse(self):
        """Index of the inverse of each element, shape `(order,)`."""
        return np.argmin(self.product, axis=1)  # the identity has index 0

    @cached_property
    def irreps(self):
        """The irreducible real representations, a tuple of `Irrep`.

        Their sizes satisfy `sum(d * d / c) == order` with c = 1 for real type
        and 2 for complex type.
        """
        n = self.rotations
        flips, turns = np.divmod(np.arange(self.order), n)
        mirror = (-1.0) ** flips
        irreps = [Irrep("A1", "real", np.ones((self.order, 1, 1)))]
        if self.has_flips:
            irreps.append(Irrep("A2", "real", mirror.reshape(-1, 1, 1)))
        if n % 2 == 0:
            alternating = (-1.0) ** turns
            irreps.append(Irrep("B1", "real", alternating.reshape(-1, 1, 1)))
            if self.has_flips:
                irreps.append(
                    Irrep("B2", "real", (alternating * mirror).reshape(-1, 1, 1))
                )
        for frequency in range(1, (n + 1) // 2):
            angle = 2 * np.pi * frequency * turns / n
            # Cosines and sines of quarter turns are whole numbers: no 6e-17.
            cos, sin = np.round(np.cos(angle), 15), np.round(np.sin(angle), 15)
            turned = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
            flipped = np.stack([np.ones(self.order), mirror], -1)[:, None, :]
            kind = "real" if self.has_flips else "complex"
            irreps.append(Irrep(f"E{frequency}", kind, turned * flipped))
        return tuple(irreps)

    def act_on_grid(self, element, array, axes=(0, 1)):
        """Moves the positions of an array: `(g.x)(p) = x(g^-1 p)`.

        Args:
            element: index of g.
            array: array with the grid on two of its axes.
            axes: the row and the column axis.

        Returns:
            A view; height and width change places under a quarter turn.
        """
        flips, turns = self.flips_and_turns(element)
        if flips:
            array = np.flip(array, axis=axes[1])
        return np.rot90(array, turns * 4 // self.rotations, axes=axes)

    def act_on_orientations(self, element, array, axis):
        """Moves the orientations of an array: `(g.x)_i = x_{g^-1 i}`."""
        source = self.product[self.inverse[element]]
        return np.take(array, source, axis=axis)

    def act_on_images(self, element, images):
        """Acts on images `(batch, height, width, channels)`."""
        return self.act_on_grid(element, images, axes=(1, 2))

    def act_on_feature_maps(self, element, maps):
        """The regular action on `(batch, height, width, order, channels)`."""
        moved = self.act_on_grid(element, maps, axes=(1, 2))
        return self.act_on_orientations(element, moved, axis=3)

    def grid_permutation(self, height, width=None):
        """The action on a `height x width` grid as an index permutation.

        Returns:
            An integer array of shape `(order, height * width)` with
            `(g.x).ravel() == x.ravel()[permutation[g]]`.
        """
        width = height if width is None else width
        index = np.arange(height * width).reshape(height, width)
        return np.stack([self.act_on_grid(g, index).ravel() for g in range(self.order)])

    @property
    def subgroup_names(self):
        """Names of the subgroups that this library knows, this group included."""
        return tuple(
            name
            for name in GROUP_NAMES
            if self.rotations % int(name[1:]) == 0
            and (self.has_flips or name[0] == "C")
        )

    def subgroup_elements(self, name):
        """Indices, in this group, of the elements of one of its subgroups.

        They stand in the subgroup's own element order: entry h is element h of
        `get_group(name)`.

        Raises:
            ValueError: if `name` is not in `subgroup_names`.
        """
        if name not in self.subgroup_names:
            raise ValueError(
                f"{name!r} is not a subgroup of {self.name}. Expected one of "
                f"{', '.join(self.subgroup_names)}."
            )
        subgroup = get_group(name)
        flips, turns = np.divmod(np.arange(subgroup.order), subgroup.rotations)
        return flips * self.rotations + turns * (self.rotations // subgroup.rotations)

    def cosets(self, name):
        """The left cosets gH of a subgroup, ordered by their smallest element.

        Returns:
            An integer array of shape `(order / |H|, |H|)`; each row lists one coset.
        """
        rows = np.sort(self.product[:, self.subgroup_elements(name)], axis=1)
        return np.unique(rows, axis=0)

    def coset_permutation(self, element, name):
        """How g moves the cosets of a subgroup: `(g.x)[j] = x[permutation[j]]`."""
        cosets = self.cosets(name)
        coset_of = np.empty(self.order, dtype=int)
        coset_of[cosets] = np.arange(len(cosets))[:, None]
        return coset_of[self.product[self.inverse[element], cosets[:, 0]]]


@cache
def _shared_group(name):
    return Group(name)


def get_group(group):
    """The shared `Group` of a name (a `Group` is returned as it is).

    Raises:
        ValueError: if the name is none of `GROUP_NAMES`.

    Example:

    >>> get_group("D4") is get_group("D4")
    True
    """
    if isinstance(group, Group):
        return group
    if not isinstance(group, str):
        return Group(group)  # raises, naming the choices
    return _shared_group(group)
