"""The grooves that MMA's libraries define, and what their names tell."""

import dataclasses
import re
from pathlib import Path

LIBRARIES = ("/usr/share/mma/lib", "/usr/local/share/mma/lib", "/Users/Shared/mma/lib")
# Words in the name of a library file, and the style they tell. The first that fits
# counts: a jazz waltz is a waltz.
STYLES = (
    ("waltz", ("waltz",)),
    ("bossa nova", ("bossa", "quando")),
    ("tango", ("tango",)),
    ("polka", ("polka", "zydeco")),
    ("march", ("march",)),
    ("ballad", ("ballad", "bald", "serenade", "lullaby")),
    ("boogie", ("boggie", "boogie", "shuffle")),
    ("blues", ("blues",)),
    ("country", ("country", "cntry", "western", "bluegrass", "kwest")),
    ("electronic", ("house", "techno", "trance", "rave", "dance", "dnb", "digital")),
    ("hip hop", ("hiphop", "hip-hop", "trip")),
    ("funk", ("funk", "fusion", "fus16")),
    ("soul", ("soul", "motown", "rb", "r+b", "rnb")),
    ("latin", ("salsa", "samba", "mambo", "rhumba", "chacha", "merengue", "cuban")),
    ("latin", ("beguine", "bolero", "calypso", "son", "latin", "afro")),
    ("swing", ("swing", "bigband", "basie", "jive", "charleston", "foxtrot")),
    ("swing", ("quickstep", "dixie", "strut", "softshoe")),
    ("jazz", ("jazz", "bebop", "evansish")),
    ("twist", ("twist", "twi")),
    ("reggae", ("reggae", "ska")),
    ("metal", ("metal", "mtl", "thr", "hrk", "punk")),
    ("rock", ("rock", "8beat", "16beat", "beat8", "beat16")),
    ("folk", ("folk", "hillcountry", "bluefolk")),
    ("pop", ("pop", "boneym")),
)
# They hold what begins or ends a piece, ticks, or nothing.
NO_MUSIC = ("none", "metronome", "intro", "ending", "count")
NOT_FOR_LONG = re.compile(r"(intro|end|ending|fill)[a-d]*[0-9]*$", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Groove:
    """One pattern of MMA's libraries.

    Attributes:
        name: as MMA knows it, such as "stdlib/bossanova:BossaNovaSus".
        family: the library file it stands in, such as "stdlib/bossanova". Its grooves
            are variants of each other: what trains and what tests must not share one.
        style: told from the family's name, such as "bossa nova", else "other".
        meter: such as "4/4".
        usual: whether it can accompany a whole piece in common time: 4/4, and no
            introduction, fill, ending or metronome.
    """

    name: str
    family: str
    style: str
    meter: str
    usual: bool


def list_grooves(library=None):
    """All grooves in MMA's libraries.

    Args:
        library: folder of the libraries; None looks where MMA installs them.

    Returns:
        A list of `Groove`, sorted by name.

    Raises:
        ValueError: MMA's libraries are not there.

    Example:
        ```python
        from zoo.datasets.audio import grooves

        found = grooves.list_grooves()
        print({groove.family for groove in found if groove.style == "tango"})
        ```
    """
    grooves = {}
    for file in sorted(_library(library).glob("*/*.mma")):
        family = f"{file.parent.name}/{file.stem}"
        text = file.read_text(encoding="latin-1")
        for name, meter in defined_grooves(text):
            grooves[f"{family}:{name}"] = Groove(
                name=f"{family}:{name}",
                family=family,
                style=style_of(family),
                meter=meter,
                usual=meter == "4/4" and _is_usual(family, name),
            )
    return [grooves[name] for name in sorted(grooves)]


def defined_grooves(text):
    """Name and meter of each groove that a library file defines.

    Args:
        text: the file's content.

    Returns:
        A list of (name, meter) such as ("BossaNova", "4/4").
    """
    found, beats, signature = [], "4", "4/4"
    for line in text.splitlines():
        words = line.split("//")[0].split()
        if len(words) < 2:
            continue
        command = words[0].lower()
        if command == "time":
            # Either the beats of a bar, or the whole signature.
            beats = words[1].split("/")[0]
            signature = words[1] if "/" in words[1] else signature
        elif command == "timesig":
            signature = words[1] if "/" in words[1] else "/".join(words[1:3])
        elif command == "defgroove":
            agree = beats == signature.split("/")[0]
            # 6/8 counted in 2 or 4 beats and the like: MMA's tempo is not the pulse.
            found.append((words[1], signature if agree else f"{beats} of {signature}"))
    return found


def style_of(family):
    """The style that a library file's name tells, else "other"."""
    stem = family.split("/")[-1].lower()
    for style, words in STYLES:
        if any(word in stem for word in words):
            return style
    return "other"


def _is_usual(family, name):
    stem = family.split("/")[-1]
    return stem not in NO_MUSIC and not NOT_FOR_LONG.search(name)


def _library(library):
    places = LIBRARIES if library is None else (library,)
    for place in places:
        if any(Path(place).glob("*/*.mma")):
            return Path(place)
    raise ValueError(
        f"No library of MMA in {', '.join(map(str, places))}: install it (Debian and "
        f"Ubuntu: apt install mma timgm6mb-soundfont)."
    )


def chosen_grooves(found, names):
    """The grooves of these names; for None, the usual ones.

    Raises:
        ValueError: there is no such groove, or its meter is not 4/4 or 3/4.
    """
    if names is None:
        return [groove for groove in found if groove.usual]
    if isinstance(names, str):
        raise TypeError(f"grooves must be a list of names; received {names!r}.")
    by_name = {groove.name: groove for groove in found}
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in by_name:
            raise ValueError(
                f"MMA has no groove {name!r}: names are such as 'stdlib/swing:Swing', "
                f"list_grooves() has them all."
            )
        if by_name[name].meter not in ("4/4", "3/4"):
            raise ValueError(
                f"The groove {name!r} is in {by_name[name].meter}, where the quarter "
                f"note is not the beat: choose grooves in 4/4 or 3/4."
            )
    if not names:
        raise ValueError("grooves must name at least one groove, or be None for all.")
    return [by_name[name] for name in names]
