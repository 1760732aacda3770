/* Lines of snapshots against what the parents say. */
#include "support/store.h"

#include "lineage.h"
#include "store.h"

#define N 60

static int64_t parents[N + 1]; /* by snapshot's row id, which counts from 1 */

static void commit_after(struct fixture *f, int64_t parent, int number)
{
	char revision[WH_ID_SIZE] = "", branch[24];
	static char ids[N + 1][WH_ID_SIZE];
	struct wh_commit_options options = {.has_time = true, .time = number};
	struct wh_source *source = make_model((float)(number % 7));

	snprintf(branch, sizeof(branch), "b%d", number);
	options.branch = branch;
	options.root = parent == 0;
	if (parent)
		options.parent =
			memcpy(revision, ids[parent], sizeof(revision));
	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
	memcpy(ids[number], f->result.snapshot, sizeof(ids[number]));
	parents[number] = parent;
}

static bool is_before(int64_t ancestor, int64_t of)
{
	while (of && of != ancestor)
		of = parents[of];
	return of == ancestor;
}

static void ancestors_are_those_that_the_parents_give(void **state)
{
	struct fixture *f = *state;
	uint32_t chance = 12345;
	int64_t a, b;
	int i;

	for (i = 1; i <= N; i++) {
		chance = chance * 1664525 + 1013904223;
		/* Mostly on the last one, sometimes a fork, or a new root. */
		if (i == 1 || (chance >> 16) % 12 == 0)
			commit_after(f, 0, i);
		else if ((chance >> 16) % 3)
			commit_after(f, i - 1, i);
		else
			commit_after(f, 1 + (int)(chance >> 20) % (i - 1), i);
	}
	for (a = 1; a <= N; a++)
		for (b = 1; b <= N; b++) {
			bool yes;

			assert_ok(lineage_contains(f->store->db, a, b, &yes,
						   &f->err),
				  &f->err);
			if (yes != is_before(a, b))
				fail_msg("%d before %d: %d", (int)a, (int)b,
					 yes);
		}
}

static void a_change_is_noted_where_a_tensor_is_not_its_parents(void **state)
{
	struct fixture *f = *state;
	int i;

	/* Seeds 1 1 2 2 1: three of five snapshots change something. */
	commit_after(f, 0, 1);
	commit_after(f, 1, 8);
	commit_after(f, 8, 2);
	commit_after(f, 2, 9);
	commit_after(f, 9, 15);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM weight"), 3);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM change"), 9);
	for (i = 1; i <= 5; i++) {
		char query[96];

		snprintf(query, sizeof(query),
			 "SELECT count(*) FROM change WHERE snapshot_id = %d",
			 i);
		assert_int_equal(ask_integer(f, query),
				 i == 1 || i == 3 || i == 5 ? 3 : 0);
	}
}

static void lines_built_anew_are_the_same(void **state)
{
	static const char sum[] =
		"SELECT sum(snapshot_id * 31 + line_id * 7 + generation) "
		"FROM lineage";
	/* By what a weight is called: its id may be another. */
	static const char sum_changes[] =
		"SELECT sum((tensor_id * 31 + line_id * 7 + generation * 3 + "
		"snapshot_id) * (unicode(name) + unicode(layer || ' '))) "
		"FROM change JOIN weight ON weight.id = weight_id";
	struct fixture *f = *state;
	AUTO_TRANSACTION tx = {0};
	int64_t before, changes;
	int i;

	/* Roots among them: the first of a store that is empty, one of new
	 * layers, and one whose layers are known. */
	for (i = 1; i <= 20; i++)
		commit_after(f, i < 3 || i == 9 ? 0 : i % 4 ? i - 1 : i / 2, i);
	before = ask_integer(f, sum);
	changes = ask_integer(f, sum_changes);
	assert_ok(transaction_begin(&tx, f->store->db, &f->err), &f->err);
	assert_ok(db_exec(f->store->db,
			  "DELETE FROM lineage; DELETE FROM line;"
			  "DELETE FROM change; DELETE FROM weight",
			  &f->err),
		  &f->err);
	assert_ok(lineage_rebuild(f->store->db, &f->err), &f->err);
	assert_ok(transaction_commit(&tx, &f->err), &f->err);
	assert_int_equal(ask_integer(f, sum), before);
	assert_int_equal(ask_integer(f, sum_changes), changes);
}

static int count_place(void *arg, const struct wh_log_place *place)
{
	(void)place;
	return ++*(int *)arg > 1000;
}

static int count_snapshot(void *arg, const struct wh_snapshot *snapshot)
{
	(void)snapshot;
	return *(int *)arg > 1000;
}

/* Generations as far apart as numbers go, lines in a ring. */
static void a_graph_of_hostile_lines_ends(void **state)
{
	static const char *const harm[] = {
		"UPDATE lineage SET generation = 1 << 61 "
		"WHERE snapshot_id = 2",
		"UPDATE lineage SET generation = -(1 << 61) "
		"WHERE snapshot_id = 1",
		"UPDATE line SET parent_generation = 1 << 60",
		"UPDATE line SET parent_id = 3, parent_generation = 2",
	};
	struct wh_log_options options = {.all = true, .place = count_place};
	struct fixture *f = *state;
	size_t i;

	commit_after(f, 0, 1);
	commit_after(f, 1, 2);
	commit_after(f, 1, 3);
	for (i = 0; i < sizeof(harm) / sizeof(harm[0]); i++) {
		AUTO_TRANSACTION tx = {0};
		int n = 0;

		assert_ok(transaction_begin(&tx, f->store->db, &f->err),
			  &f->err);
		assert_ok(db_exec(f->store->db, harm[i], &f->err), &f->err);
		assert_ok(transaction_commit(&tx, &f->err), &f->err);
		assert_ok(
			wh_log(f->store, &options, count_snapshot, &n, &f->err),
			&f->err);
		assert_true(n <= 3);
	}
}

static void lines_that_a_hostile_file_ties_into_a_ring_end(void **state)
{
	struct fixture *f = *state;
	AUTO_TRANSACTION tx = {0};
	bool yes;

	commit_after(f, 0, 1);
	commit_after(f, 0, 2);
	assert_ok(transaction_begin(&tx, f->store->db, &f->err), &f->err);
	assert_ok(db_exec(f->store->db,
			  "UPDATE line SET parent_id = 2, parent_generation = 1"
			  " WHERE id = 2",
			  &f->err),
		  &f->err);
	assert_ok(transaction_commit(&tx, &f->err), &f->err);
	assert_fails(lineage_contains(f->store->db, 1, 2, &yes, &f->err),
		     &f->err, WH_ECORRUPT, "lines");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(ancestors_are_those_that_the_parents_give),
		with_store(a_change_is_noted_where_a_tensor_is_not_its_parents),
		with_store(lines_built_anew_are_the_same),
		with_store(lines_that_a_hostile_file_ties_into_a_ring_end),
		with_store(a_graph_of_hostile_lines_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
