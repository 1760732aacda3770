/* db_internal.h: what db*.c share. Nobody else includes it. */
#ifndef WH_STORE_DB_INTERNAL_H
#define WH_STORE_DB_INTERNAL_H

#include <sqlite3.h>
#include <sys/types.h>

#include "db.h"

struct stmt {
	struct db *db;
	sqlite3_stmt *handle;
};

struct db {
	sqlite3 *handle;
	char *path; /* as it was given: for messages */
	/* The file's own, whatever link it was opened by and wherever the
	 * process goes: all who use the file have one lock. */
	char *file, *lock_path;
	unsigned forks; /* that this process is away from the first one */
	dev_t device;	/* of the file when it was opened */
	ino_t inode;
	bool writable;
	int version; /* of the file's schema */
	int n_reopened;
	int data_fd;	/* SQLite's own, or -1: db_writeback.c */
	int64_t behind; /* up to here the kernel was asked to write */
	int lock_fd;	/* -1 until the first write */
	struct stmt statements[N_STATEMENTS];
};

/* 2 MiB. */
#define DB_CACHE_SIZE "PRAGMA cache_size = -2048;"
/* Of connections that read chunks, whose pages are wanted once: what lies in
 * the processor's cache is copied from there, and isn't new memory. */
#define DB_READER_CACHE_SIZE "PRAGMA cache_size = -512;"

/** The status and a sentence for what SQLite just said; never shows SQL. */
enum wh_status db_failed(struct db *db, int code, struct wh_error *err);

/** A connection with the settings that every store gets. `check`: the header
 *  first. */
enum wh_status db_connect(const char *path, int flags, bool check,
			  struct db **db, struct wh_error *err);

/** The name of the lock file of the store `path`; NULL without memory. */
char *db_name_lock(const char *path);

/** db_rows.c: the table wh_rows; SQLite's code. */
int db_add_rows(sqlite3 *handle);

/** db_check.c: there is a file that can be read. */
enum wh_status db_check_file(const char *path, struct wh_error *err);
/** db_check.c: bytes 0-99, before SQLite reads a page. */
enum wh_status db_check_header(struct db *db, struct wh_error *err);
/** db_check.c: sets db->version, as it is now or in the open transaction. */
enum wh_status db_read_version(struct db *db, struct wh_error *err);
/** db_check.c: sets db->version; tables, indexes, triggers are those of that
 *  version. `*views`: whether our views are there, and are this version's. */
enum wh_status db_check_schema(struct db *db, bool *views,
			       struct wh_error *err);

/** migrate.c: runs those of the `n` texts that the file has not seen, in one
 *  transaction. The library's own are migrations[] and N_MIGRATIONS. */
enum wh_status db_run_migrations(struct db *db, const char *const *texts, int n,
				 struct wh_error *err);
/** Which file the connection has open. */
enum wh_status db_note_identity(struct db *db, struct wh_error *err);
enum wh_status db_make_views(struct db *db, struct wh_error *err);

/** db_file.c: `aside` becomes `path`, which must not be there: WH_EEXISTS. The
 *  folder is synced. */
enum wh_status db_put_in_place(const char *aside, const char *path,
			       struct wh_error *err);

/** db_lock.c: a reader goes on with the file that the path names now, if that
 *  is the same store. */
void db_follow(struct db *db);

/** db_lock.c: the turn lock of writers. */
enum wh_status db_lock(struct db *db, struct wh_error *err);

#endif
