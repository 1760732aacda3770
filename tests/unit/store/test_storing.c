/* How a commit gets into the file what the store lacks: in turns, as little as
 * it takes, told of as it goes; and what it leaves if it fails. */
#include "support/damage.h"
#include "support/parts.h"

#include <stdatomic.h>
#include <time.h>

#include <weighhouse/keep.h>
#include <weighhouse/store.h>

#define CHUNKS	   41u /* of what goes in by turns */
#define MANY	   (CHUNKS * PART_CHUNK)
#define REPORT	   8u /* chunks from one report to the next */
#define UNDER_WAY  5u /* chunks, between reading and inserting */
#define TURN_MS	   250
#define N_STORAGES "SELECT count(*) FROM storage"
#define STRAYS                                                                 \
	"SELECT count(*) FROM chunk WHERE id >> 24 NOT IN"                     \
	" (SELECT id FROM storage)"

static enum wh_status commit_part(struct fixture *f, struct part *part,
				  const struct wh_commit_options *options)
{
	struct wh_source *source = make_parts(part, 1);
	enum wh_status status =
		wh_commit(f->store, source, options, &f->result, &f->err);

	wh_source_close(source);
	return status;
}

/* ---- As it goes ------------------------------------------------------------
 */

struct reports {
	int n, cancel_at; /* 0: never */
	uint64_t last, total;
};

static bool note_report(void *arg, const char *what, uint64_t done,
			uint64_t total)
{
	struct reports *reports = arg;

	if (strcmp(what, "storing") != 0)
		return true;
	reports->last = done;
	reports->total = total;
	return ++reports->n != reports->cancel_at;
}

static void each_eight_mib_and_the_end_are_told(void **state)
{
	struct fixture *f = *state;
	struct reports reports = {0};
	struct part part = {.name = "w", .nbytes = MANY};
	const struct wh_commit_options options = {.progress = note_report,
						  .arg = &reports};

	assert_ok(commit_part(f, &part, &options), &f->err);
	assert_int_equal(reports.n, CHUNKS / REPORT + 1);
	assert_int_equal(reports.last, MANY);
	assert_int_equal(reports.total, MANY);
}

static int n_chunks_read;

static int count_chunk(void *arg, uint64_t offset, void *buf, size_t len)
{
	(void)arg, (void)offset;
	n_chunks_read++;
	memset(buf, 1, len);
	return 0;
}

static struct wh_source *make_counted(const uint64_t *nbytes,
				      int (*read)(void *, uint64_t, void *,
						  size_t))
{
	const struct wh_array array = {.name = "w",
				       .dtype = WH_UINT8,
				       .rank = 1,
				       .shape = nbytes,
				       .read = read};
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	struct wh_error err;

	assert_ok(wh_builder_new(&builder, &err), &err);
	assert_ok(wh_builder_weight(builder, &array, &err), &err);
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

/* Of a source of terabytes, too. */
static void a_cancel_reads_no_further(void **state)
{
	static const char *const codecs[] = {"none", "fast"};
	struct fixture *f = *state;
	const uint64_t nbytes = MANY;
	size_t i;

	for (i = 0; i < 2; i++) {
		struct reports reports = {.cancel_at = 1};
		const struct wh_commit_options options = {.progress =
								  note_report,
							  .arg = &reports,
							  .codec = codecs[i]};
		struct wh_source *source = make_counted(&nbytes, count_chunk);

		n_chunks_read = 0;
		assert_fails(
			wh_commit(f->store, source, &options, NULL, &f->err),
			&f->err, WH_ECANCELLED, "cancelled");
		wh_source_close(source);
		assert_in_range(n_chunks_read, REPORT, REPORT + UNDER_WAY);
	}
}

/* ---- In turns --------------------------------------------------------------
 */

/* What counts the transactions that have changed a file. */
static uint32_t count_changes(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t bytes[4];

	assert_non_null(file);
	assert_int_equal(fseek(file, 24, SEEK_SET), 0);
	assert_int_equal(fread(bytes, 1, 4, file), 4);
	fclose(file);
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
	       (uint32_t)bytes[2] << 8 | bytes[3];
}

/* What the reader and the inserter of a commit have come to. */
static struct {
	const char *path;
	atomic_int n_read; /* chunks */
	bool waited;
	uint32_t changes, later_changes;
} turn;

/* Until the turn is over, and the next chunks wait for it. */
static bool use_up_the_turn(void *arg, const char *what, uint64_t done,
			    uint64_t total)
{
	struct timespec left = {.tv_nsec = TURN_MS * 1000000L};

	(void)arg, (void)done, (void)total;
	if (turn.waited || strcmp(what, "storing") != 0)
		return true;
	turn.waited = true;
	turn.changes = count_changes(turn.path);
	while (nanosleep(&left, &left))
		;
	while (atomic_load(&turn.n_read) < (int)(REPORT + UNDER_WAY))
		nanosleep(&(struct timespec){.tv_nsec = 1000000L}, NULL);
	return true;
}

/* Of all chunks the first that is read when one behind the report is in. */
static int read_and_look(void *arg, uint64_t offset, void *buf, size_t len)
{
	(void)arg, (void)offset;
	if (atomic_fetch_add(&turn.n_read, 1) == (int)(REPORT + UNDER_WAY))
		turn.later_changes = count_changes(turn.path);
	memset(buf, 1, len);
	return 0;
}

/* The chunk behind the report is in another one. */
static void a_turn_ends_when_its_time_is_up(void **state)
{
	struct fixture *f = *state;
	const uint64_t nbytes = MANY;
	const struct wh_commit_options options = {.progress = use_up_the_turn,
						  .codec = "none"};
	struct wh_source *source = make_counted(&nbytes, read_and_look);

	memset(&turn, 0, sizeof(turn));
	turn.path = f->path;
	assert_ok(wh_commit(f->store, source, &options, NULL, &f->err),
		  &f->err);
	wh_source_close(source);
	assert_true(turn.waited);
	assert_true(turn.later_changes > turn.changes);
}

static void a_commit_of_little_is_one_transaction(void **state)
{
	struct fixture *f = *state;
	uint32_t before;

	commit_model(f, 1);
	before = count_changes(f->path);
	commit_model(f, 2);
	assert_int_equal(count_changes(f->path) - before, 1);
}

/* ---- What fails ------------------------------------------------------------
 */

static int read_nothing(void *arg, uint64_t offset, void *buf, size_t len)
{
	(void)arg, (void)offset, (void)buf, (void)len;
	n_chunks_read++;
	return 1;
}

static void who_asks_for_no_reason_gets_a_status(void **state)
{
	struct fixture *f = *state;
	const uint64_t nbytes = MANY;
	struct wh_source *source = make_counted(&nbytes, read_nothing);

	assert_int_equal(wh_commit(f->store, source, NULL, NULL, NULL), WH_EIO);
	wh_source_close(source);
}

static void what_is_too_large_is_refused_before_it_is_read(void **state)
{
	struct fixture *f = *state;
	const uint64_t nbytes = ((uint64_t)1 << 44) + 1;
	struct wh_source *source = make_counted(&nbytes, read_nothing);

	n_chunks_read = 0;
	assert_fails(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err,
		     WH_EUNSUPPORTED, "tensor 'w' is too large to store");
	assert_int_equal(n_chunks_read, 0);
	wh_source_close(source);
}

static bool cancel_hashing(void *arg, const char *what, uint64_t done,
			   uint64_t total)
{
	(void)arg, (void)done, (void)total;
	return strcmp(what, "hashing") != 0;
}

static void what_fails_before_it_stores_writes_nothing(void **state)
{
	struct fixture *f = *state;
	const struct wh_commit_options options = {.progress = cancel_hashing};
	struct part part = {.name = "w", .nbytes = 4096};
	uint32_t before = count_changes(f->path);

	assert_fails(commit_part(f, &part, &options), &f->err, WH_ECANCELLED,
		     "cancelled");
	assert_int_equal(count_changes(f->path), before);
}

/* ---- What a setting says ---------------------------------------------------
 */

#define N_RAW "SELECT count(*) FROM chunk WHERE codec = 0"

static void a_codec_is_the_option_s_or_the_store_s(void **state)
{
	struct fixture *f = *state;
	struct part part = {.name = "w", .nbytes = 2 * PART_CHUNK};
	struct wh_commit_options options = {.codec = "none"};

	assert_ok(commit_part(f, &part, &options), &f->err);
	assert_int_equal(ask_integer(f, N_RAW), 2);
	part.first = part.rest = 1;
	assert_ok(commit_part(f, &part, NULL), &f->err);
	assert_int_equal(ask_integer(f, N_RAW), 2);
	assert_ok(wh_config_set(f->store, "codec", "none", &f->err), &f->err);
	part.first = part.rest = 2;
	assert_ok(commit_part(f, &part, NULL), &f->err);
	assert_int_equal(ask_integer(f, N_RAW), 4);
	options.codec = "fast";
	part.first = part.rest = 3;
	assert_ok(commit_part(f, &part, &options), &f->err);
	assert_int_equal(ask_integer(f, N_RAW), 4);
	options.codec = "gzip";
	assert_fails(commit_part(f, &part, &options), &f->err, WH_EINVAL,
		     "there is no codec 'gzip'");
}

/* ---- What was there before -------------------------------------------------
 */

/* It is stored, and then found to be what gc took: it goes again. */
static void what_gc_took_is_not_stored_to_stay(void **state)
{
	static const char *const rules[] = {"last=1", NULL};
	const struct wh_keep_options keep = {.rules = rules};
	const struct wh_gc_options gc = {.has_grace = true};
	struct wh_commit_options options = {.run = "r",
					    .codec = "none",
					    .has_step = true,
					    .once = true,
					    .has_time = true};
	struct fixture *f = *state;
	struct part part = {.name = "w", .nbytes = MANY};
	char id[WH_ID_SIZE];

	assert_ok(commit_part(f, &part, &options), &f->err);
	strcpy(id, f->result.snapshot);
	part.first = part.rest = 1;
	options.step = options.time = 1;
	assert_ok(commit_part(f, &part, &options), &f->err);
	assert_ok(wh_keep(f->store, &keep, NULL, NULL, &f->err), &f->err);
	assert_ok(wh_gc(f->store, &gc, NULL, &f->err), &f->err);
	assert_int_equal(ask_integer(f, N_STORAGES), 1);
	part.first = part.rest = 0;
	options.step = options.time = 0;
	assert_ok(commit_part(f, &part, &options), &f->err);
	assert_true(f->result.there_already);
	assert_string_equal(f->result.snapshot, id);
	assert_int_equal(ask_integer(f, N_STORAGES), 1);
	assert_int_equal(ask_integer(f, STRAYS), 0);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM lease"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(each_eight_mib_and_the_end_are_told),
		with_store(a_cancel_reads_no_further),
		with_store(a_turn_ends_when_its_time_is_up),
		with_store(a_commit_of_little_is_one_transaction),
		with_store(who_asks_for_no_reason_gets_a_status),
		with_store(what_is_too_large_is_refused_before_it_is_read),
		with_store(what_fails_before_it_stores_writes_nothing),
		with_store(a_codec_is_the_option_s_or_the_store_s),
		with_store(what_gc_took_is_not_stored_to_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
