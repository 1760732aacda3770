#include "failing.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "support/checked.h"

/* Without WH_FAULT_ALL=1 every fifth call does, fewer where all is slow. */
#define STRIDE	    5u
#define SLOW_STRIDE 23u
#define MOST_CALLS  200000u /* far above any; an attempt has to end */

static atomic_int kind_now = -1;
static atomic_uint left;
static atomic_bool struck;

void failing_begin(enum failing kind, unsigned n)
{
	atomic_store(&left, n);
	atomic_store(&struck, false);
	atomic_store(&kind_now, (int)kind);
}

bool failing_end(void)
{
	atomic_store(&kind_now, -1);
	return atomic_load(&struck);
}

bool failing_strikes(enum failing kind)
{
	if (atomic_load(&kind_now) != (int)kind || atomic_load(&struck) ||
	    atomic_fetch_sub(&left, 1) != 0)
		return false;
	atomic_store(&struck, true);
	return true;
}

/* ---- The calls ------------------------------------------------------------
 */

#define WRAP_MEMORY(name, parameters, arguments)                               \
	void *__real_##name parameters;                                        \
	void *__wrap_##name parameters;                                        \
	void *__wrap_##name parameters                                         \
	{                                                                      \
		if (!failing_strikes(FAIL_MEMORY))                             \
			return __real_##name arguments;                        \
		errno = ENOMEM;                                                \
		return NULL;                                                   \
	}
#define WRAP_CALL(kind, type, name, parameters, arguments, failed, code)       \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		if (!failing_strikes(kind))                                    \
			return __real_##name arguments;                        \
		errno = code;                                                  \
		return failed;                                                 \
	}

WRAP_MEMORY(malloc, (size_t size), (size))
WRAP_MEMORY(calloc, (size_t n, size_t size), (n, size))
WRAP_MEMORY(realloc, (void *old, size_t size), (old, size))
WRAP_MEMORY(strdup, (const char *text), (text))
WRAP_MEMORY(strndup, (const char *text, size_t n), (text, n))
WRAP_MEMORY(EVP_MD_CTX_new, (void), ())
WRAP_MEMORY(EVP_MD_fetch, (void *a, const char *b, const char *c), (a, b, c))
WRAP_MEMORY(ZSTD_createCCtx, (void), ())
WRAP_MEMORY(ZSTD_createDCtx, (void), ())
WRAP_MEMORY(json_object, (void), ())
WRAP_MEMORY(json_array, (void), ())
WRAP_CALL(FAIL_MEMORY, int, vasprintf, (char **to, const char *how, va_list ap),
	  (to, how, ap), -1, ENOMEM)
WRAP_CALL(FAIL_MEMORY, int, pthread_create,
	  (pthread_t * thread, const pthread_attr_t *how, void *(*run)(void *),
	   void *arg),
	  (thread, how, run, arg), EAGAIN, EAGAIN)

/* As where the block that they would need can't be had. */
#define WRAP_ARENA(type, name, parameters, arguments)                          \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		if (!failing_strikes(FAIL_ARENAS))                             \
			return __real_##name arguments;                        \
		arena->failed = true;                                          \
		return NULL;                                                   \
	}

WRAP_ARENA(void *, arena_alloc, (struct arena * arena, size_t n, size_t size),
	   (arena, n, size))
WRAP_ARENA(char *, arena_bytes,
	   (struct arena * arena, const void *bytes, size_t len),
	   (arena, bytes, len))
WRAP_ARENA(char *, arena_strdup, (struct arena * arena, const char *text),
	   (arena, text))

char *__wrap_arena_printf(struct arena *arena, const char *how, ...)
	WH_PRINTF(2, 3);
char *__wrap_arena_printf(struct arena *arena, const char *how, ...)
{
	char *text, *copy = NULL;
	va_list ap;
	int n;

	va_start(ap, how);
	n = __real_vasprintf(&text, how, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	copy = __wrap_arena_strdup(arena, text);
	free(text);
	return copy;
}

int __wrap_asprintf(char **to, const char *how, ...)
	__attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **to, const char *how, ...)
{
	va_list ap;
	int n;

	va_start(ap, how);
	n = __wrap_vasprintf(to, how, ap);
	va_end(ap);
	return n;
}

WRAP_CALL(FAIL_SQL, int, sqlite3_step, (sqlite3_stmt * stmt), (stmt),
	  SQLITE_IOERR, EIO)
WRAP_CALL(FAIL_SQL, int, sqlite3_prepare_v2,
	  (sqlite3 * db, const char *sql, int n, sqlite3_stmt **stmt,
	   const char **tail),
	  (db, sql, n, stmt, tail), SQLITE_NOMEM, ENOMEM)
WRAP_CALL(FAIL_SQL, int, sqlite3_prepare_v3,
	  (sqlite3 * db, const char *sql, int n, unsigned flags,
	   sqlite3_stmt **stmt, const char **tail),
	  (db, sql, n, flags, stmt, tail), SQLITE_NOMEM, ENOMEM)
WRAP_CALL(FAIL_SQL, int, sqlite3_open_v2,
	  (const char *name, sqlite3 **db, int flags, const char *vfs),
	  (name, db, flags, vfs), SQLITE_CANTOPEN, ENOENT)
WRAP_CALL(FAIL_SQL, int, sqlite3_create_module,
	  (sqlite3 * db, const char *name, const sqlite3_module *module,
	   void *aux),
	  (db, name, module, aux), SQLITE_NOMEM, ENOMEM)
WRAP_CALL(FAIL_SQL, int, sqlite3_declare_vtab, (sqlite3 * db, const char *sql),
	  (db, sql), SQLITE_NOMEM, ENOMEM)
WRAP_CALL(FAIL_SQL, int, sqlite3_blob_open,
	  (sqlite3 * db, const char *base, const char *table,
	   const char *column, sqlite3_int64 row, int flags,
	   sqlite3_blob **blob),
	  (db, base, table, column, row, flags, blob), SQLITE_IOERR, EIO)
WRAP_CALL(FAIL_SQL, int, sqlite3_blob_read,
	  (sqlite3_blob * blob, void *to, int n, int at), (blob, to, n, at),
	  SQLITE_IOERR, EIO)
WRAP_MEMORY(sqlite3_malloc, (int size), (size))

WRAP_CALL(FAIL_FILES, ssize_t, pread64, (int fd, void *to, size_t n, off_t at),
	  (fd, to, n, at), -1, EIO)
WRAP_CALL(FAIL_FILES, ssize_t, pwrite64,
	  (int fd, const void *from, size_t n, off_t at), (fd, from, n, at), -1,
	  ENOSPC)
WRAP_CALL(FAIL_FILES, ssize_t, read, (int fd, void *to, size_t n), (fd, to, n),
	  -1, EIO)
WRAP_CALL(FAIL_FILES, ssize_t, write, (int fd, const void *from, size_t n),
	  (fd, from, n), -1, ENOSPC)
WRAP_CALL(FAIL_FILES, int, fsync, (int fd), (fd), -1, EIO)
WRAP_CALL(FAIL_FILES, int, ftruncate64, (int fd, off_t size), (fd, size), -1,
	  ENOSPC)
WRAP_CALL(FAIL_FILES, int, rename, (const char *from, const char *to),
	  (from, to), -1, EIO)
WRAP_CALL(FAIL_FILES, int, fstat64, (int fd, struct stat *to), (fd, to), -1,
	  EIO)
WRAP_CALL(FAIL_FILES, int, stat64, (const char *path, struct stat *to),
	  (path, to), -1, EACCES)
WRAP_CALL(FAIL_FILES, int, mkdir, (const char *path, mode_t mode), (path, mode),
	  -1, EACCES)
WRAP_CALL(FAIL_FILES, void *, fopen64, (const char *path, const char *mode),
	  (path, mode), NULL, EMFILE)
WRAP_CALL(FAIL_FILES, void *, tmpfile64, (void), (), NULL, EMFILE)

/* The real one closes in any case. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	int result = __real_close(fd);

	if (!failing_strikes(FAIL_FILES))
		return result;
	errno = EIO;
	return -1;
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	if (!failing_strikes(FAIL_FILES))
		return __real_open64(path, flags, mode);
	errno = EMFILE;
	return -1;
}

/* ---- One after the other --------------------------------------------------
 */

static unsigned stride(void)
{
	const char *all = getenv("WH_FAULT_ALL");

	if (all && *all && strcmp(all, "0") != 0)
		return 1;
	return is_checked() ? SLOW_STRIDE : STRIDE;
}

static void check_told(const struct attempt *attempt, enum failing kind,
		       unsigned n, const struct wh_error *err)
{
	if (err->message[0] && !strchr(err->message, '\n'))
		return;
	fail_msg("%s, call %u of kind %d: '%s'", attempt->name, n, (int)kind,
		 err->message);
}

static void check_memory(const struct attempt *attempt, enum failing kind,
			 unsigned n, const struct wh_error *err)
{
	if ((kind != FAIL_MEMORY && kind != FAIL_ARENAS) ||
	    strstr(err->message, "is no checkpoint"))
		return;
	fail_msg("%s, call %u of kind %d: '%s', and no word of memory",
		 attempt->name, n, (int)kind, err->message);
}

static unsigned fail_each_of(const struct attempt *attempt, enum failing kind)
{
	unsigned n, count = 0, step = stride();
	bool there = true;

	for (n = 0; there; n += step) {
		struct wh_error err = {0};
		enum wh_status status;

		if (n >= MOST_CALLS)
			fail_msg("%s: no end of calls of kind %d",
				 attempt->name, (int)kind);
		attempt->before(attempt->arg);
		failing_begin(kind, n);
		status = attempt->run(attempt->arg, &err);
		there = failing_end();
		if (status && !there)
			fail_msg("%s: %s", attempt->name, err.message);
		if (status)
			check_told(attempt, kind, n, &err);
		if (status == WH_ECORRUPT && attempt->tells_memory)
			check_memory(attempt, kind, n, &err);
		attempt->after(attempt->arg, status);
		count += there;
	}
	return count;
}

unsigned failing_each(const struct attempt *attempt)
{
	unsigned n[N_FAILING], count;
	int kind;

	for (kind = 0; kind < N_FAILING; kind++)
		n[kind] = fail_each_of(attempt, (enum failing)kind);
	print_message("%s: %u allocations, %u in arenas, %u of SQLite, %u on "
		      "files, %u of libhdf5\n",
		      attempt->name, n[FAIL_MEMORY], n[FAIL_ARENAS],
		      n[FAIL_SQL], n[FAIL_FILES], n[FAIL_HDF5]);
	count = n[FAIL_MEMORY] + n[FAIL_ARENAS] + n[FAIL_SQL] + n[FAIL_FILES] +
		n[FAIL_HDF5];
	if (!count)
		fail_msg("%s: no call has failed", attempt->name);
	return count;
}
