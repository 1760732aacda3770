/* Is all of it still there, and as it was?
 *
 * From the outside in: SQLite's own check of its pages, the invariants of
 * checks.sql, the identity of every snapshot, tree and layer, and with
 * read_data the payload of every tensor.
 */
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/text.h"
#include "canonical.h"
#include "chunk.h"
#include "ref.h"
#include "snapshot.h"
#include "store.h"
#include "tensor.h"

#define PROGRESS_EACH ((uint64_t)8 << 20)

struct verification {
	struct db *db;
	struct chunk_pool *pool;
	struct sha256 *hash;
	uint8_t *buffer; /* CHUNK_SIZE */
	const struct wh_verify_options *options;
	int (*fn)(void *arg, const char *sentence);
	struct wh_verify_result *result;
	uint64_t total_bytes, reported;
	uint64_t chance; /* of the sample: a small generator's state */
};

static void tell(struct verification *all, const char *sentence)
{
	all->result->n_errors++;
	if (all->fn)
		all->fn(all->options->arg, sentence);
}

/* Damage is told and gone past; anything else ends the verification. */
static enum wh_status tell_damage(struct verification *all,
				  enum wh_status status,
				  const struct wh_error *err)
{
	if (status != WH_ECORRUPT && status != WH_EUNSUPPORTED)
		return status;
	tell(all, err->message);
	return WH_OK;
}

static int tell_row(void *arg, int n_columns, const char *const *names,
		    const struct wh_cell *cells)
{
	(void)names;
	if (cells && n_columns == 1 && cells[0].kind == WH_CELL_TEXT &&
	    strcmp(cells[0].text, "ok") != 0)
		tell(arg, cells[0].text);
	return 0;
}

static enum wh_status run_checks(struct verification *all, struct wh_error *err)
{
	struct wh_error found;
	enum wh_status status;
	int i;

	status = db_check_pages(all->db, tell_row, all, &found);
	WH_TRY(tell_damage(all, status, &found));
	for (i = 0; i < N_CHECKS; i++) {
		status = db_query(all->db, check_texts[i].text, tell_row, all,
				  &found);
		if (tell_damage(all, status, &found)) {
			if (err)
				*err = found;
			return status;
		}
	}
	return WH_OK;
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
	const void *bytes;
	size_t len;

	WH_TRY(db_stmt(db, STMT_VERIFY_TREE, &stmt, err));
	stmt_integer(stmt, 1, tree);
	WH_TRY(step_row(stmt, err));
	bytes = column_blob(stmt, 1, &len);
	*has_graph = bytes && len == WH_SHA256_SIZE;
	if (*has_graph)
		memcpy(graph, bytes, len);
	bytes = column_blob(stmt, 2, &len);
	*has_attributes = bytes && len == WH_SHA256_SIZE;
	if (*has_attributes)
		memcpy(attributes, bytes, len);
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
	struct wh_store store = {.db = all->db};
	struct wh_source *source;
	char hex[WH_ID_SIZE];
	enum wh_status status;

	WH_TRY(snapshot_load(all->db, id, arena, row, err));
	WH_TRY(check_text(row, err));
	text_hex(row->sha256, sizeof(row->sha256), hex);
	WH_TRY(wh_snapshot_open(&store, hex, &source, err));
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
	status = tell_damage(all, status, &found);
	if (status && err)
		*err = found;
	return status;
}

static enum wh_status check_snapshots(struct verification *all,
				      struct wh_error *err)
{
	int64_t *ids = NULL;
	size_t n = 0, room = 0, i;
	enum wh_status status = WH_OK;
	struct stmt *stmt;
	bool row;

	if (all->options->revision) {
		int64_t id;

		WH_TRY(revision_resolve(all->db, all->options->revision, &id,
					err));
		return check_snapshot(all, id, err);
	}
	WH_TRY(db_stmt(all->db, STMT_VERIFY_SNAPSHOTS, &stmt, err));
	while (!status) {
		status = stmt_step(stmt, &row, err);
		if (status || !row)
			break;
		if (n == room) {
			int64_t *moved;

			room = room ? 2 * room : 256;
			moved = realloc(ids, room * sizeof(*ids));
			if (!moved) {
				status = wh_fail_memory(err);
				break;
			}
			ids = moved;
		}
		ids[n++] = column_integer(stmt, 0);
	}
	stmt_reset(stmt);
	for (i = 0; i < n && !status; i++)
		status = check_snapshot(all, ids[i], err);
	free(ids);
	return status;
}

/* ---- Payloads
 * -------------------------------------------------------------------- */

struct stored {
	int64_t id, storage;
	uint64_t nbytes;
	uint8_t sha256[WH_SHA256_SIZE];
};

static enum wh_status report(struct verification *all, struct wh_error *err)
{
	const struct wh_verify_options *options = all->options;
	uint64_t done = all->result->checked_bytes;

	if (!options->progress || done - all->reported < PROGRESS_EACH)
		return WH_OK;
	all->reported = done;
	if (options->progress(options->arg, "reading", done, all->total_bytes))
		return WH_OK;
	return wh_fail(err, WH_ECANCELLED, "cancelled");
}

static enum wh_status hash_payload(struct verification *all,
				   const struct stored *tensor,
				   uint8_t digest[WH_SHA256_SIZE],
				   struct wh_error *err)
{
	uint64_t offset = 0;

	WH_TRY(storage_check(all->db, tensor->storage, tensor->nbytes, err));
	WH_TRY(sha256_reset(all->hash, err));
	while (offset < tensor->nbytes) {
		uint64_t left = tensor->nbytes - offset;
		size_t some = (size_t)(left < CHUNK_SIZE ? left : CHUNK_SIZE);

		WH_TRY(chunk_pool_read(all->pool, tensor->storage,
				       tensor->nbytes, offset, all->buffer,
				       some, err));
		WH_TRY(sha256_update(all->hash, all->buffer, some, err));
		all->result->checked_bytes += some;
		WH_TRY(report(all, err));
		offset += some;
	}
	return sha256_final(all->hash, digest, err);
}

/* Which snapshot, layer and weight a damaged tensor is, if any still is. */
static void name_owner(struct verification *all, const struct stored *tensor,
		       struct wh_error *found)
{
	char id[WH_ID_SIZE];
	const void *digest;
	struct stmt *stmt;
	size_t len;
	bool row;

	text_hex(tensor->sha256, sizeof(tensor->sha256), id);
	wh_error_prefix(found, "tensor %.12s", id);
	if (db_stmt(all->db, STMT_TENSOR_OWNER, &stmt, NULL))
		return;
	stmt_integer(stmt, 1, tensor->id);
	if (stmt_step(stmt, &row, NULL))
		return;
	digest = row ? column_blob(stmt, 0, &len) : NULL;
	if (digest && len == WH_SHA256_SIZE) {
		text_hex(digest, len, id);
		wh_error_prefix(found, "snapshot %.12s: layer '%s': '%s'", id,
				column_text(stmt, 1), column_text(stmt, 2));
	}
	stmt_reset(stmt);
}

static enum wh_status check_payload(struct verification *all,
				    const struct stored *tensor,
				    struct wh_error *err)
{
	uint8_t digest[WH_SHA256_SIZE];
	struct wh_error found = {0};
	enum wh_status status = hash_payload(all, tensor, digest, &found);

	all->result->n_tensors++;
	if (!status && memcmp(digest, tensor->sha256, sizeof(digest)) != 0)
		status = wh_fail(&found, WH_ECORRUPT,
				 "its payload is not of its SHA-256");
	if (status == WH_ECORRUPT || status == WH_EUNSUPPORTED)
		name_owner(all, tensor, &found);
	status = tell_damage(all, status, &found);
	if (status && err)
		*err = found;
	return status;
}

/* xorshift64*, Vigna 2016: a sample need not be unpredictable. */
static bool is_sampled(struct verification *all)
{
	double share = all->options->sample;

	if (!(share > 0 && share < 1))
		return true;
	all->chance ^= all->chance >> 12;
	all->chance ^= all->chance << 25;
	all->chance ^= all->chance >> 27;
	return (double)((all->chance * UINT64_C(2685821657736338717)) >> 11) *
		       0x1p-53 <
	       share;
}

static enum wh_status read_batch(struct verification *all, int64_t above,
				 struct stored *batch, size_t room, size_t *n,
				 struct wh_error *err)
{
	struct stmt *stmt;
	size_t len;
	bool row;

	*n = 0;
	WH_TRY(db_stmt(all->db, STMT_VERIFY_TENSORS, &stmt, err));
	stmt_integer(stmt, 1, above);
	while (*n < room) {
		struct stored *tensor = &batch[*n];
		const void *digest;

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		tensor->id = column_integer(stmt, 0);
		digest = column_blob(stmt, 1, &len);
		memset(tensor->sha256, 0, sizeof(tensor->sha256));
		if (digest && len == WH_SHA256_SIZE)
			memcpy(tensor->sha256, digest, len);
		tensor->nbytes = (uint64_t)column_integer(stmt, 4);
		tensor->storage = column_integer(stmt, 6);
		++*n;
	}
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status check_payloads(struct verification *all,
				     struct wh_error *err)
{
	struct stored batch[256];
	int64_t above = 0;
	size_t n, i;

	do {
		WH_TRY(read_batch(all, above, batch, 256, &n, err));
		for (i = 0; i < n; i++) {
			above = batch[i].id;
			if (is_sampled(all))
				WH_TRY(check_payload(all, &batch[i], err));
		}
	} while (n);
	return WH_OK;
}

/* ---- The whole
 * -------------------------------------------------------------------- */

static enum wh_status count_tensors(struct verification *all,
				    struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(all->db, STMT_USAGE_TOTAL, &stmt, err));
	WH_TRY(step_row(stmt, err));
	all->total_bytes = (uint64_t)column_integer(stmt, 0);
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status run_verification(struct verification *all,
				       struct wh_error *err)
{
	all->buffer = malloc((size_t)CHUNK_SIZE);
	if (!all->buffer)
		return wh_fail_memory(err);
	WH_TRY(sha256_new(&all->hash, err));
	WH_TRY(chunk_pool_new(all->db, &all->pool, err));
	WH_TRY(run_checks(all, err));
	WH_TRY(check_snapshots(all, err));
	if (!all->options->read_data)
		return WH_OK;
	WH_TRY(count_tensors(all, err));
	return check_payloads(all, err);
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
	enum wh_status status = run_verification(&all, err);

	chunk_pool_free(all.pool);
	sha256_free(all.hash);
	free(all.buffer);
	if (!status)
		*result = counted;
	return status;
}
