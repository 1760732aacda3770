"""rollback, undo, switch: where branches stand."""
import sqlite3

from conftest import GOLDEN, epoch


def tip(wh, branch="main"):
    return {row["name"]: row["snapshot"]
            for row in wh.rows("branch")}[branch]


def test_rollback_moves_the_branch_and_says_from_where(history):
    move = history.row("rollback", "HEAD~2")
    assert move == {"branch": "main", "from": history.ids[4],
                    "to": history.ids[2]}
    assert tip(history) == history.ids[2]
    assert history.rows("reflog", "main")[0]["why"] == "rollback"


def test_rollback_with_history_makes_a_snapshot_of_the_old_tree(history):
    move = history.row("rollback", "HEAD~2", "--keep-history", "-m", "back")
    top = history.rows("log")[0]
    assert top["snapshot"] == move["to"] == tip(history)
    assert top["parent"] == history.ids[4] and top["message"] == "back"
    assert history.row("show", "HEAD")["tree"] == \
        history.row("show", history.ids[2])["tree"]


def test_rollback_writes_the_weights_too(history):
    history.ok("rollback", "HEAD~3", "--write", "back.h5", "-q")
    assert (history.folder / "back.h5").read_bytes() == epoch(2).read_bytes()
    assert tip(history) == history.ids[1]


def test_what_the_written_file_lacks_is_said(store):
    store.ok("commit", GOLDEN / "tf/adam-trained/ckpt")
    said = store("rollback", "HEAD", "--write", "back.h5").stderr
    assert said == "wh rollback: left out: 14 optimizer tensors\n"


def test_a_branch_stays_where_the_file_cannot_be_written(history):
    history.fails(4, "rollback", "HEAD~3", "--write", "/proc/none/back.h5")
    assert tip(history) == history.ids[4]


def test_rollback_refuses_when_the_branch_is_not_where_it_is_expected(history):
    said = history.fails(11, "rollback", "HEAD~3", "--expect", "HEAD~1")
    assert "main" in said and "moved" in said
    assert tip(history) == history.ids[4]
    history.ok("rollback", "HEAD~3", "--expect", history.ids[4])
    assert tip(history) == history.ids[1]


def test_a_rollback_that_keeps_history_expects_a_tip_too(history):
    words = "rollback", "HEAD~3", "--keep-history", "--expect"
    assert "moved" in history.fails(11, *words, "HEAD~1")
    assert tip(history) == history.ids[4]
    move = history.row(*words, history.ids[4])
    assert move["from"] == history.ids[4] and tip(history) == move["to"]
    assert history.row("show", "HEAD~1")["snapshot"] == history.ids[4]


def test_undo_takes_moves_back_one_by_one(history):
    history.ok("rollback", "HEAD~3")
    history.ok("rollback", "HEAD~1")
    assert tip(history) == history.ids[0]
    assert history.row("undo") == {"branch": "main", "from": history.ids[0],
                                   "to": history.ids[1]}
    history.ok("undo")
    assert tip(history) == history.ids[4]
    history.ok("undo")  # now of the last commit
    assert tip(history) == history.ids[3]
    history.ok("rollback", history.ids[4])
    assert tip(history) == history.ids[4]
    history.ok("undo")
    assert tip(history) == history.ids[3]


def test_undo_goes_back_to_an_empty_branch_and_no_further(store):
    store.ok("commit", epoch(1), "-q")
    assert store.row("undo")["to"] is None
    assert store.ok("log") == ""
    assert "could be undone" in store.fails(4, "undo")


def test_undo_brings_a_deleted_branch_back(history):
    history.ok("branch", "side", "HEAD~1")
    assert history.ok("branch", "-d", "side") == (
        f"branch side is gone; it was {history.ids[3][:12]}\n")
    history.ok("undo", "-b", "side")
    assert tip(history, "side") == history.ids[3]
    assert "no move" in history.fails(4, "undo", "-b", "never")


def test_switch_is_in_the_reflog_and_moves_no_branch(history):
    history.ok("branch", "side", "HEAD~1")
    history.ok("switch", "side")
    assert history.rows("reflog")[0] == {
        "branch": "HEAD", "from": history.ids[4], "to": history.ids[3],
        "why": "switch", "time": history.rows("reflog")[0]["time"]}
    assert tip(history) == history.ids[4]
    history.ok("rollback", "HEAD~1")
    assert tip(history, "side") == history.ids[2]
    assert history.fails(4, "switch", "none")


def test_the_loser_of_two_writers_is_refused_or_follows(history):
    """Both saw HEAD at the last epoch; neither commit is lost."""
    seen = history.ids[4]
    first = history.row("commit", epoch(6), "--expect", seen)
    said = history.fails(11, "commit", epoch(7), "--expect", seen)
    assert "moved" in said
    second = history.row("commit", epoch(7))
    assert second["parent"] == first["snapshot"]
    assert [row["snapshot"] for row in history.rows("log", "-n", "2")] == \
        [second["snapshot"], first["snapshot"]]


def test_an_ambiguous_id_lists_its_candidates(history):
    """A second snapshot whose id has the first's first two bytes."""
    known = history.ids[0]
    other = known[:4] + "0" * 60
    with sqlite3.connect(history.folder / "weights.wh") as database:
        database.execute(
            "INSERT INTO snapshot(sha256, tree_id, generation, time, run_id, "
            "message) SELECT ?, tree_id, 1, 0, run_id, '' FROM snapshot "
            "WHERE id = 1", (bytes.fromhex(other),))
    said = history.fails(4, "show", known[:4])
    assert "ambiguous" in said
    assert known[:12] in said and other[:12] in said
    assert history.row("show", known[:12])["snapshot"] == known
