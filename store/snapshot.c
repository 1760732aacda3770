/* A stored snapshot as a source. */
#include "snapshot_source.h"

#include <stdlib.h>

#include "base/auto.h"
#include "store.h"

static void close_source(struct wh_source *base)
{
	struct snapshot_source *source = (struct snapshot_source *)base;

	chunk_pool_free(source->pool);
	arena_free(&source->arena);
	free(source->places);
	free(source);
}

static void snapshot_source_free(struct snapshot_source *source)
{
	if (source)
		close_source(&source->base);
}

WH_DEFINE_AUTO(snapshot_source, snapshot_source_free);

static void name_place(const struct snapshot_source *source, uint32_t index,
		       struct wh_error *err)
{
	const struct wh_manifest *manifest = &source->base.manifest;
	const struct wh_layer *layer;
	const struct wh_variable *variable;

	if (wh_manifest_owner(manifest, index, &layer, &variable))
		wh_error_prefix(err, "snapshot %.12s: layer '%s': tensor '%s'",
				source->id, layer->name, variable->name);
	else
		wh_error_prefix(err, "snapshot %.12s: template", source->id);
}

static enum wh_status read_tensor(struct wh_source *base, uint32_t index,
				  uint64_t offset, void *buf, size_t len,
				  struct wh_error *err)
{
	struct snapshot_source *source = (struct snapshot_source *)base;
	uint64_t nbytes = base->manifest.tensors[index].nbytes;
	struct place *place = &source->places[index];
	int64_t storage = place->storage, now;
	enum wh_status status;

	status = chunk_pool_read(source->pool, storage, nbytes, offset, buf,
				 len, err);
	if (status == WH_ECORRUPT &&
	    !chunk_pool_locate(source->pool, place->tensor, &now, NULL) &&
	    now != storage) {
		place->storage = now;
		status = chunk_pool_read(source->pool, now, nbytes, offset, buf,
					 len, err);
	}
	if (status == WH_ECORRUPT || status == WH_EUNSUPPORTED)
		name_place(source, index, err);
	return status;
}

static const struct wh_source_ops ops = {
	.read = read_tensor,
	.close = close_source,
	.concurrent = true,
};

/* ---- Opening ---------------------------------------------------------------
 */

/* By a revision, or with NULL by its row. */
static enum wh_status load_source(struct snapshot_source *source,
				  const char *revision, int64_t id,
				  struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};

	WH_TRY(transaction_read(&tx, source->db, err));
	if (revision)
		WH_TRY(revision_resolve(source->db, revision, &id, err));
	return snapshot_source_load(source, id, err);
}

static enum wh_status open_snapshot(struct db *db, const char *revision,
				    int64_t id, struct wh_source **out,
				    struct wh_error *err)
{
	wh_auto(snapshot_source) source = calloc(1, sizeof(*source));

	if (!source)
		return wh_fail_memory(err);
	source->base.ops = &ops;
	source->db = db;
	WH_TRY(chunk_pool_new(db, &source->pool, err));
	WH_TRY(load_source(source, revision, id, err));
	*out = &source->base;
	(void)wh_steal(&source);
	return WH_OK;
}

enum wh_status wh_snapshot_open(struct wh_store *store, const char *revision,
				struct wh_source **out, struct wh_error *err)
{
	return open_snapshot(store->db, revision ? revision : "HEAD", 0, out,
			     err);
}

enum wh_status snapshot_open(struct db *db, int64_t id, struct wh_source **out,
			     struct wh_error *err)
{
	return open_snapshot(db, NULL, id, out, err);
}

enum wh_status wh_tensor_read(struct wh_store *store, const char *revision,
			      const char *tensor, uint64_t offset, void *buf,
			      size_t len, struct wh_error *err)
{
	struct wh_source *source;
	enum wh_status status;
	uint32_t index;

	WH_TRY(wh_snapshot_open(store, revision, &source, err));
	status = wh_manifest_find(&source->manifest, tensor, &index, err);
	if (!status)
		status = wh_source_read(source, index, offset, buf, len, err);
	wh_source_close(source);
	return status;
}
