/* Rows of snapshots, one or many, with all that a reader wants to see. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "log.h"
#include "ref.h"
#include "run.h"
#include "store.h"

#define MAX_NAMES   256 /* refs at one snapshot */
#define MAX_FIGURES 4096

/* ---- One snapshot
 * ------------------------------------------------------------ */

static enum wh_status list_names(struct db *db, struct arena *arena,
				 int64_t snapshot, enum ref_kind kind,
				 const char *const **out, struct wh_error *err)
{
	const char **names;
	AUTO_STMT *stmt = NULL;
	size_t n = 0, room = 0;
	void *rows = NULL;
	bool row;

	WH_TRY(db_stmt(db, STMT_REF_OF_SNAPSHOT, &stmt, err));
	stmt_integer(stmt, 1, snapshot);
	stmt_integer(stmt, 2, kind);
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!arena_grow(arena, &rows, n, &room, sizeof(*names)))
			return wh_fail_memory(err);
		names = rows;
		if (!row || n == MAX_NAMES)
			break;
		names[n] = column_copy(stmt, 0, arena);
		if (!names[n++])
			return wh_fail_memory(err);
	}
	names[n] = NULL;
	*out = names;
	return WH_OK;
}

static enum wh_status list_metrics(struct db *db, struct arena *arena,
				   int64_t id, struct wh_snapshot *out,
				   struct wh_error *err)
{
	struct wh_metric *metric;
	size_t n = 0, room = 0;
	AUTO_STMT *stmt = NULL;
	void *rows = NULL;
	bool row;

	WH_TRY(db_stmt(db, STMT_METRIC_OF_SNAPSHOT, &stmt, err));
	stmt_integer(stmt, 1, id);
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row || n == MAX_FIGURES)
			break;
		if (!arena_grow(arena, &rows, n, &room, sizeof(*metric)))
			return wh_fail_memory(err);
		metric = (struct wh_metric *)rows + n++;
		metric->key = column_copy(stmt, 0, arena);
		metric->value = metric_value(column_integer(stmt, 1),
					     column_real(stmt, 2));
		if (!metric->key)
			return wh_fail_memory(err);
	}
	out->metrics = rows;
	out->n_metrics = n;
	return WH_OK;
}

enum wh_status snapshot_describe(struct db *db, struct arena *arena,
				 const struct snapshot_row *row,
				 struct wh_snapshot *out, struct wh_error *err)
{
	const char **templates = arena_alloc(arena, 2, sizeof(*templates));

	if (!templates)
		return wh_fail_memory(err);
	memset(out, 0, sizeof(*out));
	text_hex(row->sha256, sizeof(row->sha256), out->id);
	text_hex(row->text.tree, WH_SHA256_SIZE, out->tree);
	if (row->text.parent)
		text_hex(row->text.parent, WH_SHA256_SIZE, out->parent);
	out->message = row->text.message;
	out->time = row->text.time;
	out->run = row->run_name;
	out->has_step = row->text.has_step;
	out->has_epoch = row->text.has_epoch;
	out->step = row->text.step;
	out->epoch = row->text.epoch;
	out->origin_format = row->text.origin_format;
	out->origin_generator = row->text.origin_generator;
	templates[0] = row->text.template_format;
	out->templates = templates;
	out->n_tensors = row->n_tensors;
	out->n_layers = row->n_layers;
	out->nbytes = row->nbytes;
	WH_TRY(list_names(db, arena, row->id, REF_BRANCH, &out->branches, err));
	WH_TRY(list_names(db, arena, row->id, REF_TAG, &out->tags, err));
	WH_TRY(list_metrics(db, arena, row->id, out, err));
	return run_params(db, row->run_id, arena, &out->params, &out->n_params,
			  err);
}

/* ---- Filters
 * ------------------------------------------------------------------ */

static bool has_metric(const struct wh_snapshot *snapshot, const char *key)
{
	size_t i;

	for (i = 0; i < snapshot->n_metrics; i++)
		if (strcmp(snapshot->metrics[i].key, key) == 0)
			return true;
	return false;
}

static enum wh_status is_living(struct db *db, int64_t id, bool *yes,
				struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_SNAPSHOT_LIVES, &stmt, err));
	stmt_integer(stmt, 1, id);
	WH_TRY(stmt_step(stmt, yes, err));
	stmt_reset(stmt);
	return WH_OK;
}

static bool in_steps(const struct wh_log_options *options,
		     const struct canonical_snapshot *text)
{
	if (options->has_min_step &&
	    (!text->has_step || text->step < options->min_step))
		return false;
	return !options->has_max_step ||
	       (text->has_step && text->step <= options->max_step);
}

static enum wh_status show(struct listing *listing, struct arena *arena,
			   const struct snapshot_row *row, struct wh_error *err)
{
	const struct wh_log_options *options = listing->options;
	struct wh_snapshot snapshot;
	bool wanted;

	WH_TRY(is_living(listing->db, row->id, &wanted, err));
	if (!wanted || !in_steps(options, &row->text))
		return WH_OK;
	if (options->run && strcmp(options->run, row->run_name) != 0)
		return WH_OK;
	if (listing->wanted && !listing->wanted->leads)
		WH_TRY(wanted_changed(listing, row->id, &wanted, err));
	if (!wanted)
		return WH_OK;
	WH_TRY(snapshot_describe(listing->db, arena, row, &snapshot, err));
	if (options->metric && !has_metric(&snapshot, options->metric))
		return WH_OK;
	listing->stopped = listing->fn(listing->arg, &snapshot) ||
			   (listing->left && --listing->left == 0);
	return WH_OK;
}

enum wh_status log_show(struct listing *listing, int64_t id,
			struct wh_error *err)
{
	struct arena arena = {0};
	enum wh_status status;
	struct snapshot_row row;
	bool living;

	WH_TRY(is_living(listing->db, id, &living, err));
	if (!living)
		return WH_OK;
	status = snapshot_load(listing->db, id, &arena, &row, err);
	if (!status)
		status = show(listing, &arena, &row, err);
	arena_free(&arena);
	return status;
}

/* ---- Walks
 * ---------------------------------------------------------------------- */

static enum wh_status next_by_parent(struct db *db,
				     const struct snapshot_row *row,
				     int64_t *next, struct wh_error *err)
{
	uint8_t digest[WH_SHA256_SIZE];
	bool more = row->text.parent != NULL;
	struct walk walk = {0};

	*next = 0;
	if (more)
		memcpy(digest, row->text.parent, sizeof(digest));
	while (more && !*next) {
		WH_TRY(walk_step(&walk, digest, err));
		WH_TRY(snapshot_find(db, digest, next, err));
		if (!*next) /* gc took it: on to its own parent */
			WH_TRY(snapshot_parent(db, digest, &more, err));
	}
	return WH_OK;
}

static enum wh_status next_newest(struct db *db, int64_t below, int64_t *next,
				  struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_SNAPSHOT_NEWEST, &stmt, err));
	stmt_integer(stmt, 1, below);
	return step_id(stmt, next, err);
}

/* Whether `id` is `of` or one of its ancestors: generations only fall, so the
 * walk ends early. */
static enum wh_status is_ancestor(struct db *db, const struct snapshot_row *at,
				  int64_t of, bool *yes, struct wh_error *err)
{
	enum wh_status status = WH_OK;
	struct walk walk = {0};

	*yes = false;
	while (of && !*yes && !status) {
		struct arena arena = {0};
		struct snapshot_row row;

		*yes = of == at->id;
		status = snapshot_load(db, of, &arena, &row, err);
		if (!status)
			status = walk_step(&walk, row.sha256, err);
		if (!status && row.generation <= at->generation)
			of = 0;
		else if (!status)
			status = next_by_parent(db, &row, &of, err);
		arena_free(&arena);
	}
	return status;
}

static enum wh_status visit(struct listing *listing, int64_t id, int64_t *next,
			    struct wh_error *err)
{
	struct arena arena = {0};
	struct snapshot_row row;
	bool stop = false;
	enum wh_status status =
		snapshot_load(listing->db, id, &arena, &row, err);

	if (!status && !listing->options->all)
		status = walk_step(&listing->walk, row.sha256, err);
	if (!status && listing->excluded)
		status = is_ancestor(listing->db, &row, listing->excluded,
				     &stop, err);
	if (!status && listing->options->all)
		status = next_newest(listing->db, id, next, err);
	else if (!status && next)
		status = next_by_parent(listing->db, &row, next, err);
	if (!status && !stop && listing->options->place)
		stop = listing->options->place(
			listing->arg, &(struct wh_log_place){id, *next});
	if (!status && !stop)
		status = show(listing, &arena, &row, err);
	if (stop && !listing->options->all)
		listing->stopped = true;
	arena_free(&arena);
	return status;
}

enum wh_status log_visit(struct listing *listing, int64_t id,
			 struct wh_error *err)
{
	return visit(listing, id, NULL, err);
}

static enum wh_status first_of(struct listing *listing, int64_t *first,
			       struct wh_error *err)
{
	const struct wh_log_options *options = listing->options;
	enum wh_status status;

	if (options->all)
		return next_newest(listing->db, INT64_MAX, first, err);
	status = revision_resolve(
		listing->db, options->revision ? options->revision : "HEAD",
		first, err);
	/* An empty store has an empty log. */
	if (status == WH_ENOTFOUND && !options->revision) {
		*first = 0;
		return WH_OK;
	}
	return status;
}

static enum wh_status walk(struct listing *listing, struct wh_error *err)
{
	const struct wh_log_options *options = listing->options;
	struct db *db = listing->db;
	int64_t id = 0, next, run;

	if (options->run)
		WH_TRY(run_require(db, options->run, &run, err));
	if (!options->all || !options->place)
		WH_TRY(first_of(listing, &id, err));
	if (options->globs && *options->globs)
		WH_TRY(wanted_find(listing, options->all ? 0 : id, err));
	/* No transaction: snapshots don't change, and the one who prints them
	 * may be slow. */
	if (options->all && options->place)
		return log_graph(listing, err);
	if (options->exclude)
		WH_TRY(revision_resolve(db, options->exclude,
					&listing->excluded, err));
	if (listing->wanted && !listing->wanted->n && !options->place)
		return WH_OK;
	if (id && listing->wanted && !options->all && !options->place)
		return wanted_walk(listing, id, err);
	for (; id && !listing->stopped; id = next)
		WH_TRY(visit(listing, id, &next, err));
	return WH_OK;
}

enum wh_status wh_log(struct wh_store *store,
		      const struct wh_log_options *options, wh_snapshot_fn *fn,
		      void *arg, struct wh_error *err)
{
	static const struct wh_log_options defaults;
	struct listing listing = {.db = store->db, .fn = fn, .arg = arg};
	enum wh_status status;

	listing.options = options ? options : &defaults;
	listing.left = listing.options->limit;
	status = walk(&listing, err);
	wanted_free(listing.wanted);
	return status;
}

enum wh_status wh_snapshot_get(struct wh_store *store, const char *revision,
			       wh_snapshot_fn *fn, void *arg,
			       struct wh_error *err)
{
	struct wh_log_options options = {.revision = revision, .limit = 1};

	if (!revision)
		options.revision = "HEAD";
	return wh_log(store, &options, fn, arg, err);
}

enum wh_status wh_snapshot_text(struct wh_store *store, const char *revision,
				char **text, size_t *size, struct wh_error *err)
{
	struct arena arena = {0};
	struct snapshot_row row;
	struct wh_buf buf = {0};
	enum wh_status status;
	int64_t id;

	WH_TRY(revision_resolve(store->db, revision ? revision : "HEAD", &id,
				err));
	status = snapshot_load(store->db, id, &arena, &row, err);
	if (!status)
		status = canonical_snapshot(&buf, &row.text, err);
	if (!status)
		status = wh_buf_append(&buf, "", 1, err);
	arena_free(&arena);
	if (status) {
		wh_buf_free(&buf);
		return status;
	}
	*text = (char *)buf.data;
	*size = buf.size - 1;
	return WH_OK;
}
