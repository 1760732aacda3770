/* Making, opening and migrating store files.
 *
 * user_version is the number of migrations that a file has seen. Fresh files
 * run all of them, so fresh and migrated ones are alike.
 */
#include "db_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/temporary.h"
#include "base/text.h"
#include "lineage.h"

#define LINEAGE_SINCE 2 /* the schema that has the derived tables */

WH_DEFINE_AUTO(db, db_close);

enum wh_status db_make_views(struct db *db, struct wh_error *err)
{
	char drop[128];
	int i;

	for (i = N_VIEWS - 1; i >= 0; i--) {
		snprintf(drop, sizeof(drop), "DROP VIEW IF EXISTS %s",
			 view_texts[i].name);
		WH_TRY(db_exec(db, drop, err));
	}
	for (i = 0; i < N_VIEWS; i++)
		WH_TRY(db_exec(db, view_texts[i].text, err));
	return WH_OK;
}

static enum wh_status renew_views(struct db *db, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};

	WH_TRY(transaction_begin(&tx, db, err));
	WH_TRY(db_make_views(db, err));
	return transaction_commit(&tx, err);
}

enum wh_status db_run_migrations(struct db *db, const char *const *texts, int n,
				 struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	char pragma[64];
	int from, version;

	WH_TRY(transaction_begin(&tx, db, err));
	/* Only now: another process may have had its turn meanwhile. */
	WH_TRY(db_read_version(db, err));
	from = db->version;
	if (from >= n)
		return WH_OK;
	for (version = from; version < n; version++)
		WH_TRY(db_exec(db, texts[version], err));
	if (from < LINEAGE_SINCE && n >= LINEAGE_SINCE)
		WH_TRY(lineage_rebuild(db, err));
	WH_TRY(db_make_views(db, err));
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", n);
	WH_TRY(db_exec(db, pragma, err));
	WH_TRY(transaction_commit(&tx, err));
	db->version = n;
	return WH_OK;
}

enum wh_status db_note_identity(struct db *db, struct wh_error *err)
{
	struct stat at;

	if (stat(db->file, &at))
		return wh_fail_errno(err, errno, "store '%s'", db->path);
	db->device = at.st_dev;
	db->inode = at.st_ino;
	return WH_OK;
}

/* What tells this store from another one under the same path: db_lock.c. */
static enum wh_status give_id(struct db *db, struct wh_error *err)
{
	uint8_t bytes[16];
	char id[33];
	struct stmt *stmt;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return wh_fail_errno(err, errno, "random bytes");
	text_hex(bytes, sizeof(bytes), id);
	WH_TRY(db_stmt(db, STMT_CONFIG_SET, &stmt, err));
	stmt_text(stmt, 1, CONFIG_STORE_ID);
	stmt_text(stmt, 2, id);
	return step_done(stmt, err);
}

static enum wh_status fill_new(const char *path, struct wh_error *err)
{
	wh_auto(db) db = NULL;
	char pragma[64];

	WH_TRY(db_connect(path, SQLITE_OPEN_READWRITE, false, &db, err));
	db->writable = true;
	WH_TRY(db_note_identity(db, err));
	snprintf(pragma, sizeof(pragma), "PRAGMA application_id = %d",
		 DB_APPLICATION_ID);
	WH_TRY(db_exec(db,
		       "PRAGMA page_size = 2048;"
		       "PRAGMA auto_vacuum = INCREMENTAL;"
		       "PRAGMA encoding = 'UTF-8';",
		       err));
	WH_TRY(db_exec(db, pragma, err));
	WH_TRY(db_run_migrations(db, migrations, N_MIGRATIONS, err));
	return give_id(db, err);
}

static void remove_new(const char *path)
{
	static const char *const suffixes[] = {"", "-lock", "-journal"};
	char name[4096];
	size_t i;

	for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (snprintf(name, sizeof(name), "%s%s", path, suffixes[i]) <
		    (int)sizeof(name))
			unlink(name);
}

/* Made beside its place and put there whole: who is stopped half-way leaves no
 * file that looks like a store. */
enum wh_status db_create(const char *path, struct wh_error *err)
{
	char *aside wh_free_auto = NULL;
	enum wh_status status;
	int fd;

	if (access(path, F_OK) == 0)
		return wh_fail(err, WH_EEXISTS, "'%s' is there already", path);
	fd = temporary_open(path, &aside);
	if (fd < 0)
		return wh_fail_errno(err, errno, "store '%s'", path);
	close(fd);
	status = fill_new(aside, err);
	if (!status)
		status = db_put_in_place(aside, path, err);
	remove_new(aside);
	return status;
}

/* The store, its lock file, and the folder that journals are made in. */
static enum wh_status check_writable(const char *path, struct wh_error *err)
{
	char *lock wh_free_auto = db_name_lock(path), *folder;

	if (!lock)
		return wh_fail_memory(err);
	if (access(path, W_OK))
		return wh_fail_errno(err, errno, "'%s' can't be written", path);
	if (access(lock, W_OK) && errno != ENOENT)
		return wh_fail_errno(err, errno,
				     "'%s' can't be written: lock file '%s'",
				     path, lock);
	folder = dirname(lock);
	if (access(folder, W_OK | X_OK))
		return wh_fail_errno(err, errno,
				     "'%s' can't be written: folder '%s'", path,
				     folder);
	return WH_OK;
}

enum wh_status db_open(const char *path, enum db_mode mode, struct db **out,
		       struct wh_error *err)
{
	wh_auto(db) db = NULL;
	struct wh_error why;
	bool writable, views;

	WH_TRY(db_check_file(path, err));
	writable = check_writable(path, &why) == WH_OK;
	/* A reader, too, must be able to roll a hot journal back. */
	WH_TRY(db_connect(
		path, writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY,
		true, &db, err));
	if (mode == DB_WRITE && !writable) {
		if (err)
			*err = why;
		return why.status;
	}
	db->writable = mode == DB_WRITE;
	WH_TRY(db_note_identity(db, err));
	/* Somebody's `PRAGMA journal_mode = WAL` stays in the file. */
	if (mode == DB_WRITE)
		WH_TRY(db_exec(db, "PRAGMA journal_mode = DELETE", err));
	WH_TRY(db_check_schema(db, &views, err));
	if (db->version < N_MIGRATIONS && mode == DB_WRITE)
		WH_TRY(db_run_migrations(db, migrations, N_MIGRATIONS, err));
	else if (!views && mode == DB_WRITE)
		WH_TRY(renew_views(db, err));
	*out = wh_steal(&db);
	return WH_OK;
}

enum wh_status db_clone(const struct db *db, struct db **out,
			struct wh_error *err)
{
	wh_auto(db) clone = NULL;

	WH_TRY(db_connect(db->file, SQLITE_OPEN_READONLY, false, &clone, err));
	clone->device = db->device;
	clone->inode = db->inode;
	clone->version = db->version;
	WH_TRY(db_exec(clone, DB_READER_CACHE_SIZE, err));
	*out = wh_steal(&clone);
	return WH_OK;
}

/* Whether nobody has committed yet: a VACUUM then copies little. */
static enum wh_status vacuum_empty(struct db *db, unsigned bytes,
				   struct wh_error *err)
{
	char pragma[64];
	struct stmt *stmt;
	bool any;

	WH_TRY(db_stmt(db, STMT_SNAPSHOT_ANY, &stmt, err));
	WH_TRY(stmt_step(stmt, &any, err));
	stmt_reset(stmt);
	if (any)
		return WH_OK;
	snprintf(pragma, sizeof(pragma), "PRAGMA page_size = %u; VACUUM",
		 bytes);
	WH_TRY(db_exec(db, pragma, err));
	/* It is counted in pages, of the size that they were of. */
	return db_exec(db, DB_CACHE_SIZE, err);
}

enum wh_status db_set_page_size(struct db *db, unsigned bytes,
				struct wh_error *err)
{
	enum wh_status status;

	WH_TRY(db_check_process(db, err));
	WH_TRY(db_lock(db, err));
	/* VACUUM attaches the file that it copies through. */
	sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 1);
	status = vacuum_empty(db, bytes, err);
	sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
	db_unlock(db);
	return status;
}
