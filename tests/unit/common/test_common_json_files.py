"""Reading JSON: what a person wrote, and each way in which it can be wrong."""

import pytest

from stages.common.errors import UserError
from stages.common.json_files import read_json


def refused(path) -> str:
    with pytest.raises(UserError) as error:
        read_json(path, missing="put it there", damaged="write it anew")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf" + '{"a": ["\u00fc"]}'.encode())
    assert read_json(path, "", "") == {"a": ["\u00fc"]}


def test_a_file_that_is_missing_says_what_to_do(tmp_path):
    path = tmp_path / "a.json"
    assert refused(path) == f"{path}: cannot be read (No such file or directory); put it there"
    assert refused(tmp_path) == f"{tmp_path}: cannot be read (Is a directory); put it there"


@pytest.mark.parametrize("content", [b"", b"{", b"{'a': 1}", b"\xff\xfe{}", b"[" * 100_000])
def test_a_file_that_is_no_json_says_what_to_do(content, tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    text = refused(path)
    assert text.startswith(f"{path}: not valid JSON (")
    assert text.endswith("; write it anew")
