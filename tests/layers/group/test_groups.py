"""The algebra: group axioms, actions, irreducible representations, subgroups."""

import itertools

import numpy as np
import pytest

from zoo.layers.group.groups import GROUP_NAMES, Group, get_group

ORDERS = {"C1": 1, "C2": 2, "C4": 4, "D1": 2, "D2": 4, "D4": 8}


@pytest.fixture(params=GROUP_NAMES)
def group(request):
    return get_group(request.param)


def test_orders():
    assert {name: get_group(name).order for name in GROUP_NAMES} == ORDERS


def test_axioms(group):
    elements = range(group.order)
    assert np.array_equal(group.product[0], elements)
    assert np.array_equal(group.product[:, 0], elements)
    for a, b, c in itertools.product(elements, repeat=3):
        left = group.product[group.product[a, b], c]
        assert left == group.product[a, group.product[b, c]]
    for a in elements:
        assert group.product[a, group.inverse[a]] == 0
        assert group.product[group.inverse[a], a] == 0
        assert sorted(group.product[a]) == list(elements)


def test_only_groups_with_flips_and_quarter_turns_do_not_commute(group):
    commutes = np.array_equal(group.product, group.product.T)
    assert commutes == (group.name != "D4")


def test_element_order_is_turns_after_flips(group):
    image = np.arange(12).reshape(3, 4)
    for element in range(group.order):
        flips, turns = divmod(element, group.rotations)
        expected = np.fliplr(image) if flips else image
        for _ in range(turns * 4 // group.rotations):
            expected = np.rot90(expected)
        assert np.array_equal(group.act_on_grid(element, image), expected)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_grid_action_is_a_homomorphism(group, size):
    permutation = group.grid_permutation(size)
    image = np.random.default_rng(0).standard_normal(size * size)
    for g, h in itertools.product(range(group.order), repeat=2):
        both = image[permutation[group.product[g, h]]]
        assert np.array_equal(both, image[permutation[h]][permutation[g]])
    for g in range(group.order):
        moved = group.act_on_grid(g, image.reshape(size, size)).ravel()
        assert np.array_equal(moved, image[permutation[g]])


def test_feature_map_action_is_a_homomorphism(group):
    maps = np.random.default_rng(0).standard_normal((2, 3, 3, group.order, 2))
    for g, h in itertools.product(range(group.order), repeat=2):
        one_by_one = group.act_on_feature_maps(g, group.act_on_feature_maps(h, maps))
        at_once = group.act_on_feature_maps(group.product[g, h], maps)
        assert np.array_equal(one_by_one, at_once)


def test_orientations_move_as_documented(group):
    """One turn: f n + r takes f n + (r - 1) mod n; a flip: (1 - f) n + (-r) mod n."""
    n = group.rotations
    index = np.arange(group.order)
    flips, turns = np.divmod(index, n)
    if n > 1:
        expected = flips * n + (turns - 1) % n
        assert np.array_equal(group.act_on_orientations(1, index, axis=0), expected)
    if group.has_flips:
        expected = (1 - flips) * n + (-turns) % n
        assert np.array_equal(group.act_on_orientations(n, index, axis=0), expected)


def test_irreps_are_orthogonal_homomorphisms(group):
    for irrep in group.irreps:
        identity = np.eye(irrep.dimension)
        for g, h in itertools.product(range(group.order), repeat=2):
            product = irrep.matrices[g] @ irrep.matrices[h]
            assert np.array_equal(product, irrep.matrices[group.product[g, h]])
            assert np.array_equal(irrep.matrices[g] @ irrep.matrices[g].T, identity)


def test_great_orthogonality(group):
    """sum_g rho_ij sigma_kl is 0 for two irreps, |G| / d delta delta for one (real)."""
    for rho, sigma in itertools.product(group.irreps, repeat=2):
        sums = np.einsum("gij,gkl->ijkl", rho.matrices, sigma.matrices)
        if rho is not sigma:
            assert np.array_equal(sums, np.zeros_like(sums))
        elif rho.type == "real":
            d = rho.dimension
            expected = np.einsum("ik,jl->ijkl", np.eye(d), np.eye(d)) * group.order / d
            assert np.array_equal(sums, expected)


def test_irreps_are_irreducible_and_complete(group):
    total = 0
    for irrep in group.irreps:
        characters = np.trace(irrep.matrices, axis1=1, axis2=2)
        norm = (characters**2).mean()
        assert norm == {"real": 1, "complex": 2}[irrep.type]
        total += irrep.dimension**2 / norm
    assert total == group.order


def test_known_irreps():
    names = {
        name: [(irrep.name, irrep.dimension) for irrep in get_group(name).irreps]
        for name in ("C4", "D4")
    }
    assert names["C4"] == [("A1", 1), ("B1", 1), ("E1", 2)]
    one_dimensional = [(name, 1) for name in ("A1", "A2", "B1", "B2")]
    assert names["D4"] == [*one_dimensional, ("E1", 2)]


def test_subgroups_are_closed_and_embedded(group):
    assert group.name in group.subgroup_names
    assert "C1" in group.subgroup_names
    for name in group.subgroup_names:
        elements = group.subgroup_elements(name)
        subgroup = get_group(name)
        product = group.product[np.ix_(elements, elements)]
        assert np.array_equal(product, elements[subgroup.product])


def test_subgroups_move_images_as_their_group_does(group):
    image = np.random.default_rng(0).standard_normal((4, 4))
    for name in group.subgroup_names:
        for h, element in enumerate(group.subgroup_elements(name)):
            own = get_group(name).act_on_grid(h, image)
            assert np.array_equal(own, group.act_on_grid(element, image))


def test_cosets_partition_the_group_and_are_moved_as_one(group):
    for name in group.subgroup_names:
        cosets = group.cosets(name)
        assert sorted(cosets.ravel()) == list(range(group.order))
        for element in range(group.order):
            moved = np.sort(group.product[element, cosets], axis=1)
            source = group.coset_permutation(element, name)
            assert np.array_equal(moved, cosets[np.argsort(source)])


def test_cosets_of_the_trivial_subgroup_are_the_regular_action(group):
    for element in range(group.order):
        expected = group.product[group.inverse[element]]
        assert np.array_equal(group.coset_permutation(element, "C1"), expected)


def test_get_group_returns_one_object():
    assert get_group("C4") is get_group("C4")
    assert get_group(get_group("C4")) is get_group("C4")


@pytest.mark.parametrize("name", ["C3", "C8", "c4", "", "D", 4, None, ["C4"]])
def test_unknown_names_list_the_choices(name):
    with pytest.raises(ValueError, match="Expected one of C1, C2, C4, D1, D2, D4"):
        get_group(name)
    with pytest.raises(ValueError, match="Received: group="):
        Group(name)


def test_no_subgroup():
    with pytest.raises(ValueError, match="'D1' is not a subgroup of C4"):
        get_group("C4").cosets("D1")
