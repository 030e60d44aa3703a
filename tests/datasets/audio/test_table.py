"""Labels of sounds: by folders and by a table, for every task, and faulty tables."""

import numpy as np
import pytest

from zoo.datasets import audio_folder
from zoo.datasets.audio.table import classes_of, csv_rows, folder_rows, targets_of


@pytest.fixture
def table(tmp_path):
    """Writes labels.csv, and an empty file for every name in it that ends in .wav."""

    def table(text, encoding="utf-8"):
        path = tmp_path / "labels.csv"
        path.write_bytes(text.encode(encoding))
        for line in text.splitlines():
            name = line.split(",")[0].strip()
            if name.endswith(".wav") and ".." not in name and name[0] != "/":
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).touch()
        return path

    return table


def rows_of(path, task="classes", split_by="song"):
    rows, rejected = csv_rows(path.parent, path, task, split_by)
    assert not rejected
    return rows


@pytest.mark.parametrize(
    ("task", "text", "labels", "classes", "targets"),
    [
        ("classes", "rock,jazz", ["rock", "jazz"], ("jazz", "rock"), [1, 0]),
        ("binary", "Yes,dislike", [True, False], ("no", "yes"), [1, 0]),
        ("binary", "TRUE,0", [True, False], ("no", "yes"), [1, 0]),
        ("binary", "like,false", [True, False], ("no", "yes"), [1, 0]),
        (
            "tags",
            "sad; slow,slow;rock;slow",
            [("sad", "slow"), ("rock", "slow")],
            ("rock", "sad", "slow"),
            [[0, 1, 1], [1, 0, 1]],
        ),
        ("rating", "1,99.5", [1, 99.5], (), [1, 99.5]),
        ("tempo", "30,284.25", [30, 284.25], (), [30, 284.25]),
    ],
)
def test_tasks(table, task, text, labels, classes, targets):
    first, second = text.split(",")
    rows = rows_of(table(f"file,label\na.wav,{first}\nb.wav,{second}\n"), task)
    assert [row.label for row in rows] == labels
    assert classes_of(rows, task) == classes
    found = targets_of(labels, classes, task)
    np.testing.assert_array_equal(found, targets)
    assert found.dtype == (np.int64 if task == "classes" else np.float32)


def test_a_column_of_the_task_goes_before_label(table):
    path = table("file,label,bpm,rating\na.wav,swing,120,7\n")
    assert rows_of(path)[0].label == "swing"
    assert rows_of(path, "tempo")[0].label == 120
    assert rows_of(path, "rating")[0].label == 7


def test_groups_and_splits_of_a_table(table):
    path = table("file,label,song,singer,split\na.wav,x,s,p,test\nb.wav,y,t,q,train\n")
    assert [(row.group, row.split) for row in rows_of(path)] == [
        ("s", "test"),
        ("t", "train"),
    ]
    assert [row.group for row in rows_of(path, split_by="singer")] == ["p", "q"]
    path = table("file,label\nin/a.wav,x\n./b.wav,y\n")
    assert [row.group for row in rows_of(path)] == ["in/a.wav", "b.wav"]


def test_spreadsheets_write_tables_otherwise(table):
    """A byte order mark, carriage returns, quotes, blanks and empty lines."""
    text = '\ufefffile, label\r\na.wav, "x"\r\n\r\n"b.wav","y, z"\r\n,\r\n'
    path = table(text)
    (path.parent / "b.wav").touch()
    assert [row.label for row in rows_of(path)] == ['"x"', "y, z"]


FAULTY = {
    "no file": ("name,label\na.wav,x\n", "classes", "line 1: expected the names"),
    "no label": ("file,class\na.wav,x\n", "classes", "it lacks label"),
    "semicolons": ("file;label\na.wav;x\n", "classes", "it lacks file, label"),
    "no column": ("file,label\na.wav,x\n", "classes", "it lacks singer"),
    "twice": ("file,label,label\na.wav,x,y\n", "classes", "it repeats label"),
    "empty": ("", "classes", "line 1: expected the names"),
    "header only": ("file,label\n", "classes", "it has 1 lines"),
    "short": ("file,label\na.wav,x\n\nb.wav\n", "classes", "line 4: expected 2 fields"),
    "long": ("file,label\na.wav,x,y\n", "classes", "line 2: expected 2 fields"),
    "nameless": ("file,label\n,x\n", "classes", "line 2: file must be a path inside"),
    "outside": ("file,label\n../a.wav,x\n", "classes", "received '../a.wav'"),
    "absolute": ("file,label\n/a.wav,x\n", "classes", "received '/a.wav'"),
    "repeated": ("file,label\na.wav,x\n./a.wav,y\n", "classes", "line 3: a.wav stands"),
    "unlabelled": ("file,label\na.wav,\n", "classes", "line 2, label: expected"),
    "maybe": ("file,label\na.wav,maybe\n", "binary", "received 'maybe'"),
    "no tag": ("file,tags\na.wav,a;;b\n", "tags", "line 2, tags: expected tags"),
    "0 points": ("file,rating\na.wav,0\n", "rating", "from 1 to 100 points"),
    "101 points": ("file,label\na.wav,100.5\n", "rating", "line 2, label: expected"),
    "29 BPM": ("file,tempo\na.wav,29.9\n", "tempo", "from 30 to 285 BPM"),
    "286 BPM": ("file,bpm\na.wav,286\n", "tempo", "line 2, bpm: expected a number"),
    "nan": ("file,label\na.wav,nan\n", "tempo", "received 'nan'"),
    "words": ("file,label\na.wav,fast\n", "tempo", "received 'fast'"),
    "split": ("file,label,split\na.wav,x,dev\n", "classes", "received 'dev'"),
    "quotes": ('file,label\n"a.wav"b,x\n', "classes", "line 2: is no CSV"),
    "two": ("file,tempo\na.wav,1\nb.wav,99\nc.wav,2\n", "tempo", "line 4, tempo"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_faulty_tables_are_refused_with_the_line(table, name):
    text, task, message = FAULTY[name]
    split_by = "singer" if name == "no column" else "song"
    path = table(text)
    with pytest.raises(ValueError) as caught:
        csv_rows(path.parent, path, task, split_by)
    assert message in str(caught.value)
    assert f"{path}, line" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_many_faults_are_counted(table):
    path = table("file,rating\n" + "".join(f"{n}.wav,0\n" for n in range(25)))
    with pytest.raises(ValueError, match=r"line 11, .*And 15 more such lines\.$"):
        rows_of(path, "rating")


def test_another_encoding(table):
    with pytest.raises(ValueError, match="about line 1: expected text in UTF-8"):
        rows_of(table("file,label\na.wav,é\n", encoding="latin-1"))


def test_a_file_of_the_table_that_is_not_there(table):
    path = table("file,label\na.wav,x\nb.wav,y\n")
    (path.parent / "b.wav").unlink()
    rows, rejected = csv_rows(path.parent, path, "classes", "song")
    assert [row.name for row in rows] == ["a.wav"]
    assert rejected == {"b.wav": "is not there (labels.csv, line 3)"}


def test_folders(tmp_path):
    for name in ("x/1.wav", "y/ann/2.wav", "y/bob/tape/3.wav", "notes.txt", "y/.4.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "5.wav").touch()
    rows, rejected = folder_rows(tmp_path, "classes", "song")
    assert [(row.name, row.label, row.group) for row in rows] == [
        ("x/1.wav", "x", "x/1.wav"),
        ("y/ann/2.wav", "y", "y/ann/2.wav"),
        ("y/bob/tape/3.wav", "y", "y/bob/tape/3.wav"),
    ]
    assert rejected == {"notes.txt": "does not stand in label/file"}
    rows, rejected = folder_rows(tmp_path, "classes", "speaker")
    assert [row.group for row in rows] == ["ann", "bob"]
    assert set(rejected) == {"notes.txt", "x/1.wav"}
    assert rejected["x/1.wav"] == "does not stand in label/speaker/file"
    with pytest.raises(ValueError, match="The sub-folder 'x': expected one of yes"):
        folder_rows(tmp_path, "binary", "song")
    with pytest.raises(ValueError, match='must be "song" or "speaker"'):
        folder_rows(tmp_path, "classes", "singer")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate": 16000.0}, "sample_rate must be an integer from 100"),
        ({"sample_rate": 0}, "received 0"),
        ({"channels": 0}, "channels must be an integer from 1"),
        ({"seconds": 0}, "seconds must be the length"),
        ({"seconds": float("nan")}, "seconds must be the length"),
        ({"seconds": 1e-9}, "at least one sample"),
        ({"seconds": "1"}, "received '1'"),
        ({"task": "genre"}, "task must be one of classes, binary, tags"),
        ({"normalize": "loud"}, 'normalize must be None, "peak" or "rms"'),
        ({"split_by": None}, "split_by must be"),
        ({"labels": 7}, "labels must be"),
        ({"labels": "nowhere.csv"}, "nowhere.csv cannot be read"),
    ],
)
def test_wrong_options(sounds, options, message):
    sounds.fill(count=2)
    with pytest.raises(ValueError) as caught:
        audio_folder(sounds.folder, **options)
    assert message in str(caught.value)


def test_wrong_folders(tmp_path):
    with pytest.raises(ValueError, match="which is not there"):
        audio_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no labelled file: expected label/file"):
        audio_folder(tmp_path)
