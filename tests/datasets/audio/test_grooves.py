"""Rendered grooves: the tempo is exact, the music is as drawn, the same every time."""

import collections
import csv
import re
import shutil
import subprocess
import sys
import textwrap
import types

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from zoo.datasets.audio.grooves import (
    Groove,
    library,
    list_grooves,
    render,
    synthesis,
)
from zoo.datasets.audio.grooves.chart import Clip, chart, drawn_chords, drawn_clip
from zoo.datasets.audio.grooves.library import (
    chosen_grooves,
    defined_grooves,
    style_of,
)
from zoo.datasets.audio.grooves.synthesis import played, rendered, timed_events


def what_is_missing():
    try:
        synthesis.mma()
        library._library(None)
        synthesis.soundfont()
        synthesis.import_synthesiser()
    except (ImportError, ValueError) as error:
        return str(error)
    return None


MISSING = what_is_missing()
needs_mma = pytest.mark.skipif(MISSING is not None, reason=f"{MISSING}")

METRONOME = "stdlib/metronome:Metronome4"
SWING = Groove("stdlib/swing:Swing", "stdlib/swing", "swing", "4/4", True)
WALTZ = Groove("stdlib/waltz:Waltz", "stdlib/waltz", "waltz", "3/4", False)


def rows_of(table):
    with open(table, newline="") as file:
        return list(csv.DictReader(file))


def contents_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def metronome_clip(bpm, seconds=12):
    """A clip of ticks on every beat, begun on a beat."""
    groove = Groove(METRONOME, "stdlib/metronome", "other", "4/4", False)
    bars = int(seconds * bpm / 240) + 2
    return Clip(groove, bpm, "C major", (("C",),) * bars, 0.0, 0, "clip.wav")


def test_library_files_are_read_as_mma_reads_them():
    text = """
        // DefGroove NotThis  in a comment
        Time 4/4
        DefGroove Plain   with words behind
        Time 3
        TimeSig 3 4
        defgroove Waltz
        Time 6
        TimeSig 6/8
        DefGroove Jig // a comment
        Time 2
        DefGroove JigIn2
    """
    assert defined_grooves(text) == [
        ("Plain", "4/4"),
        ("Waltz", "3/4"),
        ("Jig", "6/8"),
        ("JigIn2", "2 of 6/8"),
    ]
    assert defined_grooves("DefGroove Bare") == [("Bare", "4/4")]


@pytest.mark.parametrize(
    ("family", "style"),
    [
        ("stdlib/bossanova", "bossa nova"),
        ("yamaha/jazzbossa", "bossa nova"),
        ("yamaha/jazzwaltz", "waltz"),
        ("casio/fastbigband", "swing"),
        ("kara/K50s_rock", "rock"),
        ("casio/polkafox", "polka"),
        ("stdlib/lighttango", "tango"),
        ("stdlib/rb-ballad", "ballad"),
        ("stdlib/countryblues", "blues"),
        ("stdlib/hymn", "other"),
    ],
)
def test_styles(family, style):
    assert style_of(family) == style


@pytest.mark.parametrize(
    ("family", "name", "usual"),
    [
        ("stdlib/swing", "Swing", True),
        ("stdlib/swing", "SwingWalkSus", True),
        ("stdlib/countryblues", "CountryBlues1Walk", True),
        ("zoom/country", "CTRY01", True),
        ("stdlib/swing", "SwingIntro8", False),
        ("stdlib/swing", "SwingEnd", False),
        ("kara/kbossa", "kbossaFillAB", False),
        ("kara/kbossa", "kbossaEndingD", False),
        ("stdlib/metronome", "Metronome2-4", False),
        ("zoom/count", "COUNT", False),
    ],
)
def test_what_is_no_music(family, name, usual):
    assert library._is_usual(family, name) == usual


def tones_of(chord):
    """Pitch classes of a chord's name, from its intervals."""
    root, kind = re.fullmatch(r"([A-G]b?)(m7|M7|m|7|)", chord).groups()
    place = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[root[0]]
    place -= root.endswith("b")
    third = 3 if kind.startswith("m") else 4
    seventh = {"m7": [10], "7": [10], "M7": [11]}.get(kind, [])
    return {(place + step) % 12 for step in (0, third, 7, *seventh)}


@given(st.integers(0, 2**32 - 1), st.integers(0, 11), st.integers(1, 60))
def test_chords_are_of_the_key(seed, tonic, bars):
    scales = {
        "major": {0, 2, 4, 5, 7, 9, 11},
        # Natural, and its leading note.
        "minor": {0, 2, 3, 5, 7, 8, 10, 11},
    }
    for mode, scale in scales.items():
        chords = drawn_chords(np.random.RandomState(seed), tonic, mode, bars)
        assert len(chords) == bars
        third = 4 if mode == "major" else 3
        assert {tonic, (tonic + third) % 12} <= tones_of(chords[0][0])
        for bar in chords:
            assert 1 <= len(bar) <= 2
            for chord in bar:
                assert {(tone - tonic) % 12 for tone in tones_of(chord)} <= scale


def test_clips_differ_in_all_that_is_drawn():
    clips = [drawn_clip(SWING, number, 12, 0) for number in range(600)]
    tempos = np.array([clip.bpm for clip in clips])
    assert tempos.min() < 64 and tempos.max() > 196
    assert tempos.mean() == pytest.approx(130, abs=6)
    assert all(60 <= bpm <= 200 for bpm in tempos)
    assert len({clip.key for clip in clips}) == 24
    assert len({clip.chords for clip in clips}) > 590
    assert len({clip.file for clip in clips}) == 600
    assert np.histogram([clip.start for clip in clips], 4, (0, 1))[0].min() > 100
    # By the clip's own arguments only.
    assert clips[7] == drawn_clip(SWING, 7, 12, 0)
    assert clips[7].chords != drawn_clip(SWING, 7, 12, 1).chords


@pytest.mark.parametrize("groove", [SWING, WALTZ], ids=["4/4", "3/4"])
@pytest.mark.parametrize("seconds", [1, 12])
def test_charts_are_long_enough(groove, seconds):
    for number in range(100):
        clip = drawn_clip(groove, number, seconds, 0)
        bar = int(groove.meter[0]) * 60 / clip.bpm
        assert len(clip.chords) * bar >= seconds + clip.start * bar


def test_the_chart_is_what_mma_reads():
    clip = Clip(SWING, 117, "C major", (("C",), ("Am", "F")), 0.5, 9, "clip.wav")
    assert chart(clip).splitlines() == [
        "RndSeed 9",
        "Tempo 117",
        "Groove stdlib/swing:Swing",
        "1 C",
        "2 Am / F",
    ]


def test_events_are_timed_by_their_ticks():
    """Whatever tempo the file rounds to: 4,000 beats of 117 last 4000 * 60 / 117 s."""

    def message(ticks, kind, meta=False):
        return types.SimpleNamespace(time=ticks, type=kind, is_meta=meta)

    track = [message(0, "set_tempo", meta=True)]
    track += [message(192, "note_on") for _ in range(4000)]
    midi = types.SimpleNamespace(ticks_per_beat=192, merged_track=track)
    seconds = [second for second, _ in timed_events(midi, 117)]
    np.testing.assert_allclose(seconds, np.arange(1, 4001) * 60 / 117, rtol=1e-12)


def test_choosing_grooves():
    found = [SWING, WALTZ, Groove("stdlib/68:Jig", "stdlib/68", "other", "6/8", False)]
    assert chosen_grooves(found, None) == [SWING]
    assert chosen_grooves(found, [WALTZ.name, SWING.name, WALTZ.name]) == [WALTZ, SWING]
    with pytest.raises(ValueError, match="MMA has no groove 'Swing': names are such"):
        chosen_grooves(found, ["Swing"])
    with pytest.raises(ValueError, match="'stdlib/68:Jig' is in 6/8.*not the beat"):
        chosen_grooves(found, ["stdlib/68:Jig"])
    with pytest.raises(ValueError, match="at least one groove"):
        chosen_grooves(found, [])
    with pytest.raises(TypeError, match="must be a list of names; received 'stdlib"):
        chosen_grooves(found, SWING.name)


def test_a_library_is_listed(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "tango.mma").write_text(
        "Time 4\nDefGroove Tango\nDefGroove TangoEnd\nDefGroove Tango again\n"
    )
    assert list_grooves(tmp_path) == [
        Groove("own/tango:Tango", "own/tango", "tango", "4/4", True),
        Groove("own/tango:TangoEnd", "own/tango", "tango", "4/4", False),
    ]


def test_what_is_not_installed_is_said(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="No library of MMA in .*: install it"):
        list_grooves(tmp_path)
    monkeypatch.setattr(synthesis, "SOUNDFONTS", (str(tmp_path / "none.sf2"),))
    with pytest.raises(ValueError, match="none.sf2: install it.*timgm6mb-soundfont"):
        synthesis.soundfont()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="command mma is not installed: install it"):
        synthesis.mma()
    monkeypatch.setitem(sys.modules, "tinysoundfont", None)
    with pytest.raises(ImportError, match="pip install --no-deps tinysoundfont"):
        render(tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"clips_per_groove": 0}, ValueError, "clips_per_groove must be from 1"),
        ({"seconds": 1.5}, TypeError, "seconds must be a whole number"),
        ({"seconds": 0}, ValueError, "seconds must be from 1 to 600; received 0"),
        ({"sample_rate": 96000}, ValueError, "sample_rate must be from 4000 to 44100"),
        ({"seed": -1}, ValueError, "seed must be from 0"),
    ],
)
def test_refused_numbers(arguments, error, message, tmp_path):
    with pytest.raises(error, match=message):
        render(tmp_path / "a", **arguments)
    assert not (tmp_path / "a").exists()


@needs_mma
def test_the_libraries_of_mma():
    found = list_grooves()
    usual = [groove for groove in found if groove.usual]
    assert len(found) > 1900 and len(usual) > 1000
    assert len({groove.family for groove in usual}) > 200
    assert {groove.meter for groove in usual} == {"4/4"}
    variants = [g for g in found if g.name.startswith("stdlib/bossanova:")]
    assert len(variants) > 5 and {g.family for g in variants} == {"stdlib/bossanova"}
    for style in ("swing", "bossa nova", "tango", "polka", "rock"):
        assert len({g.family for g in usual if g.style == style}) >= 2


@needs_mma
def test_meters_are_those_that_mma_itself_tells():
    names = [groove.name for groove in list_grooves()]
    families = ("stdlib/68march:", "stdlib/jazz-54:", "casio/jazzwaltz:", "zoom/rock:")
    names = [name for name in names if name.startswith(families)]
    meters = {groove.name: groove.meter for groove in list_grooves()}
    for name in names[::5]:
        answer = subprocess.run(
            [shutil.which("mma"), "-w", "-n", "-"],
            input=f"Groove {name}\nPrint told $_Time $_TimeSig\n",
            capture_output=True,
            text=True,
        ).stdout
        beats, signature = re.search(r"told (\S+) (\S+)", answer).groups()
        agree = float(beats) == float(signature.split("/")[0])
        assert meters[name] == (
            signature if agree else f"{float(beats):.0f} of {signature}"
        )


@needs_mma
@pytest.mark.parametrize(
    "name",
    [
        "alexis/teamtechno:TeamTechno",
        "casio/polka:Polka",
        "kara/kbossa:kbossaC",
        "pflib/metal1:metal1A",
        "stdlib/waltz:Waltz",
        "yamaha/salsa1:Salsa1MainA",
        "zoom/reggae:REGG04",
    ],
)
def test_grooves_are_played_at_the_tempo_and_meter_they_are_drawn_with(name):
    found = {groove.name: groove for groove in list_grooves()}
    if name not in found:
        pytest.skip(f"this MMA has no {name}")
    clip = drawn_clip(found[name], 0, 12, 0)
    midi = played(clip)
    (meter,) = {
        (event.numerator, event.denominator)
        for event in midi.merged_track
        if event.type == "time_signature"
    }
    assert f"{meter[0]}/{meter[1]}" == clip.groove.meter
    notes = [
        (second, event)
        for second, event in timed_events(midi, clip.bpm)
        if event.type == "note_on" and event.velocity
    ]
    # mido's own clock, which goes by the microseconds that the file rounds to.
    clock, theirs = 0.0, []
    for event in midi:
        clock += event.time
        if event.type == "note_on" and event.velocity:
            theirs.append(clock)
    np.testing.assert_allclose([second for second, _ in notes], theirs, rtol=1e-5)
    # Music until the last bar.
    bar = meter[0] * 60 / clip.bpm
    assert notes[-1][0] > (len(clip.chords) - 1) * bar - 1e-6


@needs_mma
@pytest.mark.parametrize("bpm", [60, 117, 200])
def test_ticks_are_heard_on_the_beats_to_the_end(bpm):
    """By librosa's onsets in the sound: 12 s without drift, so bpm is exact."""
    sound = rendered(metronome_clip(bpm), 12, 11025)
    assert sound.shape == (12 * 11025,) and sound.dtype == np.float32
    strength = librosa.onset.onset_strength(
        y=sound, sr=11025, hop_length=64, n_fft=256, n_mels=32
    )
    onsets = librosa.onset.onset_detect(
        onset_envelope=strength, sr=11025, hop_length=64, units="time"
    )
    onsets = onsets[onsets > 0.1]
    beats = onsets * bpm / 60
    assert len(set(np.round(beats))) >= 0.9 * (12 * bpm / 60 - 1)
    slope, offset = np.polyfit(np.round(beats), onsets, 1)
    assert 60 / slope == pytest.approx(bpm, rel=5e-4)
    assert abs(offset) < 0.03
    np.testing.assert_allclose(onsets, np.round(beats) * 60 / bpm, atol=0.03)
    # One beat a minute more is told apart.
    with pytest.raises(AssertionError):
        wrong = np.round(onsets * (bpm + 1) / 60)
        slope = np.polyfit(wrong, onsets, 1)[0]
        assert 60 / slope == pytest.approx(bpm + 1, rel=5e-4)


@needs_mma
def test_a_beat_tracker_finds_the_tempo():
    sound = rendered(metronome_clip(100), 12, 11025)
    tempo, _ = librosa.beat.beat_track(y=sound, sr=11025, hop_length=128)
    assert np.atleast_1d(tempo)[0] == pytest.approx(100, rel=0.04)


@pytest.fixture(scope="module")
def rendering(tmp_path_factory):
    """labels.csv of six clips."""
    folder = tmp_path_factory.mktemp("grooves") / "made" / "here"
    names = [SWING.name, "stdlib/tango:Tango", "stdlib/waltz:Waltz"]
    return render(folder, clips_per_groove=2, grooves=names, seconds=2)


@needs_mma
def test_the_table_and_the_files(rendering):
    rows = rows_of(rendering)
    assert list(rows[0]) == [
        *("file", "label", "groove", "family", "bpm", "key", "meter")
    ]
    counts = collections.Counter((row["label"], row["family"]) for row in rows)
    assert counts == {
        ("swing", "stdlib/swing"): 2,
        ("tango", "stdlib/tango"): 2,
        ("waltz", "stdlib/waltz"): 2,
    }
    assert len({(row["bpm"], row["key"]) for row in rows}) == 6
    files = {path.name for path in rendering.parent.glob("*.wav")}
    assert {row["file"] for row in rows} == files and len(files) == 6
    for name in files:
        sound, rate = soundfile.read(rendering.parent / name)
        assert soundfile.info(rendering.parent / name).subtype == "PCM_16"
        assert sound.shape == (2 * 11025,) and rate == 11025
        assert np.abs(sound).max() == pytest.approx(0.9, abs=1e-4)
        # No half of it is silent.
        assert min(half.std() for half in np.split(sound, 2)) > 0.005


@needs_mma
def test_the_same_bytes_again_and_alone(rendering, tmp_path):
    names = ["stdlib/tango:Tango"]
    alone = render(tmp_path / "a", grooves=names, seconds=2).parent
    together = contents_of(rendering.parent)
    name = "stdlib-tango-Tango-000.wav"
    assert contents_of(alone)[name] == together[name]
    other = render(tmp_path / "b", grooves=names, seconds=2, seed=1).parent
    assert contents_of(other)[name] != together[name]
    assert together["stdlib-tango-Tango-001.wav"] != together[name]


@needs_mma
def test_it_goes_on_where_it_stopped(tmp_path):
    arguments = {"grooves": [SWING.name], "clips_per_groove": 2, "seconds": 1}
    folder = render(tmp_path / "a", **arguments).parent
    whole = contents_of(folder)
    kept = folder / "stdlib-swing-Swing-000.wav"
    before = kept.stat().st_mtime_ns
    (folder / "stdlib-swing-Swing-001.wav").unlink()
    (folder / "labels.csv").unlink()
    render(folder, **arguments)
    assert contents_of(folder) == whole
    assert kept.stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="made with another seconds and seed"):
        render(folder, **(arguments | {"seconds": 2, "seed": 1}))


@needs_mma
def test_a_silent_or_broken_groove(tmp_path):
    with pytest.raises(ValueError, match="MMA can't play.*stdlib/none:None: leave it"):
        render(tmp_path / "a", grooves=["stdlib/none:None"], seconds=1)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["rendering.json"]
    # It ticks on the first and the third beat; the clip is the fourth.
    sparse = Groove("stdlib/metronome:Metronome2", "", "other", "4/4", False)
    clip = Clip(sparse, 60, "C major", (("C",), ("C",)), 0.7, 0, "clip.wav")
    with pytest.raises(ValueError, match="Metronome2 is silent for 1 s: leave it out"):
        rendered(clip, 1, 11025)
    unknown = Groove("stdlib/swing:Swong", "stdlib/swing", "swing", "4/4", True)
    with pytest.raises(ValueError, match="MMA can't play.*Swong.*It says: .*SWONG"):
        played(drawn_clip(unknown, 0, 1, 0))


@needs_mma
def test_instruments_of_a_part_differ_between_clips(monkeypatch):
    """Each from the same eight of General MIDI as the groove's own."""
    import tinysoundfont

    own = {}
    chosen = collections.defaultdict(set)
    change = tinysoundfont.Synth.program_change

    def noted(synth, channel, program, *rest):
        chosen[channel].add(program)
        return change(synth, channel, program, *rest)

    monkeypatch.setattr(tinysoundfont.Synth, "program_change", noted)
    groove = next(each for each in list_grooves() if each.name == SWING.name)
    for number in range(8):
        clip = drawn_clip(groove, number, 1, 0)
        for message in played(clip).merged_track:
            if message.type == "program_change":
                own[message.channel] = message.program
        rendered(clip, 1, 11025)
    own.pop(9)
    assert set(chosen) == set(own)
    assert max(len(programs) for programs in chosen.values()) > 2
    for channel, programs in chosen.items():
        assert {program // 8 for program in programs} == {own[channel] // 8}


@needs_mma
@pytest.mark.parametrize("function", [list_grooves, render])
def test_examples_run(function, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", function.__doc__, re.DOTALL)
    exec(textwrap.dedent(code), {})
