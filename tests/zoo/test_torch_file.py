"""Reading a torch state dict without torch."""

import collections
import pickle
import zipfile

import numpy as np
import pytest

from zoo._torch_file import read_state_dict


def write(path, content):
    """A file like torch's, with a pickle and nothing beside it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    return path


def test_equals_torchs_reader(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.manual_seed(0)
    shared = torch.randn(4, 6)
    state = collections.OrderedDict(
        matrix=shared,
        transposed=shared.T,  # a view: other strides on the same numbers
        part=shared[1:3, 2:],  # and one that begins later
        number=torch.tensor(7),
        empty=torch.zeros(0, 3),
        double=torch.randn(3, dtype=torch.float64),
        half=torch.randn(3).half(),
        flags=torch.tensor([True, False]),
    )
    torch.save(state, tmp_path / "m.pth")
    received = read_state_dict(tmp_path / "m.pth")
    assert list(received) == list(state)
    for name, tensor in state.items():
        assert received[name].dtype == tensor.numpy().dtype
        np.testing.assert_array_equal(received[name], tensor.numpy())
        assert received[name].flags.writeable


def test_a_module_with_its_metadata(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    torch.save(module.state_dict(), tmp_path / "m.pth")
    received = read_state_dict(tmp_path / "m.pth")
    assert set(received) == set(module.state_dict())
    np.testing.assert_array_equal(received["0.weight"], module[0].weight.detach())


class _Call:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def test_a_pickle_that_would_run_something_is_refused(tmp_path):
    path = tmp_path / "m.pth"
    proof = tmp_path / "it_ran"
    content = pickle.dumps({"weight": _Call(open, str(proof), "w")})
    with pytest.raises(ValueError, match="it holds .*open"):
        read_state_dict(write(path, content))
    assert not proof.exists()


def test_a_tensor_beyond_its_numbers_is_refused(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.save({"x": torch.zeros(8)}, tmp_path / "m.pth")
    with zipfile.ZipFile(tmp_path / "m.pth") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    path = tmp_path / "short.pth"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            # The pickle still says eight numbers, in a shape of eight.
            archive.writestr(name, data[:4] if "/data/" in name else data)
    with pytest.raises(ValueError):
        read_state_dict(path)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, "weights"])
def test_what_is_no_dictionary_of_tensors(tmp_path, content):
    path = write(tmp_path / "m.pth", pickle.dumps(content))
    with pytest.raises(ValueError, match="no dictionary of tensors"):
        read_state_dict(path)


def test_a_zip_of_something_else(tmp_path):
    path = tmp_path / "m.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no weights")
    with pytest.raises(ValueError, match="no data.pkl"):
        read_state_dict(path)
