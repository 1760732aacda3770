/* Is all of it still there, and as it was?
 *
 * From the outside in: SQLite's own check of its pages, the invariants of
 * checks.sql, the identity of every snapshot, tree and layer, and with
 * read_data the payload of every tensor.
 */
#include "verify.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "canonical.h"
#include "chunk.h"
#include "ref.h"
#include "snapshot.h"
#include "store.h"

#define PROGRESS_EACH ((uint64_t)8 << 20)
#define BATCH	      256 /* snapshots; the query's LIMIT */

static void tell(struct verification *all, const char *sentence)
{
	all->result->n_errors++;
	if (all->fn)
		all->fn(all->options->arg, sentence);
}

enum wh_status verify_tell(struct verification *all, enum wh_status status,
			   const struct wh_error *found)
{
	if (status == WH_ECORRUPT) {
		tell(all, found->message);
		return WH_OK;
	}
	if (status != WH_EUNSUPPORTED)
		return status;
	all->result->n_unchecked++;
	if (all->options->unchecked)
		all->options->unchecked(all->options->arg, found->message);
	return WH_OK;
}

bool verify_is_there(struct db *db, enum statement which, int64_t id,
		     int64_t storage)
{
	struct stmt *stmt;
	bool row = true;

	if (db_stmt(db, which, &stmt, NULL))
		return true;
	stmt_integer(stmt, 1, id);
	if (!stmt_step(stmt, &row, NULL) && row && storage)
		row = column_integer(stmt, 0) == storage;
	stmt_reset(stmt);
	return row;
}

enum wh_status verify_report(struct verification *all, struct wh_error *err)
{
	const struct wh_verify_options *options = all->options;
	uint64_t done = all->result->checked_bytes;

	if (!options->progress ||
	    (done - all->reported < PROGRESS_EACH && done < all->total_bytes))
		return WH_OK;
	all->reported = done;
	if (options->progress(options->arg, done ? "reading" : "checking", done,
			      all->total_bytes))
		return WH_OK;
	return wh_fail(err, WH_ECANCELLED, "cancelled");
}

static int tell_row(void *arg, int n_columns, const char *const *names,
		    const struct wh_cell *cells)
{
	(void)names;
	if (cells && n_columns == 1 && cells[0].kind == WH_CELL_TEXT)
		tell(arg, cells[0].text);
	return 0;
}

static void tell_page(void *arg, const char *line)
{
	struct verification *all = arg;

	if (!all->options->page) {
		tell(all, line);
		return;
	}
	all->result->n_errors++;
	all->options->page(all->options->arg, line);
}

static bool go_on(void *arg)
{
	const struct verification *all = arg;
	const struct wh_verify_options *options = all->options;

	return !options->progress ||
	       options->progress(options->arg, "checking", 0, 0);
}

static bool query_goes_on(void *arg, const char *what, uint64_t done,
			  uint64_t total)
{
	(void)what, (void)done, (void)total;
	return go_on(arg);
}

static enum wh_status check_invariants(struct verification *all,
				       struct wh_error *err)
{
	const struct wh_sql_options options = {.time_limit_s = UINT_MAX,
					       .progress = query_goes_on,
					       .progress_arg = all};
	struct wh_error found;
	enum wh_status status;
	int i;

	for (i = 0; i < N_CHECKS; i++) {
		status = db_query(all->db, check_texts[i].text, &options,
				  tell_row, all, &found);
		/* An older file lacks tables of later schemas. */
		if (status == WH_EINVAL && db_is_older(all->db))
			continue;
		if (verify_tell(all, status, &found)) {
			if (err)
				*err = found;
			return status;
		}
	}
	return WH_OK;
}

static enum wh_status run_checks(struct verification *all, struct wh_error *err)
{
	const struct db_page_check how = {.but_chunks = all->end_ms != 0,
					  .go_on = go_on,
					  .tell = tell_page,
					  .arg = all};
	struct wh_error found;
	enum wh_status status = db_check_pages(all->db, &how, &found);

	if (status == WH_ECORRUPT) {
		tell_page(all, found.message);
	} else if (verify_tell(all, status, &found)) {
		if (err)
			*err = found;
		return status;
	}
	return check_invariants(all, err);
}

/* ---- Snapshots: their text gives their id, their source can be built
 * ---------- */

static enum wh_status check_text(const struct snapshot_row *row,
				 struct wh_error *err)
{
	uint8_t digest[WH_SHA256_SIZE];
	struct wh_buf text = {0};
	enum wh_status status = canonical_snapshot(&text, &row->text, err);

	if (!status)
		status = sha256_of(text.data, text.size, digest, err);
	wh_buf_free(&text);
	if (!status && memcmp(digest, row->sha256, sizeof(digest)) != 0)
		return wh_fail(err, WH_ECORRUPT, "its text is not of its id");
	return status;
}

/* The digests of layers as the manifest's own rows give them. */
static enum wh_status hash_layers(const struct wh_manifest *manifest,
				  struct canonical_place *places,
				  struct wh_error *err)
{
	struct wh_buf text = {0};
	enum wh_status status = WH_OK;
	uint32_t i;

	for (i = 0; i < manifest->n_layers && !status; i++) {
		text.size = 0;
		places[i].container = manifest->layers[i].container;
		status = canonical_layer(&text, manifest, &manifest->layers[i],
					 err);
		if (!status)
			status = sha256_of(text.data, text.size,
					   places[i].layer, err);
	}
	wh_buf_free(&text);
	return status;
}

static enum wh_status text_digests(struct db *db, int64_t tree, uint8_t *graph,
				   bool *has_graph, uint8_t *attributes,
				   bool *has_attributes, struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_VERIFY_TREE, &stmt, err));
	stmt_integer(stmt, 1, tree);
	WH_TRY(step_row(stmt, err));
	*has_graph = column_digest(stmt, 1, graph);
	*has_attributes = column_digest(stmt, 2, attributes);
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status check_tree(struct verification *all,
				 const struct snapshot_row *row,
				 const struct wh_manifest *manifest,
				 struct wh_error *err)
{
	uint8_t graph[WH_SHA256_SIZE], attributes[WH_SHA256_SIZE];
	uint8_t digest[WH_SHA256_SIZE];
	struct canonical_place *places;
	bool has_graph, has_attributes;
	struct wh_buf text = {0};
	enum wh_status status;

	WH_TRY(text_digests(all->db, row->tree_id, graph, &has_graph,
			    attributes, &has_attributes, err));
	places = calloc((size_t)manifest->n_layers + 1, sizeof(*places));
	if (!places)
		return wh_fail_memory(err);
	status = hash_layers(manifest, places, err);
	if (!status)
		status = canonical_tree(&text, has_graph ? graph : NULL,
					has_attributes ? attributes : NULL,
					places, manifest->n_layers, err);
	if (!status)
		status = sha256_of(text.data, text.size, digest, err);
	wh_buf_free(&text);
	free(places);
	if (!status && memcmp(digest, row->text.tree, sizeof(digest)) != 0)
		return wh_fail(err, WH_ECORRUPT,
			       "its layers are not those of its tree's id");
	return status;
}

static enum wh_status check_snapshot_rows(struct verification *all, int64_t id,
					  struct snapshot_row *row,
					  struct arena *arena,
					  struct wh_error *err)
{
	struct wh_source *source;
	enum wh_status status;

	WH_TRY(snapshot_load(all->db, id, arena, row, err));
	WH_TRY(check_text(row, err));
	WH_TRY(snapshot_open(all->db, id, &source, err));
	status = check_tree(all, row, &source->manifest, err);
	wh_source_close(source);
	return status;
}

static enum wh_status check_snapshot(struct verification *all, int64_t id,
				     struct wh_error *err)
{
	struct arena arena = {0};
	struct snapshot_row row = {0};
	struct wh_error found = {0};
	char hex[WH_ID_SIZE];
	enum wh_status status =
		check_snapshot_rows(all, id, &row, &arena, &found);

	if (status && !text_starts(found.message, "snapshot ")) {
		text_hex(row.sha256, sizeof(row.sha256), hex);
		wh_error_prefix(&found, "snapshot %.12s", hex);
	}
	all->result->n_snapshots++;
	arena_free(&arena);
	/* What gc takes while it is looked at is not damaged. */
	if (status && !verify_is_there(all->db, STMT_SNAPSHOT_THERE, id, 0))
		return WH_OK;
	status = verify_tell(all, status, &found);
	if (status && err)
		*err = found;
	return status;
}

static enum wh_status snapshots_after(struct verification *all, int64_t *ids,
				      size_t *n, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	*n = 0;
	WH_TRY(db_stmt(all->db, STMT_VERIFY_SNAPSHOTS_AFTER, &stmt, err));
	stmt_integer(stmt, 1, all->snapshot_at);
	while (*n < BATCH) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		ids[(*n)++] = column_integer(stmt, 0);
	}
	return WH_OK;
}

static enum wh_status check_snapshots(struct verification *all,
				      struct wh_error *err)
{
	int64_t ids[BATCH];
	size_t n, i;

	if (all->snapshot_id)
		return check_snapshot(all, all->snapshot_id, err);
	do {
		WH_TRY(snapshots_after(all, ids, &n, err));
		for (i = 0; i < n; i++) {
			if (verify_time_is_over(all))
				return WH_OK;
			WH_TRY(check_snapshot(all, ids[i], err));
			WH_TRY(verify_report(all, err));
			all->snapshot_at = ids[i];
		}
	} while (n);
	return WH_OK;
}

/* ---- The whole
 * -------------------------------------------------------------------- */

/* What is about to be read: of one snapshot, or all. */
static enum wh_status count_bytes(struct verification *all,
				  struct wh_error *err)
{
	const struct wh_verify_options *options = all->options;
	struct arena arena = {0};
	struct snapshot_row row;
	enum wh_status status;
	struct stmt *stmt;

	if (options->revision) {
		WH_TRY(revision_resolve(all->db, options->revision,
					&all->snapshot_id, err));
		status = snapshot_load(all->db, all->snapshot_id, &arena, &row,
				       err);
		all->total_bytes = status ? 0 : row.nbytes;
		arena_free(&arena);
		return status;
	}
	WH_TRY(db_stmt(all->db, STMT_USAGE_TOTAL, &stmt, err));
	WH_TRY(step_row(stmt, err));
	all->total_bytes = (uint64_t)column_integer(stmt, 0);
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status prepare(struct verification *all, struct wh_error *err)
{
	all->buffer = malloc((size_t)CHUNK_SIZE);
	if (!all->buffer)
		return wh_fail_memory(err);
	WH_TRY(sha256_new(&all->hash, err));
	WH_TRY(chunk_pool_new(all->db, &all->pool, err));
	WH_TRY(count_bytes(all, err));
	return verify_begin(all, err);
}

static enum wh_status run_verification(struct verification *all,
				       struct wh_error *err)
{
	/* One that goes on has seen these. */
	if (all->snapshot_at == 0 && all->tensor_at == 0)
		WH_TRY(run_checks(all, err));
	WH_TRY(check_snapshots(all, err));
	if (all->options->read_data && !verify_time_is_over(all))
		WH_TRY(verify_payloads(all, err));
	all->result->complete = !verify_time_is_over(all);
	if (all->options->n_repair_from)
		WH_TRY(verify_repair(all, err));
	return verify_tell_damage(all, err);
}

enum wh_status wh_verify(struct wh_store *store,
			 const struct wh_verify_options *options,
			 int (*fn)(void *arg, const char *sentence),
			 struct wh_verify_result *result, struct wh_error *err)
{
	static const struct wh_verify_options defaults;
	struct wh_verify_result counted = {0};
	struct verification all = {
		.db = store->db,
		.options = options ? options : &defaults,
		.fn = fn,
		.result = &counted,
		.chance = (uint64_t)ref_now() | 1,
	};
	enum wh_status status = prepare(&all, err);

	if (!status)
		status = run_verification(&all, err);
	if (!status)
		status = verify_end(&all, counted.complete, err);
	else if (status == WH_ECANCELLED)
		(void)verify_end(&all, false, NULL);
	chunk_pool_free(all.pool);
	sha256_free(all.hash);
	free(all.buffer);
	free(all.damaged);
	if (!status)
		*result = counted;
	return status;
}
