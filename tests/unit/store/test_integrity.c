/* Damage is reported and never handed out; facts don't change. */
#include "support/store.h"

#include <fcntl.h>

#include "base/error.h"
#include "db.h"
#include "store.h"

static void commit_model(struct fixture *f, float seed)
{
	struct wh_source *source = make_model(seed);

	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

static void reopen(struct fixture *f)
{
	wh_store_close(f->store);
	f->store = NULL;
	assert_ok(wh_store_open(f->path, WH_OPEN_WRITE, &f->store, &f->err),
		  &f->err);
}

/* Past our triggers, as a disk would. */
static void damage(struct fixture *f, const char *sql)
{
	char command[512];

	wh_store_close(f->store);
	f->store = NULL;
	snprintf(command, sizeof(command), "sqlite3 %s \"%s\"", f->path, sql);
	assert_int_equal(system(command), 0);
	assert_ok(wh_store_open(f->path, WH_OPEN_WRITE, &f->store, &f->err),
		  &f->err);
}

static enum wh_status read_all(struct fixture *f)
{
	struct wh_source *source;
	uint8_t bytes[64];
	uint32_t i;

	WH_TRY(wh_snapshot_open(f->store, "HEAD", &source, &f->err));
	for (i = 0; i < source->manifest.n_tensors; i++) {
		enum wh_status status = wh_source_read(
			source, i, 0, bytes, source->manifest.tensors[i].nbytes,
			&f->err);

		if (status) {
			wh_source_close(source);
			return status;
		}
	}
	wh_source_close(source);
	return WH_OK;
}

static int keep_sentence(void *arg, const char *sentence)
{
	snprintf(arg, 512, "%s", sentence);
	return 0;
}

#define WITHOUT_TRIGGER(table, statement)                                      \
	"DROP TRIGGER " #table "_is_fixed; " statement                         \
	"; CREATE TRIGGER " #table "_is_fixed BEFORE UPDATE ON " #table "\n"   \
	"BEGIN SELECT RAISE(ABORT, '" #table ": facts are not changed'); END;"

static void a_flipped_payload_is_named_and_not_handed_out(void **state)
{
	struct fixture *f = *state;
	struct wh_verify_result result;
	char sentence[512] = "";
	struct wh_verify_options options = {.read_data = true, .arg = sentence};

	commit_model(f, 5.0f);
	damage(f, WITHOUT_TRIGGER(chunk, "UPDATE chunk SET data = "
					 "CAST(x'00000000' || substr(data, 5) "
					 "AS BLOB) WHERE raw_bytes = 24"));
	assert_fails((read_all)(f), &f->err, WH_ECORRUPT, "CRC-32C");
	assert_non_null(strstr(f->err.message, "layer 'fc'"));
	assert_non_null(strstr(f->err.message, "snapshot "));
	assert_non_null(strstr(f->err.message, "'kernel'"));
	assert_ok(
		wh_verify(f->store, &options, keep_sentence, &result, &f->err),
		&f->err);
	assert_int_equal(result.n_errors, 1);
	assert_non_null(strstr(sentence, "layer 'fc'"));
}

static void an_unknown_codec_is_of_a_newer_version(void **state)
{
	struct fixture *f = *state;

	commit_model(f, 5.0f);
	damage(f, WITHOUT_TRIGGER(chunk, "UPDATE chunk SET codec = 99"));
	assert_fails((read_all)(f), &f->err, WH_EUNSUPPORTED, "newer version");
}

static void a_sound_store_verifies(void **state)
{
	struct fixture *f = *state;
	struct wh_verify_result result;
	struct wh_verify_options options = {.read_data = true};

	commit_model(f, 1.0f);
	commit_model(f, 2.0f);
	reopen(f);
	assert_ok(wh_verify(f->store, &options, NULL, &result, &f->err),
		  &f->err);
	assert_int_equal(result.n_errors, 0);
	assert_int_equal(result.n_snapshots, 2);
	assert_true(result.checked_bytes >= 2 * (24 + 8 + 8));
}

static void facts_are_not_changed_replaced_or_deleted(void **state)
{
	static const char *const attempts[] = {
		"UPDATE chunk SET data = x'00'",
		"UPDATE tensor SET nbytes = 1",
		"UPDATE snapshot SET message = 'other'",
		"UPDATE layer SET name = 'other'",
		"UPDATE tree_layer SET position = 9",
		"UPDATE variable SET name = 'other'",
		"INSERT OR REPLACE INTO chunk SELECT * FROM chunk",
		"INSERT OR REPLACE INTO tensor SELECT * FROM tensor",
		"INSERT OR REPLACE INTO snapshot SELECT * FROM snapshot",
		"INSERT OR REPLACE INTO layer SELECT * FROM layer",
		"DELETE FROM chunk",
		"DELETE FROM tensor",
		"DELETE FROM snapshot",
		"DELETE FROM tree",
	};
	struct fixture *f = *state;
	size_t i;

	commit_model(f, 1.0f);
	for (i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (db_exec(f->store->db, attempts[i], &f->err) == WH_OK)
			fail_msg("went through: %s", attempts[i]);
	assert_ok(db_exec(f->store->db,
			  "UPDATE tensor SET storage_id = storage_id", &f->err),
		  &f->err);
	assert_ok(db_exec(f->store->db,
			  "BEGIN; INSERT INTO gc_running VALUES (1); "
			  "DELETE FROM chunk; ROLLBACK",
			  &f->err),
		  &f->err);
	assert_ok((read_all)(f), &f->err);
}

static void foreign_triggers_and_indexes_are_refused(void **state)
{
	static const char *const additions[] = {
		("CREATE TRIGGER evil AFTER INSERT ON snapshot BEGIN "
		 "DELETE FROM ref; END"),
		"CREATE INDEX slow ON chunk(crc32c)",
		"CREATE TABLE other(x)",
		"ALTER TABLE run ADD COLUMN evil TEXT",
	};
	struct fixture *f = *state;
	char command[512];
	size_t i;

	for (i = 0; i < sizeof(additions) / sizeof(additions[0]); i++) {
		struct wh_store *store = NULL;

		snprintf(command, sizeof(command),
			 "cp %s %s.copy && sqlite3 %s.copy \"%s\"", f->path,
			 f->path, f->path, additions[i]);
		assert_int_equal(system(command), 0);
		snprintf(command, sizeof(command), "%s.copy", f->path);
		assert_fails(
			wh_store_open(command, WH_OPEN_READ, &store, &f->err),
			&f->err, WH_ECORRUPT, "did not write");
		unlink(command);
	}
}

static void tables_of_the_user_are_accepted(void **state)
{
	struct fixture *f = *state;

	damage(f, "CREATE TABLE user_notes(x); CREATE VIEW mine AS SELECT 1; "
		  "ANALYZE");
	commit_model(f, 1.0f);
	assert_ok((read_all)(f), &f->err);
}

static void what_is_no_store_is_refused(void **state)
{
	struct fixture *f = *state;
	struct wh_store *store = NULL;
	char command[512], copy[160];

	snprintf(copy, sizeof(copy), "%s.copy", f->path);
	snprintf(command, sizeof(command), "head -c 5000 /dev/zero > %s", copy);
	assert_int_equal(system(command), 0);
	assert_fails(wh_store_open(copy, WH_OPEN_READ, &store, &f->err),
		     &f->err, WH_ECORRUPT, "not a weighhouse store");
	unlink(copy);
	snprintf(command, sizeof(command), "sqlite3 %s 'CREATE TABLE t(x)'",
		 copy);
	assert_int_equal(system(command), 0);
	assert_fails(wh_store_open(copy, WH_OPEN_READ, &store, &f->err),
		     &f->err, WH_ECORRUPT, "another program");
	unlink(copy);
	assert_fails(wh_store_open(copy, WH_OPEN_READ, &store, &f->err),
		     &f->err, WH_ENOTFOUND, "No such file");
	snprintf(command, sizeof(command),
		 "sqlite3 %s 'PRAGMA user_version = 1000'", f->path);
	assert_int_equal(system(command), 0);
	assert_fails(wh_store_open(f->path, WH_OPEN_READ, &store, &f->err),
		     &f->err, WH_EUNSUPPORTED, "newer version");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_flipped_payload_is_named_and_not_handed_out),
		with_store(an_unknown_codec_is_of_a_newer_version),
		with_store(a_sound_store_verifies),
		with_store(facts_are_not_changed_replaced_or_deleted),
		with_store(foreign_triggers_and_indexes_are_refused),
		with_store(tables_of_the_user_are_accepted),
		with_store(what_is_no_store_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
