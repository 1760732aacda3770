#include "world.h"

#include <weighhouse/keep.h>

#include "db_internal.h"
#include "store.h"
#include "support/parts.h"

#define MEMORY_FOLDER "/dev/shm"

void ok(enum wh_status status, struct wh_error *err)
{
	if (status)
		fail_msg("%s", err->message);
}

static void put_history_in(struct world *w)
{
	const struct wh_metric loss[] = {{"loss", 0.5}};
	struct wh_commit_options options = {.metrics = loss,
					    .n_metrics = 1,
					    .has_step = true,
					    .has_time = true};
	static const char *const rules[] = {"last=4", NULL};
	const struct wh_keep_options forget = {.rules = rules};
	struct wh_error err;
	int i;

	for (i = 0; i < 6; i++) {
		struct wh_source *source = make_model((float)i);

		options.step = i;
		options.time = i;
		ok(wh_commit(w->store, source, &options, NULL, &err), &err);
		wh_source_close(source);
	}
	ok(wh_tag_create(w->store, "v1", "HEAD~1", false, &err), &err);
	ok(wh_branch_create(w->store, "side", "HEAD~1", false, &err), &err);
	ok(wh_keep(w->store, &forget, NULL, NULL, &err), &err);
}

static void read_bytes(struct world *w)
{
	FILE *file = fopen(w->path, "rb");

	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	w->size = (size_t)ftell(file);
	rewind(file);
	w->bytes = malloc(w->size);
	assert_int_equal(fread(w->bytes, 1, w->size, file), w->size);
	fclose(file);
}

int set_up_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct wh_error err;

	*state = w;
	snprintf(w->folder, sizeof(w->folder), "%s/wh-test-XXXXXX",
		 access(MEMORY_FOLDER, W_OK) ? "/tmp" : MEMORY_FOLDER);
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->path, sizeof(w->path), "%s/weights.wh", w->folder);
	snprintf(w->other, sizeof(w->other), "%s/other.wh", w->folder);
	ok(wh_store_create(w->path, &err), &err);
	ok(wh_store_open(w->path, WH_OPEN_WRITE, &w->store, &err), &err);
	put_history_in(w);
	wh_store_close(w->store);
	w->store = NULL;
	read_bytes(w);
	return 0;
}

static void remove_one(const char *path, const char *suffix)
{
	char name[200];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	unlink(name);
}

static void remove_stores(struct world *w)
{
	remove_one(w->path, "");
	remove_one(w->path, "-journal");
	remove_one(w->path, "-lock");
	remove_one(w->other, "");
}

int tear_down_world(void **state)
{
	struct world *w = *state;

	remove_stores(w);
	assert_int_equal(rmdir(w->folder), 0); /* nothing else was left */
	free(w->bytes);
	free(w);
	return 0;
}

static int64_t count_snapshots(const char *path)
{
	struct fixture f = {0};

	snprintf(f.path, sizeof(f.path), "%s", path);
	return ask_integer(&f, "SELECT count(*) FROM snapshot");
}

static struct part large = {.name = "w", .nbytes = 9 * PART_CHUNK};

void before_verb(void *arg)
{
	struct world *w = arg;
	struct wh_error err;
	FILE *file;

	remove_stores(w);
	file = fopen(w->path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(w->bytes, 1, w->size, file), w->size);
	fclose(file);
	w->n_snapshots = count_snapshots(w->path);
	w->forgets = false;
	ok(wh_store_open(w->path, WH_OPEN_WRITE, &w->store, &err), &err);
	w->source = make_model(7);
	w->large = make_parts(&large, 1);
}

/* A statement that is left in its middle would keep others from writing. */
static void assert_none_is_open(const struct wh_store *store)
{
	sqlite3_stmt *stmt = NULL;

	while ((stmt = sqlite3_next_stmt(store->db->handle, stmt)))
		if (sqlite3_stmt_busy(stmt))
			fail_msg("was left open: %s", sqlite3_sql(stmt));
}

int see_sentence(void *arg, const char *sentence)
{
	(void)arg;
	fprintf(stderr, "%s\n", sentence);
	return 0;
}

void after_verb(void *arg, enum wh_status status)
{
	const struct wh_verify_options options = {.read_data = true};
	struct world *w = arg;
	struct wh_verify_result result;
	struct wh_error err;

	(void)status;
	wh_source_close(w->source);
	wh_source_close(w->large);
	assert_none_is_open(w->store);
	/* The handle goes on, and so does the store. */
	ok(wh_verify(w->store, &options, see_sentence, &result, &err), &err);
	assert_int_equal(result.n_errors, 0);
	wh_store_close(w->store);
	w->store = NULL;
	if (!w->forgets)
		assert_true(count_snapshots(w->path) >= w->n_snapshots);
}

static enum wh_status run(void *arg, struct wh_error *err)
{
	struct world *w = arg;

	return w->verb->run(w, err);
}

void each_of(struct world *w, const struct verb *verbs, size_t n)
{
	unsigned total = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		const struct attempt attempt = {.name = verbs[i].name,
						.run = run,
						.before = before_verb,
						.after = after_verb,
						.arg = w};

		w->verb = &verbs[i];
		total += failing_each(&attempt);
	}
	print_message("%u failures\n", total);
}
