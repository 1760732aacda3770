/* Opening: what is ours, what is the user's, what is refused; pages, turns,
 * forks, and a file that is replaced under its path. */
#include "support/child.h"
#include "support/damage.h"
#include "support/one_weight.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/error.h"
#include "db_internal.h"
#include "store.h"

static void close_store(struct fixture *f)
{
	wh_store_close(f->store);
	f->store = NULL;
}

static enum wh_status try_open(struct fixture *f, enum wh_open mode)
{
	enum wh_status status;

	close_store(f);
	status = wh_store_open(f->path, mode, &f->store, &f->err);
	return status;
}

/* $p is the store, $d its folder. */
static void shell(const struct fixture *f, const char *script)
{
	char command[512];

	snprintf(command, sizeof(command), "p=%s; d=%s; %s", f->path, f->folder,
		 script);
	assert_int_equal(system(command), 0);
}

/* ---- Headers
 * ------------------------------------------------------------------ */

static void set_be32(const char *path, off_t at, uint32_t value)
{
	uint8_t bytes[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
			   (uint8_t)(value >> 8), (uint8_t)value};
	int fd = open(path, O_WRONLY);

	assert_int_equal(pwrite(fd, bytes, 4, at), 4);
	close(fd);
}

static void the_header_says_whose_it_is(void **state)
{
	struct fixture *f = *state;

	close_store(f);
	set_be32(f->path, 60, N_MIGRATIONS + 1);
	assert_fails(try_open(f, WH_OPEN_READ), &f->err, WH_EUNSUPPORTED,
		     "was written by a newer version of weighhouse");
	set_be32(f->path, 60, 0xffffffff);
	assert_fails(try_open(f, WH_OPEN_READ), &f->err, WH_EUNSUPPORTED,
		     "newer version");
	set_be32(f->path, 60, 0);
	assert_fails(try_open(f, WH_OPEN_READ), &f->err, WH_ECORRUPT,
		     "never finished");
	set_be32(f->path, 60, N_MIGRATIONS);
	set_be32(f->path, 68, 1);
	assert_fails(try_open(f, WH_OPEN_READ), &f->err, WH_ECORRUPT,
		     "another program");
	set_be32(f->path, 68, DB_APPLICATION_ID);
	assert_ok(try_open(f, WH_OPEN_READ), &f->err);
	close_store(f);
	set_be32(f->path, 0, 0);
	assert_fails(try_open(f, WH_OPEN_READ), &f->err, WH_ECORRUPT,
		     "is not a weighhouse store");
	assert_int_equal(truncate(f->path, 99), 0);
	assert_fails(try_open(f, WH_OPEN_READ), &f->err, WH_ECORRUPT,
		     "is not a weighhouse store");
	unlink(f->path);
	assert_fails(try_open(f, WH_OPEN_READ), &f->err, WH_ENOTFOUND,
		     "No such file");
	assert_ok(wh_store_create(f->path, &f->err), &f->err);
	assert_fails(wh_store_create(f->path, &f->err), &f->err, WH_EEXISTS,
		     "is there already");
	assert_int_equal(wh_store_create("/nowhere/x.wh", &f->err),
			 WH_ENOTFOUND);
}

/* ---- Schemas
 * -------------------------------------------------------------------- */

static void a_foreign_schema_is_refused(void **state)
{
	static const char *const additions[] = {
		"CREATE TRIGGER evil AFTER INSERT ON snapshot BEGIN "
		"DELETE FROM ref; END",
		"CREATE TABLE user_x(y); CREATE TRIGGER user_t AFTER INSERT "
		"ON user_x BEGIN DELETE FROM ref; END",
		"CREATE TRIGGER evil INSTEAD OF DELETE ON log BEGIN "
		"SELECT 1; END",
		"CREATE INDEX slow ON chunk(crc32c)",
		"CREATE INDEX user_slow ON chunk(crc32c)",
		"CREATE TABLE user_x(crc32c); "
		"CREATE INDEX slow ON chunk(crc32c); "
		"PRAGMA writable_schema = ON; UPDATE sqlite_schema "
		"SET tbl_name = 'user_x' WHERE name = 'slow'",
		"CREATE TABLE other(x)",
		"ALTER TABLE run ADD COLUMN evil TEXT",
		"DROP INDEX tensor_by_storage",
		"DROP TRIGGER chunk_is_fixed",
		"DROP TABLE param",
		"CREATE VIRTUAL TABLE user_v USING fts5(x)",
		"PRAGMA writable_schema = ON; UPDATE sqlite_schema "
		"SET sql = replace(sql, 'NOT NULL', '') WHERE name = 'chunk'",
	};
	struct fixture *f = *state;
	char path[160];
	size_t i;

	commit_model(f, 1.0f);
	snprintf(path, sizeof(path), "%s.saved", f->path);
	for (i = 0; i < sizeof(additions) / sizeof(additions[0]); i++) {
		struct wh_store *store = NULL;
		sqlite3 *file;

		save_store(f);
		assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
		assert_int_equal(
			sqlite3_exec(file, additions[i], NULL, NULL, NULL),
			SQLITE_OK);
		sqlite3_close(file);
		if (wh_store_open(path, WH_OPEN_READ, &store, &f->err) !=
		    WH_ECORRUPT)
			fail_msg("went through: %s", additions[i]);
		if (!strstr(f->err.message, "did not write") &&
		    !strstr(f->err.message, "malformed"))
			fail_msg("%s: %s", additions[i], f->err.message);
	}
	forget_saved(f);
}

static void what_users_add_is_accepted(void **state)
{
	struct fixture *f = *state;

	commit_model(f, 1.0f);
	damage_store(f, "CREATE TABLE user_notes(x); "
			"CREATE INDEX user_notes_by_x ON user_notes(x); "
			"CREATE INDEX notes_too ON user_notes(x); "
			"CREATE TABLE USER_loud(x PRIMARY KEY); "
			"CREATE VIEW mine AS SELECT * FROM log; ANALYZE");
	commit_model(f, 2.0f);
	assert_ok(read_all(f, "HEAD"), &f->err);
	open_again(f, WH_OPEN_READ);
}

static int keep_text(void *arg, int n, const char *const *names,
		     const struct wh_cell *cells)
{
	(void)n, (void)names;
	if (cells)
		snprintf(arg, 64, "%s", cells[0].text ? cells[0].text : "");
	return 0;
}

static void our_views_are_made_anew(void **state)
{
	struct fixture *f = *state;
	char text[64] = "";

	commit_model(f, 1.0f);
	close_store(f);
	damage_file(f->path, "DROP VIEW log; DROP VIEW runs; CREATE VIEW log "
			     "AS SELECT 'lies' AS message");
	open_again(f, WH_OPEN_READ); /* a reader leaves them */
	assert_ok(wh_sql(f->store, "SELECT message FROM log", NULL, keep_text,
			 text, &f->err),
		  &f->err);
	assert_string_equal(text, "lies");
	open_again(f, WH_OPEN_WRITE);
	assert_ok(wh_sql(f->store, "SELECT message FROM log", NULL, keep_text,
			 text, &f->err),
		  &f->err);
	assert_string_equal(text, "");
	assert_ok(wh_sql(f->store, "SELECT run FROM runs", NULL, keep_text,
			 text, &f->err),
		  &f->err);
	assert_string_equal(text, "main");
}

/* ---- Settings
 * ------------------------------------------------------------------- */

static void nothing_can_be_attached(void **state)
{
	struct fixture *f = *state;

	assert_fails(db_exec(f->store->db, "ATTACH ':memory:' AS x", &f->err),
		     &f->err, WH_ECORRUPT, "too many attached");
	assert_fails(db_exec(f->store->db,
			     "PRAGMA writable_schema = ON; UPDATE "
			     "sqlite_schema SET sql = ''",
			     &f->err),
		     &f->err, WH_ECORRUPT, "may not be modified");
}

static void a_journal_mode_of_others_is_set_back(void **state)
{
	struct fixture *f = *state;
	struct stat at;
	char wal[192];

	commit_model(f, 1.0f);
	close_store(f);
	damage_file(f->path, "PRAGMA journal_mode = WAL; "
			     "CREATE TABLE user_x(y)");
	open_again(f, WH_OPEN_READ);
	assert_ok(read_all(f, "HEAD"), &f->err);
	open_again(f, WH_OPEN_WRITE);
	commit_model(f, 2.0f);
	snprintf(wal, sizeof(wal), "%s-wal", f->path);
	assert_int_equal(stat(wal, &at), -1);
}

static int zeros(void *arg, uint64_t offset, void *buf, size_t len)
{
	(void)arg, (void)offset;
	memset(buf, 0, len);
	return 0;
}

/* Of a dtype without statistics: they would take most of the time. */
static struct wh_source *make_zeros(uint64_t n_bytes)
{
	struct wh_array array = {.name = "w",
				 .dtype = WH_QINT8,
				 .rank = 1,
				 .shape = &n_bytes,
				 .read = zeros};

	return one_weight(NULL, NULL, &array);
}

static struct wh_source *make_many_zeros(unsigned n, uint64_t n_bytes)
{
	struct wh_array array = {
		.dtype = WH_QINT8, .rank = 1, .shape = &n_bytes, .read = zeros};
	struct wh_builder *builder;
	struct wh_source *source;
	struct wh_error err;
	char name[16];

	assert_ok(wh_builder_new(&builder, &err), &err);
	while (n--) {
		snprintf(name, sizeof(name), "w%u", n);
		array.name = name;
		assert_ok(wh_builder_weight(builder, &array, &err), &err);
	}
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

static unsigned page_size(const char *path)
{
	uint8_t bytes[2];
	int fd = open(path, O_RDONLY);
	unsigned size;

	assert_int_equal(pread(fd, bytes, 2, 16), 2);
	close(fd);
	size = (unsigned)bytes[0] << 8 | bytes[1];
	return size == 1 ? 65536 : size;
}

/* SQLite's file format keeps 64 KiB as 1. */
static void the_first_commit_sets_the_pages(void **state)
{
	static const struct {
		uint64_t n_bytes;
		unsigned page;
	} cases[] = {
		{(16 << 20) - 1, 2048},
		{16 << 20, 16384},
		{(256 << 20) - 1, 16384},
		{256 << 20, 65536},
	};
	struct fixture *f = *state;
	size_t i, n = getenv("WH_UNDER_VALGRIND") ? 2 : 4;

	for (i = 0; i < n; i++) {
		struct wh_source *source = make_zeros(cases[i].n_bytes);

		close_store(f);
		unlink(f->path);
		assert_ok(wh_store_create(f->path, &f->err), &f->err);
		open_again(f, WH_OPEN_WRITE);
		assert_int_equal(page_size(f->path), 2048);
		assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err),
			  &f->err);
		assert_int_equal(page_size(f->path), cases[i].page);
		wh_source_close(source);
	}
	{ /* later ones don't */
		struct wh_source *source = make_zeros(17 << 20);

		assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err),
			  &f->err);
		assert_int_equal(page_size(f->path), cases[n - 1].page);
		wh_source_close(source);
	}
}

/* Two of these rows don't fit into a small page. */
static void pages_are_chosen_for_many_small_tensors(void **state)
{
	static const struct {
		unsigned n;
		uint64_t n_bytes;
		unsigned page;
	} cases[] = {
		{2000, 1024, 4096}, {4000, 1024, 8192}, {2000, 900, 2048},
		{2000, 2500, 2048}, {20, 1024, 2048},
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wh_source *source =
			make_many_zeros(cases[i].n, cases[i].n_bytes);

		close_store(f);
		unlink(f->path);
		assert_ok(wh_store_create(f->path, &f->err), &f->err);
		open_again(f, WH_OPEN_WRITE);
		assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err),
			  &f->err);
		assert_int_equal(page_size(f->path), cases[i].page);
		wh_source_close(source);
	}
}

/* ---- Turns, forks, other files
 * ---------------------------------------------------- */

static void a_handle_is_refused_after_a_fork(void **state)
{
	struct fixture *f = *state;
	struct wh_source *source;
	int status;
	pid_t child;

	commit_model(f, 1.0f);
	assert_ok(wh_snapshot_open(f->store, "HEAD", &source, &f->err),
		  &f->err);
	child = fork();
	if (child == 0) {
		char byte, id[WH_ID_SIZE];
		bool refused = wh_revision_parse(f->store, "HEAD", id,
						 &f->err) == WH_EINVAL &&
			       strstr(f->err.message, "before a fork") &&
			       wh_source_read(source, 0, 0, &byte, 1,
					      &f->err) == WH_EINVAL &&
			       wh_commit(f->store, source, NULL, NULL,
					 &f->err) == WH_EINVAL;

		wh_source_close(source);
		wh_store_close(f->store);
		end_child(refused ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	wh_source_close(source);
	commit_model(f, 2.0f); /* the parent goes on */
}

/* By somebody who may only read: root may write anything. */
static void assert_only_read(struct fixture *f, const char *because)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (geteuid() == 0 && setuid(65534))
			end_child(2);
		if (try_open(f, WH_OPEN_READ) || read_all(f, "HEAD"))
			end_child(3);
		end_child(try_open(f, WH_OPEN_WRITE) == WH_EIO &&
					  strstr(f->err.message,
						 "can't be written") &&
					  strstr(f->err.message, because)
				  ? 0
				  : 4);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void what_cannot_be_written_opens_for_reading(void **state)
{
	struct fixture *f = *state;

	commit_model(f, 1.0f);
	close_store(f);
	shell(f, "rm -f $p-lock; chmod 0444 $p; chmod 0555 $d");
	assert_only_read(f, "can't be written: Permission denied");
	shell(f, "chmod 0666 $p");
	assert_only_read(f, ": folder '");
	shell(f, "chmod 0777 $d; touch $p-lock; chmod 0444 $p-lock");
	assert_only_read(f, ": lock file '");
}

/* As of who was killed in the middle of a transaction that has spilled. */
static void leave_a_journal(struct fixture *f)
{
	sqlite3 *other;

	assert_int_equal(sqlite3_open(f->path, &other), 0);
	assert_int_equal(
		sqlite3_exec(other,
			     "PRAGMA cache_size = 1; BEGIN;"
			     "CREATE TABLE user_n (t);"
			     "INSERT INTO user_n VALUES (zeroblob(99999));"
			     "INSERT INTO user_n SELECT t FROM user_n;",
			     NULL, NULL, NULL),
		0);
	shell(f, "cp $p $d/x; cp $p-journal $d/x-journal");
	sqlite3_close(other);
	shell(f, "mv $d/x $p; mv $d/x-journal $p-journal");
}

static void what_a_crash_left_is_told_where_it_stays(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t child;

	commit_model(f, 1.0f);
	close_store(f);
	leave_a_journal(f);
	shell(f, "chmod 0444 $p; chmod 0555 $d");
	child = fork();
	if (child == 0) {
		if (geteuid() == 0 && setuid(65534))
			end_child(2);
		end_child(try_open(f, WH_OPEN_READ) == WH_EIO &&
					  strstr(f->err.message, "by a crash")
				  ? 0
				  : 4);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	shell(f, "chmod 0755 $d; chmod 0644 $p");
	assert_ok(try_open(f, WH_OPEN_WRITE), &f->err);
	assert_ok(read_all(f, "HEAD"), &f->err);
}

/* Who is first, and with which umask, locks nobody out. */
static void a_lock_file_is_for_those_that_the_store_is_for(void **state)
{
	struct fixture *f = *state;
	mode_t mask = umask(027);
	struct stat store, lock;
	char name[192];

	snprintf(name, sizeof(name), "%s-lock", f->path);
	shell(f, "chmod 0664 $p; test $(id -u) != 0 || chown 65534:65533 $p");
	commit_model(f, 1.0f);
	umask(mask);
	assert_int_equal(stat(f->path, &store), 0);
	assert_int_equal(stat(name, &lock), 0);
	assert_int_equal(lock.st_mode & 07777, 0664);
	assert_int_equal(lock.st_uid, store.st_uid);
	assert_int_equal(lock.st_gid, store.st_gid);
}

static void a_reader_makes_no_lock_file(void **state)
{
	struct fixture *f = *state;
	struct stat at;
	char lock[192];

	commit_model(f, 1.0f);
	close_store(f);
	snprintf(lock, sizeof(lock), "%s-lock", f->path);
	assert_int_equal(unlink(lock), 0);
	open_again(f, WH_OPEN_READ);
	assert_ok(read_all(f, "HEAD"), &f->err);
	assert_fails(wh_switch(f->store, "main", &f->err), &f->err, WH_EIO,
		     "can't be written");
	assert_int_equal(stat(lock, &at), -1);
}

/* SQLite's lock of those who are about to write ("Locking And Concurrency"). */
#define RESERVED_BYTE 0x40000001

static bool others_see_the_lock(const char *path)
{
	int status;
	pid_t child = fork();

	if (child == 0) { /* one's own locks are not shown to oneself */
		struct flock lock = {.l_type = F_WRLCK,
				     .l_whence = SEEK_SET,
				     .l_start = RESERVED_BYTE,
				     .l_len = 1};
		int fd = open(path, O_RDWR);

		if (fd < 0 || fcntl(fd, F_GETLK, &lock))
			end_child(2);
		end_child(lock.l_type == F_WRLCK ? 1 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 1;
}

/* Whoever closes a descriptor of a file lets go of all the POSIX locks that the
 * process has on it. */
static void a_second_handle_leaves_the_first_one_its_lock(void **state)
{
	struct fixture *f = *state;
	struct transaction tx = {0};
	struct wh_store *second;

	commit_model(f, 1.0f);
	assert_ok(transaction_begin(&tx, f->store->db, &f->err), &f->err);
	assert_true(others_see_the_lock(f->path));
	assert_ok(wh_store_open(f->path, WH_OPEN_READ, &second, &f->err),
		  &f->err);
	assert_true(others_see_the_lock(f->path));
	wh_store_close(second);
	assert_true(others_see_the_lock(f->path));
	transaction_end(&tx);
	assert_false(others_see_the_lock(f->path));
}

/* Held by another: a writer waits for its turn, and then has it. */
static void a_writer_waits_for_its_turn(void **state)
{
	struct fixture *f = *state;
	char lock[192], byte = 0;
	int fd, go[2], status;
	pid_t child;

	commit_model(f, 1.0f);
	snprintf(lock, sizeof(lock), "%s-lock", f->path);
	fd = open(lock, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(pipe(go), 0);
	child = fork();
	if (child == 0) {
		struct wh_store *store;

		close(fd);
		if (wh_store_open(f->path, WH_OPEN_WRITE, &store, &f->err))
			end_child(1);
		if (write(go[1], "x", 1) != 1)
			end_child(2);
		end_child(wh_switch(store, "main", &f->err) ? 3 : 0);
	}
	assert_int_equal(read(go[0], &byte, 1), 1);
	usleep(50000);
	assert_int_equal(waitpid(child, &status, WNOHANG), 0);
	close(fd);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 0);
	close(go[0]);
	close(go[1]);
}

/* As compacting does: the same store in a new file under the path. */
static void a_rewritten_store_is_gone_on_with(void **state)
{
	struct fixture *f = *state;
	char other[192];
	ino_t inode;

	commit_model(f, 1.0f);
	snprintf(other, sizeof(other), "%s.new", f->path);
	shell(f, "cp $p $p.new");
	assert_int_equal(rename(other, f->path), 0);
	inode = f->store->db->inode;
	commit_model(f, 2.0f);
	assert_int_not_equal(f->store->db->inode, inode);
	open_again(f, WH_OPEN_READ);
	assert_ok(read_all(f, "HEAD~1"), &f->err);
}

static void another_store_under_the_path_is_not_written_to(void **state)
{
	struct fixture *f = *state;
	struct wh_source *source = make_model(2.0f);
	char id[WH_ID_SIZE];

	commit_model(f, 1.0f);
	unlink(f->path);
	assert_fails(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err,
		     WH_ENOTFOUND, "No such file");
	assert_ok(wh_store_create(f->path, &f->err), &f->err);
	assert_fails(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err,
		     WH_EMISMATCH, "replaced by another store");
	open_again(f, WH_OPEN_READ);
	assert_fails(wh_revision_parse(f->store, "HEAD", id, &f->err), &f->err,
		     WH_ENOTFOUND, "no snapshot yet");
	wh_source_close(source);
}

/* ---- Large values
 * ------------------------------------------------------------------ */

#define A_CHUNK	 "INSERT INTO chunk VALUES (77, 0, 4, 0, x'01020304')"
#define NO_BYTES "INSERT INTO chunk VALUES (78, 5, 4, 0, x'')"

static void large_values_are_read_of_one_state(void **state)
{
	struct fixture *f = *state;
	struct db *db = f->store->db;
	uint8_t bytes[5] = "x";
	struct blob blob = {0};
	bool there = false;
	sqlite3 *other;

	assert_int_equal(sqlite3_open(f->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, A_CHUNK, NULL, NULL, NULL),
			 SQLITE_OK);
	assert_ok(blob_open(db, "chunk", "data", 77, &blob, &there, &f->err),
		  &f->err);
	assert_true(there);
	assert_int_equal(sqlite3_exec(other, NO_BYTES, NULL, NULL, NULL),
			 SQLITE_BUSY);
	assert_int_equal(blob_size(&blob), 4);
	assert_ok(blob_read(&blob, bytes + 1, &f->err), &f->err);
	blob_close(&blob);
	assert_memory_equal(bytes, "x\1\2\3\4", 5);
	assert_int_equal(sqlite3_exec(other, NO_BYTES, NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(other);
	assert_ok(blob_open(db, "chunk", "data", 78, &blob, &there, &f->err),
		  &f->err);
	assert_true(there);
	assert_int_equal(blob_size(&blob), 0);
	assert_ok(blob_read(&blob, bytes, &f->err), &f->err);
	blob_close(&blob);
	assert_memory_equal(bytes, "x\1\2\3\4", 5);
}

static void a_large_value_may_be_missing(void **state)
{
	struct fixture *f = *state;
	struct blob blob = {0};
	bool there = true;

	assert_ok(blob_open(f->store->db, "chunk", "data", 79, &blob, &there,
			    &f->err),
		  &f->err);
	assert_false(there);
	assert_null(blob.handle);
	blob_close(&blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(the_header_says_whose_it_is),
		with_store(a_foreign_schema_is_refused),
		with_store(what_users_add_is_accepted),
		with_store(our_views_are_made_anew),
		with_store(nothing_can_be_attached),
		with_store(a_journal_mode_of_others_is_set_back),
		with_store(the_first_commit_sets_the_pages),
		with_store(pages_are_chosen_for_many_small_tensors),
		with_store(a_handle_is_refused_after_a_fork),
		with_store(what_cannot_be_written_opens_for_reading),
		with_store(what_a_crash_left_is_told_where_it_stays),
		with_store(a_lock_file_is_for_those_that_the_store_is_for),
		with_store(a_reader_makes_no_lock_file),
		with_store(a_second_handle_leaves_the_first_one_its_lock),
		with_store(a_writer_waits_for_its_turn),
		with_store(a_rewritten_store_is_gone_on_with),
		with_store(another_store_under_the_path_is_not_written_to),
		with_store(large_values_are_read_of_one_state),
		with_store(a_large_value_may_be_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
