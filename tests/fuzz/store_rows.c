/* A sound store with rows that somebody wrote by hand: each 8 bytes of the
 * input change one value of one row. Tables, triggers and indexes stay as they
 * are, so that such a store opens. */
#include "fuzz/fuzz.h"

#include <sqlite3.h>
#include <stdio.h>

#include <weighhouse/store.h>

#define N_WEIGHTS   1200u
#define MAX_COLUMNS 256u
#define MAX_EDITS   16u
#define EDIT_SIZE   8u

/* How to read and to write one value: ?1 is the row's ordinal, ?2 the value. */
struct column {
	char *read, *write;
};

static struct column columns[MAX_COLUMNS];
static unsigned n_columns;
static uint8_t *sound; /* the store's file */
static size_t sound_size;

/* ---- The store ------------------------------------------------------------
 */

static void commit_one(struct wh_store *store, unsigned step)
{
	struct wh_metric metric = {"loss", 1.0 / step};
	struct wh_commit_options options = {.run = "digits",
					    .has_step = true,
					    .step = step,
					    .has_time = true,
					    .time = 1764000000 + step,
					    .metrics = &metric,
					    .n_metrics = 1};
	static float weights[N_WEIGHTS];
	const uint64_t shape[] = {N_WEIGHTS};
	struct wh_array array = {.name = "kernel",
				 .dtype = WH_FLOAT32,
				 .rank = 1,
				 .shape = shape,
				 .data = weights};
	struct wh_attribute note = {
		.path = "", .key = "note", .text = "by hand", .size = 7};
	struct wh_commit_result result;
	struct wh_builder *builder;
	struct wh_source *source;
	unsigned i;

	for (i = 0; i < N_WEIGHTS; i++)
		weights[i] += (float)((i * 7919 + step) % 1000) * 1e-6f + 0.1f;
	require(!wh_builder_new(&builder, NULL));
	require(!wh_builder_layer(builder, "dense", "Dense", NULL));
	require(!wh_builder_weight(builder, &array, NULL));
	require(!wh_builder_attribute(builder, &note, NULL));
	require(!wh_builder_finish(builder, &source, NULL));
	require(!wh_commit(store, source, &options, &result, NULL));
	wh_source_close(source);
}

static void load_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	long size;

	require(file && !fseek(file, 0, SEEK_END) && (size = ftell(file)) > 0);
	rewind(file);
	sound_size = (size_t)size;
	sound = malloc(sound_size);
	require(sound && fread(sound, 1, sound_size, file) == sound_size);
	fclose(file);
}

/* ---- What can be changed ---------------------------------------------------
 */

/* "a,b" of the columns that are the table's key. */
static char *key_of(sqlite3 *db, const char *table)
{
	char *query = sqlite3_mprintf("SELECT group_concat('\"' || name || "
				      "'\"') FROM pragma_table_info(%Q) "
				      "WHERE pk > 0 ORDER BY pk",
				      table);
	sqlite3_stmt *stmt;
	char *key;

	require(!sqlite3_prepare_v2(db, query, -1, &stmt, NULL) &&
		sqlite3_step(stmt) == SQLITE_ROW);
	key = sqlite3_mprintf("%s", sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	sqlite3_free(query);
	return key;
}

static void add_column(const char *table, const char *name, const char *key)
{
	struct column *column = &columns[n_columns++];

	require(n_columns < MAX_COLUMNS);
	column->read = sqlite3_mprintf(
		"SELECT \"%w\" FROM \"%w\" LIMIT 1 OFFSET ?1", name, table);
	column->write = sqlite3_mprintf(
		"UPDATE OR IGNORE \"%w\" SET \"%w\" = ?2 WHERE (%s) = "
		"(SELECT %s FROM \"%w\" LIMIT 1 OFFSET ?1)",
		table, name, key, key, table);
}

static void list_columns(const char *path)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;

	require(!sqlite3_open(path, &db));
	require(!sqlite3_prepare_v2(
		db,
		"SELECT m.name, c.name FROM sqlite_schema AS m, "
		"pragma_table_info(m.name) AS c WHERE m.type = 'table' "
		"AND m.name NOT LIKE 'sqlite%' ORDER BY 1, 2",
		-1, &stmt, NULL));
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *table = (const char *)sqlite3_column_text(stmt, 0);
		char *key = key_of(db, table);

		if (*key)
			add_column(table,
				   (const char *)sqlite3_column_text(stmt, 1),
				   key);
		sqlite3_free(key);
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static void forget(void)
{
	while (n_columns) {
		sqlite3_free(columns[--n_columns].read);
		sqlite3_free(columns[n_columns].write);
	}
	free(sound);
}

static void prepare(void)
{
	const char *path = input_file("sound.wh", NULL, 0);
	struct wh_store *store;
	unsigned step;

	require(!remove(path) && !wh_store_create(path, NULL));
	require(!wh_store_open(path, WH_OPEN_WRITE, &store, NULL));
	for (step = 1; step <= 3; step++)
		commit_one(store, step);
	require(!wh_tag_create(store, "v1", "HEAD~1", false, NULL));
	wh_store_close(store);
	load_file(path);
	list_columns(path);
	atexit(forget);
}

/* ---- Changing ---------------------------------------------------------------
 */

/* The row's own value with one byte changed, cut, or twice over. */
static void bind_bytes(sqlite3_stmt *write, sqlite3_stmt *read,
		       const uint8_t *edit)
{
	size_t size = (size_t)sqlite3_column_bytes(read, 0);
	const void *value = sqlite3_column_blob(read, 0);
	size_t at = edit[4] | (size_t)edit[5] << 8, n = size;
	uint8_t *bytes = calloc(2, size + 1);

	require(bytes);
	if (size)
		memcpy(bytes, value, size);
	if (size && edit[3] % 3 == 0) {
		bytes[at % size] = edit[6];
	} else if (edit[3] % 3 == 1) {
		n = at % (size + 1);
	} else if (size) {
		memcpy(bytes + size, value, size);
		n = 2 * size;
	}
	if (sqlite3_column_type(read, 0) == SQLITE_TEXT)
		sqlite3_bind_text(write, 2, (const char *)bytes, (int)n,
				  SQLITE_TRANSIENT);
	else
		sqlite3_bind_blob(write, 2, bytes, (int)n, SQLITE_TRANSIENT);
	free(bytes);
}

static void bind_number(sqlite3_stmt *write, sqlite3_stmt *read,
			const uint8_t *edit)
{
	int64_t small = edit[4] | edit[5] << 8 | edit[6] << 16;
	const int64_t values[] = {small,
				  -small,
				  INT64_MAX - small,
				  INT64_MIN + small,
				  small << 24,
				  sqlite3_column_int64(read, 0) + small,
				  sqlite3_column_int64(read, 0) - small};

	if (edit[3] % 8 == 7)
		sqlite3_bind_null(write, 2);
	else
		sqlite3_bind_int64(write, 2, values[edit[3] % 8]);
}

static void change(sqlite3 *db, const uint8_t *edit)
{
	const struct column *column =
		&columns[(edit[0] | edit[1] << 8) % (int)n_columns];
	sqlite3_stmt *read, *write;

	require(!sqlite3_prepare_v2(db, column->read, -1, &read, NULL) &&
		!sqlite3_prepare_v2(db, column->write, -1, &write, NULL));
	sqlite3_bind_int(read, 1, edit[2] % 16);
	sqlite3_bind_int(write, 1, edit[2] % 16);
	if (sqlite3_step(read) == SQLITE_ROW) {
		int type = sqlite3_column_type(read, 0);

		if (type == SQLITE_TEXT || type == SQLITE_BLOB)
			bind_bytes(write, read, edit);
		else
			bind_number(write, read, edit);
		sqlite3_step(write);
	}
	sqlite3_finalize(read);
	sqlite3_finalize(write);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *path;
	sqlite3 *db;
	size_t i;

	if (!sound)
		prepare();
	path = input_file("weights.wh", sound, sound_size);
	require(!sqlite3_open(path, &db));
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF",
		     NULL, NULL, NULL);
	for (i = 0; i < MAX_EDITS && (i + 1) * EDIT_SIZE <= len; i++)
		change(db, bytes + i * EDIT_SIZE);
	sqlite3_close(db);
	use_store(path);
	return 0;
}
