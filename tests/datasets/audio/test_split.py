"""Which sounds train and which test: nobody does both."""

import collections
import dataclasses

import hypothesis
import hypothesis.strategies as st
import pytest

from zoo.datasets.audio.split import Member, split_of


def songs(labels, count):
    return [
        Member(f"{label}/{n}", f"{label}/{n}", f"{label}{n}", frozenset([label]), None)
        for label in labels
        for n in range(count)
    ]


def speakers(names, labels, count):
    return [
        Member(
            f"{label}/{name}/{n}", name, f"{label}{name}{n}", frozenset([label]), None
        )
        for label in labels
        for name in names
        for n in range(count)
    ]


def by_split(members, splits):
    groups = collections.defaultdict(set)
    for member, split in zip(members, splits, strict=True):
        groups[split].add(member.group)
    return groups


@pytest.mark.parametrize(("count", "tests"), [(2, 1), (5, 1), (10, 2), (100, 20)])
def test_a_fifth_of_the_songs_of_each_class_tests(count, tests):
    members = songs("abc", count)
    splits = split_of(members, "song")
    for label in "abc":
        its = [
            split
            for member, split in zip(members, splits, strict=True)
            if label in member.labels
        ]
        assert its.count("test") == tests
        assert its.count("train") == count - tests


@pytest.mark.parametrize(("count", "tests"), [(2, 1), (5, 1), (10, 2)])
def test_a_fifth_of_the_speakers_tests(count, tests):
    members = speakers("ABCDEFGHIJ"[:count], "xyz", 4)
    groups = by_split(members, split_of(members, "speaker"))
    assert len(groups["test"]) == tests
    assert len(groups["train"]) == count - tests
    assert not groups["train"] & groups["test"]


def test_no_labels_to_balance():
    members = [Member(str(n), str(n), str(n), frozenset(), None) for n in range(50)]
    assert split_of(members, "song").count("test") == 10


def test_the_last_of_a_label_stays_in_training():
    """Only A says x."""
    members = speakers("ABCDE", "y", 2)
    members.append(Member("x/A", "A", "x", frozenset("x"), None))
    for prefix in "abcdefgh":  # other names, another order of the hashes
        renamed = [dataclasses.replace(m, group=prefix + m.group) for m in members]
        groups = by_split(renamed, split_of(renamed, "speaker"))
        assert f"{prefix}A" in groups["train"]
        assert len(groups["test"]) == 1
    with pytest.raises(ValueError, match="No speaker can be held out"):
        split_of(speakers("A", "xy", 3), "speaker")


def test_the_order_and_the_names_of_the_files_change_nothing():
    members = songs("ab", 20)
    tests = {
        m.content
        for m, s in zip(members, split_of(members, "song"), strict=True)
        if s == "test"
    }
    renamed = [
        dataclasses.replace(m, name="new" + m.name, group="new" + m.group)
        for m in reversed(members)
    ]
    again = {
        m.content
        for m, s in zip(renamed, split_of(renamed, "song"), strict=True)
        if s == "test"
    }
    assert again == tests


def test_named_groups():
    members = speakers("ABCDE", "xy", 2)
    splits = split_of(members, "speaker", held_out="B", validate_on=["C", "D"])
    groups = by_split(members, splits)
    assert dict(groups) == {
        "test": {"B"},
        "validation": {"C", "D"},
        "train": {"A", "E"},
    }
    groups = by_split(members, split_of(members, "speaker", validate_on="A"))
    assert groups["validation"] == {"A"}
    assert len(groups["test"]) == 1
    assert "A" not in groups["test"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"held_out": "F"}, "held_out must name groups .*A, B, C, D, E. Received: F"),
        ({"held_out": []}, "Received: none"),
        ({"held_out": [1]}, "Received: 1"),
        ({"validate_on": ["A", "Z"]}, "validate_on must name groups .*Received: Z"),
        ({"held_out": "A", "validate_on": ["A", "B"]}, "both name A"),
    ],
)
def test_wrong_names(arguments, message):
    with pytest.raises(ValueError, match=message):
        split_of(speakers("ABCDE", "xy", 2), "speaker", **arguments)


def test_copies_of_a_song_are_the_song():
    members = songs("ab", 10)
    for number in range(10):
        members.append(
            Member(
                f"copy/{number}", f"copy/{number}", f"a{number}", frozenset("a"), None
            )
        )
    splits = split_of(members, "song")
    for number in range(10):
        assert splits[number] == splits[20 + number]
    splits = split_of(members, "song", held_out="copy/3", validate_on="a/4")
    assert splits[3] == splits[23] == "test"
    assert splits[4] == splits[24] == "validation"
    with pytest.raises(ValueError, match="both name a/5, copy/5"):
        split_of(members, "song", held_out="copy/5", validate_on="a/5")


def test_speakers_with_the_same_sound_go_together():
    members = speakers("ABCDEFGHIJ", "xy", 2)
    members[0] = dataclasses.replace(members[0], content="same")
    members[2] = dataclasses.replace(members[2], content="same")
    assert [members[place].group for place in (0, 2)] == ["A", "B"]
    groups = by_split(members, split_of(members, "speaker"))
    assert any({"A", "B"} <= groups[split] for split in groups)
    message = r"A and B \(which hold the same sound\) in train and test"
    with pytest.raises(ValueError, match=message):
        split_of(members, "speaker", held_out="A")
    groups = by_split(members, split_of(members, "speaker", held_out=["A", "B"]))
    assert groups["test"] == {"A", "B"}


def test_silence_is_nobodys():
    members = speakers("ABCDE", "xy", 2)
    members = [dataclasses.replace(member, content=None) for member in members]
    assert by_split(members, split_of(members, "speaker", held_out="A"))["test"] == {
        "A"
    }


def test_a_column_that_says_it():
    members = [
        dataclasses.replace(
            member, split={"A": "test", "B": "validation"}.get(member.group, "train")
        )
        for member in speakers("ABC", "xy", 2)
    ]
    assert split_of(members, "speaker") == [member.split for member in members]
    with pytest.raises(ValueError, match="leave held_out and validate_on away"):
        split_of(members, "speaker", held_out="C")
    members[0] = dataclasses.replace(members[0], split="train")
    with pytest.raises(ValueError, match="received: A in train and test"):
        split_of(members, "speaker")


MEMBERS = st.lists(
    st.tuples(
        st.sampled_from("ABCDEFG"), st.integers(0, 40), st.sets(st.sampled_from("xyz"))
    ),
    min_size=1,
    max_size=40,
)


@hypothesis.settings(deadline=None, max_examples=300)
@hypothesis.given(MEMBERS)
def test_whatever_there_is_nobody_stands_on_two_sides(drawn):
    members = [
        Member(str(n), group, str(content), frozenset(labels), None)
        for n, (group, content, labels) in enumerate(drawn)
    ]
    try:
        splits = split_of(members, "speaker")
    except ValueError as error:
        assert "No speaker can be held out" in str(error)
        return
    for key in ("group", "content"):
        sides = collections.defaultdict(set)
        for member, split in zip(members, splits, strict=True):
            sides[getattr(member, key)].add(split)
        assert all(len(found) == 1 for found in sides.values())
    trained = [m.labels for m, s in zip(members, splits, strict=True) if s == "train"]
    assert frozenset().union(*trained) == frozenset().union(
        *(m.labels for m in members)
    )
