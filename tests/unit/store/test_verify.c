/* Each invariant broken once, each identity, each payload; and files that
 * someone made by hand. */
#include "support/damage.h"

#include "base/error.h"
#include "sql_texts.h"

/* ---- The invariants of sql/checks.sql ---------------------------------------
 */

static const struct {
	const char *check, *sql, *sentence;
} broken[] = {
	{"tensors_have_storages",
	 "UPDATE tensor SET storage_id = 999 WHERE id = 1", "has no storage"},
	{"storages_have_their_bases",
	 "UPDATE storage SET base_id = 999 WHERE id = 1",
	 "storage 1 lacks what it is coded against"},
	{"bases_come_before", "UPDATE storage SET base_id = 2 WHERE id = 1",
	 "storage 1 has a base that came after it"},
	{"storage_ids_are_reserved",
	 "UPDATE counter SET value = 1 WHERE name = 'storage'",
	 "storage 1 was never reserved"},
	{"variables_have_tensors",
	 "UPDATE variable SET tensor_id = 999 WHERE layer_id = 1 AND "
	 "position = 0",
	 "layer 1 has a weight without a tensor"},
	{"variables_have_layers",
	 "UPDATE variable SET layer_id = 999 WHERE layer_id = 1 AND "
	 "position = 0",
	 "a weight belongs to no layer"},
	{"places_have_layers",
	 "UPDATE tree_layer SET layer_id = 999 WHERE tree_id = 1 AND "
	 "position = 0",
	 "tree 1 lacks a layer"},
	{"trees_have_all_places", "UPDATE tree SET n_layers = 9 WHERE id = 1",
	 " lacks a layer"},
	{"trees_have_texts", "UPDATE tree SET graph_id = 999 WHERE id = 1",
	 " lacks a text"},
	{"templates_have_texts",
	 "INSERT INTO template(sha256, format, text_id) "
	 "VALUES (x'00', 'h5', 999)",
	 "a template lacks its text"},
	{"templates_are_their_texts",
	 "INSERT INTO template(sha256, format, text_id) "
	 "VALUES (x'00', 'h5', 1)",
	 "template 00 is not of its text"},
	{"snapshots_have_trees", "UPDATE snapshot SET run_id = 99 WHERE id = 1",
	 "lacks its tree, run or template"},
	{"parents_are_known",
	 "UPDATE snapshot SET parent = zeroblob(32) WHERE id = 2",
	 "follows one that is not there"},
	{"refs_have_snapshots", "UPDATE ref SET snapshot_id = 999",
	 "branch or tag main names a snapshot that is not there"},
	{"head_is_a_branch",
	 "UPDATE config SET value = 'gone' WHERE key = 'head'",
	 "HEAD is on a branch that is not there"},
	{"tensors_fit_their_storages",
	 "UPDATE storage SET nbytes = nbytes + 1 WHERE id = 1",
	 "is not of its storage's length"},
	{"storages_have_all_chunks", "DELETE FROM chunk WHERE id = 1 << 24",
	 "storage 1 lacks chunks"},
	{"storages_do_not_need_themselves",
	 "UPDATE storage SET base_id = 2 WHERE id = 1; "
	 "UPDATE storage SET context_id = 1 WHERE id = 2",
	 "storage 1 is coded against itself"},
	{"trees_count_their_tensors",
	 "UPDATE tree SET n_tensors = 99 WHERE id = 1", " lacks a weight"},
	{"containers_come_first",
	 "UPDATE tree_layer SET container = 5 WHERE tree_id = 1 AND "
	 "position = 0",
	 "tree 1 has a layer in one that comes later"},
	{"generations_count", "UPDATE snapshot SET generation = 7 WHERE id = 2",
	 "is of a wrong generation"},
	{"metrics_are_numbers_or_classed",
	 "INSERT INTO metric VALUES (1, 'k', 0, 0, 0, 1, 2.0, NULL)",
	 "metric k is neither a number nor NaN nor infinite"},
	{"snapshots_are_in_lines", "DELETE FROM lineage WHERE snapshot_id = 1",
	 "is in no line"},
	{"lines_are_there", "DELETE FROM line", "line 1 is not there"},
	{"changes_have_tensors", "UPDATE change SET tensor_id = 999",
	 "a change of snapshot 1 lacks its tensor or weight"},
	{"runs_count_their_snapshots", "UPDATE run_total SET n_snapshots = 9",
	 "run 1 does not count its snapshots"},
	{"publications_are_whole",
	 "INSERT INTO publication(uuid, place, snapshot, tree, formats, "
	 "manifest, manifest_sha256, who, time) VALUES ('x', 'file:/x', "
	 "zeroblob(32), zeroblob(32), 'h5', 'm', zeroblob(32), 'me', 1)",
	 "publication x lacks its files"},
	{"published_things_have_publications",
	 "INSERT INTO publication_alias VALUES (99, 'stable', NULL)",
	 "belongs to no publication"},
};

#define N_BROKEN (sizeof(broken) / sizeof(broken[0]))

static void every_invariant_is_told_when_it_breaks(void **state)
{
	struct fixture *f = *state;
	struct sentences found;
	size_t i;

	commit_model(f, 1.0f);
	commit_model(f, 2.0f);
	save_store(f);
	for (i = 0; i < N_BROKEN; i++) {
		damage_store(f, broken[i].sql);
		verify_store(f, &found);
		if (!strstr(found.text, broken[i].sentence))
			fail_msg("%s: \"%s\" lacks \"%s\"", broken[i].check,
				 found.text, broken[i].sentence);
		restore_store(f);
	}
	verify_store(f, &found);
	assert_string_equal(found.text, "");
	forget_saved(f);
}

static void every_check_is_broken_above(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < N_CHECKS; i++) {
		for (k = 0; k < N_BROKEN; k++)
			if (strcmp(check_texts[i].name, broken[k].check) == 0)
				break;
		if (k == N_BROKEN)
			fail_msg("no test breaks %s", check_texts[i].name);
	}
}

/* ---- Identities and payloads ------------------------------------------------
 */

static void identities_are_computed_again(void **state)
{
	static const struct {
		const char *sql, *sentence;
	} cases[] = {
		{"UPDATE snapshot SET message = 'other' WHERE id = 1",
		 "its text is not of its id"},
		{"UPDATE snapshot SET step = 3 WHERE id = 2",
		 "its text is not of its id"},
		{"UPDATE run SET uuid = 'x'", "its text is not of its id"},
		{"UPDATE layer SET name = 'other' WHERE id = 1",
		 "its layers are not those of its tree's id"},
		{"UPDATE layer SET class_name = NULL WHERE id = 1",
		 "its layers are not those of its tree's id"},
		{"UPDATE variable SET name = 'other' WHERE position = 1",
		 "its layers are not those of its tree's id"},
		{"UPDATE tensor SET sha256 = zeroblob(32) WHERE id = 1",
		 "its layers are not those of its tree's id"},
		{"UPDATE tensor SET sha256 = zeroblob(32) WHERE id = 1",
		 "its payload is not of its SHA-256"},
		{"UPDATE tensor SET crc32c = 7 WHERE id = 1",
		 "layer 'fc': 'kernel': tensor "},
		{"UPDATE tensor SET crc32c = 7 WHERE id = 1",
		 "its payload is not of its CRC-32C"},
		{"UPDATE tensor SET crc32 = 7 WHERE id = 1",
		 "its payload is not of its CRC-32"},
		{"UPDATE chunk SET crc32c = 7", "a chunk's CRC-32C is"},
		{"UPDATE chunk SET raw_bytes = 7 WHERE id = 1 << 24",
		 "a chunk has a wrong length"},
		{"UPDATE chunk SET codec = 99 WHERE id = 1 << 24",
		 "newer version of weighhouse (codec 99)"},
		{"UPDATE storage SET encoding = 99 WHERE id = 1",
		 "a tensor was written by a newer version"},
	};
	struct fixture *f = *state;
	struct sentences found;
	size_t i;

	commit_model(f, 1.0f);
	commit_model(f, 2.0f);
	save_store(f);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		damage_store(f, cases[i].sql);
		verify_store(f, &found);
		if (!strstr(found.text, cases[i].sentence))
			fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].sql,
				 found.text, cases[i].sentence);
		restore_store(f);
	}
	forget_saved(f);
}

/* One bit in each of the chunks, in turn. */
static void a_bit_in_any_chunk_is_found_and_not_handed_out(void **state)
{
	struct fixture *f = *state;
	struct sentences found;
	char sql[256];
	int id;

	commit_model(f, 1.0f);
	commit_model(f, 2.0f);
	save_store(f);
	for (id = 1; id <= 6; id++) {
		const char *revision = id <= 3 ? "HEAD~" : "HEAD";

		snprintf(sql, sizeof(sql),
			 "UPDATE chunk SET data = CAST(x'ff' || "
			 "substr(data, 2) AS BLOB) WHERE id = %d << 24",
			 id);
		damage_store(f, sql);
		assert_fails(read_all(f, revision), &f->err, WH_ECORRUPT,
			     "snapshot ");
		assert_non_null(strstr(f->err.message, ": layer '"));
		assert_non_null(strstr(f->err.message, ": tensor '"));
		assert_ok(read_all(f, id <= 3 ? "HEAD" : "HEAD~"), &f->err);
		verify_store(f, &found);
		assert_int_equal(found.n, 1);
		restore_store(f);
	}
	forget_saved(f);
}

static void one_revision_is_verified_alone(void **state)
{
	struct fixture *f = *state;
	struct sentences found = {0};
	struct wh_verify_options options = {
		.read_data = true, .arg = &found, .revision = "HEAD~"};
	struct wh_verify_result result;

	commit_model(f, 1.0f);
	commit_model(f, 2.0f);
	damage_store(f, "UPDATE chunk SET crc32c = 7 WHERE id = 4 << 24");
	assert_ok(
		wh_verify(f->store, &options, note_sentence, &result, &f->err),
		&f->err);
	assert_int_equal(result.n_errors, 0);
	assert_int_equal(result.n_snapshots, 1);
	assert_int_equal(result.n_tensors, 3);
	assert_int_equal(result.checked_bytes, 24 + 8 + 8);
	options.revision = "HEAD";
	assert_ok(
		wh_verify(f->store, &options, note_sentence, &result, &f->err),
		&f->err);
	assert_int_equal(result.n_errors, 1);
	options.revision = "nowhere";
	assert_int_equal(wh_verify(f->store, &options, NULL, &result, &f->err),
			 WH_ENOTFOUND);
}

static bool stop(void *arg, const char *what, uint64_t done, uint64_t total)
{
	(void)what;
	assert_true(done <= total);
	++*(int *)arg;
	return false;
}

static void a_verification_is_cancelled_and_sampled(void **state)
{
	struct fixture *f = *state;
	int n_calls = 0, i;
	struct wh_verify_options options = {
		.read_data = true, .progress = stop, .arg = &n_calls};
	struct wh_verify_result result;

	for (i = 0; i < 20; i++)
		commit_model(f, (float)i + 1);
	assert_int_equal(wh_verify(f->store, &options, NULL, &result, &f->err),
			 WH_ECANCELLED);
	assert_int_equal(n_calls, 1);
	options.progress = NULL;
	options.sample = 0.1;
	assert_ok(wh_verify(f->store, &options, NULL, &result, &f->err),
		  &f->err);
	assert_true(result.n_tensors < 60);
	assert_int_equal(result.n_snapshots, 20);
	/* However small the share. */
	options.sample = 1e-12;
	assert_ok(wh_verify(f->store, &options, NULL, &result, &f->err),
		  &f->err);
	assert_int_equal(result.n_tensors, 1);
}

static bool stop_at(void *arg, const char *what, uint64_t done, uint64_t total)
{
	int *left = arg;

	(void)what, (void)done, (void)total;
	return --*left > 0;
}

enum { LARGE_ONES = 4, LARGE = 9 << 20 }; /* more than a report is for */

static void commit_large(struct fixture *f)
{
	static const char *const names[LARGE_ONES] = {"a", "b", "c", "d"};
	uint8_t *bytes = calloc(LARGE_ONES, LARGE);
	const uint64_t shape[] = {LARGE};
	struct wh_builder *builder;
	struct wh_source *source;
	size_t i;

	assert_non_null(bytes);
	assert_ok(wh_builder_new(&builder, &f->err), &f->err);
	assert_ok(wh_builder_layer(builder, "fc", "Dense", &f->err), &f->err);
	for (i = 0; i < LARGE_ONES; i++) {
		const struct wh_array array = {.name = names[i],
					       .dtype = WH_UINT8,
					       .rank = 1,
					       .shape = shape,
					       .data = bytes + i * LARGE};

		bytes[i * LARGE] = (uint8_t)(i + 1);
		assert_ok(wh_builder_weight(builder, &array, &f->err), &f->err);
	}
	assert_ok(wh_builder_finish(builder, &source, &f->err), &f->err);
	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
	free(bytes);
}

/* Stopped in one tensor after the other, with a damage at the end: the rest
 * finds it, and reads no tensor again but the one that it was stopped at. */
static void what_was_cut_off_anywhere_goes_on(void **state)
{
	struct fixture *f = *state;
	struct sentences found = {0};
	struct wh_verify_result rest;
	uint64_t n_tensors = 0;
	int cut, calls;

	commit_large(f);
	damage_store(f, "UPDATE chunk SET crc32c = 7 "
			"WHERE id = (SELECT max(id) FROM chunk)");
	for (cut = 1; cut <= LARGE_ONES; cut++) {
		struct wh_verify_options options = {.read_data = true,
						    .resume = true,
						    .progress = stop_at,
						    .arg = &calls};

		calls = cut;
		assert_int_equal(
			wh_verify(f->store, &options, NULL, &rest, &f->err),
			WH_ECANCELLED);
		options = (struct wh_verify_options){
			.read_data = true, .resume = true, .arg = &found};
		assert_ok(wh_verify(f->store, &options, note_sentence, &rest,
				    &f->err),
			  &f->err);
		assert_true(rest.complete);
		assert_int_equal(rest.n_errors, 1);
		if (cut == 1)
			n_tensors = rest.n_tensors;
		assert_int_equal(rest.n_tensors, n_tensors - (uint64_t)cut + 1);
	}
}

/* ---- Rows that someone made by hand
 * ------------------------------------------ */

static int see_snapshot(void *arg, const struct wh_snapshot *snapshot)
{
	(void)snapshot;
	return ++*(int *)arg > 1000;
}

#define LONG_SHAPE                                                             \
	"'[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]" \
	"'"

static const char *const crafted[] = {
	"UPDATE storage SET id = 9223372036854775807 WHERE id = 1; "
	"UPDATE tensor SET storage_id = 9223372036854775807 WHERE id "
	"= 1",
	"UPDATE storage SET id = -5 WHERE id = 1; "
	"UPDATE tensor SET storage_id = -5 WHERE id = 1",
	"UPDATE tensor SET nbytes = -1",
	"UPDATE tensor SET nbytes = 9223372036854775807; "
	"UPDATE storage SET nbytes = 9223372036854775807",
	"UPDATE tensor SET dtype = 'string', nbytes = "
	"9007199254740992; UPDATE storage SET nbytes = "
	"9007199254740992",
	"UPDATE tensor SET nbytes = 25 WHERE id = 1; "
	"UPDATE storage SET nbytes = 25 WHERE id = 1",
	"UPDATE tensor SET shape = '[9223372036854775807,3]'",
	"UPDATE tensor SET shape = '[99999999999999999999999,3]'",
	"UPDATE tensor SET shape = '['",
	"UPDATE tensor SET shape = '[2'",
	"UPDATE tensor SET shape = ''",
	"UPDATE tensor SET shape = '[2,]'",
	"UPDATE tensor SET shape = '[2,3]x'",
	"UPDATE tensor SET shape = '[-2]'",
	"UPDATE tensor SET shape = " LONG_SHAPE,
	"UPDATE tensor SET dtype = 'strange'",
	"UPDATE tensor SET sha256 = x'0000' WHERE id = 1",
	"UPDATE layer SET name = CAST(x'ff' AS TEXT)",
	"UPDATE layer SET name = printf('%.5000c', 'a')",
	"UPDATE layer SET class_name = CAST(x'c0af' AS TEXT)",
	"UPDATE layer SET kind = 77",
	"UPDATE layer SET kind = -1",
	"UPDATE variable SET name = CAST(x'eda080' AS TEXT)",
	"UPDATE variable SET key = ''",
	"UPDATE variable SET key = 'twice'",
	"UPDATE variable SET role = 9",
	"UPDATE variable SET trainable = -1",
	"UPDATE variable SET object_path = CAST(x'ff' AS TEXT)",
	"UPDATE tree_layer SET container = 0",
	"UPDATE tree_layer SET container = -1",
	"UPDATE tree_layer SET container = 4294967295",
	"UPDATE tree SET graph_id = 1",
	"UPDATE tree SET attributes_id = 2",
	"UPDATE storage SET base_id = id",
	"UPDATE storage SET base_id = 2 WHERE id = 1; "
	"UPDATE storage SET base_id = 1 WHERE id = 2",
	"UPDATE storage SET context_id = id",
	"UPDATE snapshot SET sha256 = x'01' WHERE id = 2",
	"UPDATE chunk SET raw_bytes = 9223372036854775807",
	"UPDATE chunk SET raw_bytes = -1",
	"UPDATE chunk SET codec = -1",
	"UPDATE chunk SET codec = 1",
	"UPDATE chunk SET data = x''",
	"DELETE FROM chunk",
	"DELETE FROM storage",
	"DELETE FROM tensor",
	"DELETE FROM tree",
	"DELETE FROM run",
	"INSERT INTO template(sha256, format, text_id) SELECT "
	"zeroblob(32), 'h5', 1; UPDATE snapshot SET template_id = 1",
	"INSERT INTO template(sha256, format, text_id, skeleton_id) "
	"SELECT zeroblob(32), 'h5', 1, 2; "
	"UPDATE snapshot SET template_id = 1",
};

static void crafted_rows_are_refused(void **state)
{
	struct fixture *f = *state;
	struct sentences found;
	size_t i;
	int n;

	commit_model(f, 1.0f);
	commit_model(f, 2.0f);
	save_store(f);
	for (i = 0; i < sizeof(crafted) / sizeof(crafted[0]); i++) {
		damage_store(f, crafted[i]);
		if (read_all(f, "HEAD") == WH_OK &&
		    read_all(f, "HEAD~") == WH_OK)
			fail_msg("went through: %s", crafted[i]);
		if (!*f->err.message || strchr(f->err.message, '\n'))
			fail_msg("no sentence: %s", crafted[i]);
		verify_store(f, &found);
		if (found.n == 0)
			fail_msg("not found: %s", crafted[i]);
		n = 0;
		wh_log(f->store, NULL, see_snapshot, &n, &f->err);
		restore_store(f);
	}
	forget_saved(f);
}

static void a_circle_of_parents_ends(void **state)
{
	struct fixture *f = *state;
	struct wh_log_options options = {.exclude = "HEAD"};
	char id[WH_ID_SIZE];
	int n = 0;

	commit_model(f, 1.0f);
	commit_model(f, 2.0f);
	commit_model(f, 3.0f);
	damage_store(f, "UPDATE snapshot SET parent = (SELECT sha256 FROM "
			"snapshot WHERE id = 2), generation = 3 WHERE id < 4");
	assert_fails(wh_revision_parse(f->store, "HEAD~18446744073709551615",
				       id, &f->err),
		     &f->err, WH_ECORRUPT, "is its own ancestor");
	assert_fails(wh_log(f->store, NULL, see_snapshot, &n, &f->err), &f->err,
		     WH_ECORRUPT, "is its own ancestor");
	assert_true(n <= 8);
	wh_log(f->store, &options, see_snapshot, &n, &f->err);
	damage_store(f,
		     "INSERT INTO tombstone SELECT zeroblob(32), "
		     "zeroblob(32), 0, 0; "
		     "UPDATE snapshot SET parent = zeroblob(32) WHERE id = 3");
	assert_fails(wh_revision_parse(f->store, "HEAD~9", id, &f->err),
		     &f->err, WH_ECORRUPT, "is its own ancestor");
	assert_int_equal(wh_log(f->store, NULL, see_snapshot, &n, &f->err),
			 WH_ECORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(every_invariant_is_told_when_it_breaks),
		cmocka_unit_test(every_check_is_broken_above),
		with_store(identities_are_computed_again),
		with_store(a_bit_in_any_chunk_is_found_and_not_handed_out),
		with_store(one_revision_is_verified_alone),
		with_store(a_verification_is_cancelled_and_sampled),
		with_store(what_was_cut_off_anywhere_goes_on),
		with_store(crafted_rows_are_refused),
		with_store(a_circle_of_parents_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
