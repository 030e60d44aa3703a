import os

import pytest

from zoo._files import check_can_be_made, replace_file, replace_folder


def test_a_file_comes_whole(tmp_path):
    target = tmp_path / "model.weights.h5"
    target.write_text("old")
    with replace_file(target) as beside:
        assert beside.name.endswith("model.weights.h5")
        beside.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == [target.name]


def test_a_failed_file_leaves_the_old_one(tmp_path):
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(RuntimeError), replace_file(target) as beside:
        beside.write_text("ne")
        raise RuntimeError
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_folder_comes_whole(tmp_path):
    target = tmp_path / "saved"
    for content in ("one", "two"):
        with replace_folder(target) as beside:
            (beside / content).write_text(content)
            assert not (target / content).exists()
        assert os.listdir(target) == [content]
    assert os.listdir(tmp_path) == ["saved"]


def test_a_failed_folder_leaves_the_old_one(tmp_path):
    target = tmp_path / "saved"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(RuntimeError), replace_folder(target) as beside:
        (beside / "new").touch()
        raise RuntimeError
    assert os.listdir(target) == ["old"]
    assert os.listdir(tmp_path) == ["saved"]


def test_a_place_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "a" / "b"):
        with pytest.raises(ValueError, match="is a file"):
            check_can_be_made(path)
    check_can_be_made(tmp_path / "new" / "deep")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="no permission"):
        check_can_be_made(tmp_path / "new")


def test_a_folder_behind_a_link_comes_to_where_the_link_points(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with replace_folder(tmp_path / "link") as beside:
        (beside / "new").touch()
    assert (tmp_path / "link").is_symlink()
    assert os.listdir(tmp_path / "real") == ["new"]
    assert sorted(os.listdir(tmp_path)) == ["link", "real"]


def test_a_file_comes_into_a_new_folder(tmp_path):
    with replace_file(tmp_path / "new" / "a.json") as beside:
        beside.write_text("{}")
    assert (tmp_path / "new" / "a.json").read_text() == "{}"
