"""What a command prints is whole where memory ran out, or it says that it
isn't."""
import pytest

from test_points import ALL, Folder, two_epochs

LINES = {
    "runs": ["runs", "--json", "--sort", "started"],
    "runs-by-word": ["runs", "--sort", "status"],
    "log": ["log", "--all", "--json"],
    "show": ["show", "--json"],
    "ls": ["ls", "--json"],
    "tags": ["tag", "--json"],
    "diff": ["diff", "--json", "HEAD~1", "HEAD"],
}
MOST = 60  # allocations of a command, in a run that does not take all


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = Folder(tmp_path_factory.mktemp("output") / "at")
    folder.path.mkdir()
    two_epochs(folder)
    folder.ok("run", "start", "another")
    return folder


@pytest.mark.parametrize("words", LINES.values(), ids=LINES)
def test_what_is_printed_without_memory_is_whole_or_an_error(folder, words):
    whole = folder.run(*words, fault="count")
    assert whole.returncode == 0 and whole.stdout, whole.stderr.decode()
    n = len(whole.stacks[2])
    # The last ones are those of the output.
    for number in range(0 if ALL else max(0, n - MOST), n):
        done = folder.run(*words, fault=f"memory:{number}")
        text = done.stderr.decode()
        if done.returncode:
            assert text.startswith(("wh ", "wh: ", '{"error":')), (number, text)
            assert len(text.splitlines()) == 1, (number, text)
        else:
            assert done.stdout == whole.stdout, number
