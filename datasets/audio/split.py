"""Which sounds train and which test: a song or speaker never does both."""

import collections
import dataclasses
import hashlib

from zoo.datasets.audio.table import SPLITS

TEST_SHARE = 0.2


@dataclasses.dataclass(frozen=True)
class Member:
    """A decoded file, as the split sees it.

    Attributes:
        name: its path inside the folder.
        group: name of its song, speaker, ...
        content: hash of what is heard, or None for silence, which is nobody's.
        labels: set of what the split is to be balanced by.
        split: the table's word, or None.
    """

    name: str
    group: str
    content: str | None
    labels: frozenset
    split: str | None


def split_of(members, split_by, held_out=None, validate_on=None):
    """The split of each file.

    Args:
        members: list of `Member`s, in an order that does not depend on their names.
        split_by: what a group is called in messages: "song", "speaker", ...
        held_out: name or names of the groups that test; None for a fifth of them,
            chosen by their hash, so that each label has its share.
        validate_on: name or names of the groups of the split "validation", or None.

    Returns:
        A list of "train", "validation" or "test".

    Raises:
        ValueError: a group would stand on two sides, or is not there.
    """
    united = _united(members, split_by)
    if any(member.split for member in members):
        if held_out is not None or validate_on is not None:
            raise ValueError(
                "The table has a column split: leave held_out and validate_on away, or "
                "take the column out."
            )
        _check_sides(members, united, [member.split for member in members], split_by)
        return [member.split for member in members]

    validation = _named(united, "validate_on", validate_on, split_by)
    if held_out is not None:
        test = _named(united, "held_out", held_out, split_by)
        both = sorted(test & validation)
        if both:
            raise ValueError(
                f"held_out and validate_on both name {', '.join(both)}: a {split_by} "
                f"can be in one of them."
            )
    else:
        rest = [member for member in members if member.group not in validation]
        test = _chosen(rest, united, split_by)
    splits = [
        "validation"
        if member.group in validation
        else "test"
        if member.group in test
        else "train"
        for member in members
    ]
    _check_sides(members, united, splits, split_by)
    return splits


def _united(members, split_by):
    """{group: name of the set of groups that it shares sounds with}."""
    parent = {member.group: member.group for member in members}

    def root(group):
        while parent[group] != group:
            group = parent[group]
        return group

    first = {}
    for member in members:
        if member.content is None:
            continue
        other = first.setdefault(member.content, member.group)
        # The smaller name, so that the order does not matter.
        low, high = sorted((root(other), root(member.group)))
        parent[high] = low
    return {group: root(group) for group in parent}


def _check_sides(members, united, splits, split_by):
    sides = collections.defaultdict(lambda: collections.defaultdict(set))
    for member, split in zip(members, splits, strict=True):
        sides[united[member.group]][split].add(member.group)
    faults = []
    for found in sides.values():
        if len(found) > 1:
            names = sorted(set().union(*found.values()))
            same = " (which hold the same sound)" if len(names) > 1 else ""
            order = sorted(found, key=SPLITS.index)
            faults.append(f"{' and '.join(names)}{same} in {' and '.join(order)}")
    if faults:
        raise ValueError(
            f"A {split_by} must stand on one side of the split; received: "
            f"{'; '.join(sorted(faults))}. Put all of it on one side."
        )


def _named(united, argument, names, split_by):
    """The groups that an argument names; copies of a song are the song."""
    if names is None:
        return set()
    names = {names} if isinstance(names, str) else set(names)
    missing = sorted(map(str, names - united.keys()))
    if missing or not names:
        choices = sorted(united)
        shown = ", ".join(choices[:20]) + (", ..." if len(choices) > 20 else "")
        raise ValueError(
            f"{argument} must name groups (split_by={split_by!r}) with a usable file: "
            f"{shown}. Received: {', '.join(missing) or 'none'}"
        )
    if split_by == "song":
        units = {united[name] for name in names}
        names = {group for group, unit in united.items() if unit in units}
    return names


def _chosen(members, united, split_by):
    """A fifth of the groups of each label, as far as one group has not several.

    By the order of a hash, so that the same groups are always chosen; never the last
    group of a label.
    """
    labels, content = collections.defaultdict(set), {}
    for member in members:
        unit = united[member.group]
        labels[unit] |= member.labels or {None}
        # A song goes by what is heard, whatever its file is called.
        key = member.content if split_by == "song" else None
        content.setdefault(unit, key or unit)
    order = sorted(
        labels, key=lambda unit: hashlib.sha256(content[unit].encode()).digest()
    )
    total = collections.Counter(label for unit in labels for label in labels[unit])
    wanted = {
        label: max(round(TEST_SHARE * count), min(1, count - 1))
        for label, count in total.items()
    }
    taken, chosen = collections.Counter(), set()
    for unit in order:
        lacking = sum(taken[label] < wanted[label] for label in labels[unit])
        last = any(taken[label] + 1 == total[label] for label in labels[unit])
        if 2 * lacking > len(labels[unit]) and not last:
            chosen.add(unit)
            taken.update(labels[unit])
    if not chosen:
        raise ValueError(
            f"No {split_by} can be held out for the test without taking all of a "
            f"label: add a {split_by} to each label, or name groups as held_out."
        )
    return {member.group for member in members if united[member.group] in chosen}
