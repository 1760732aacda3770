/* Tensors that are weighed while they are stored, in one pass, and those that
 * are all but certain to be there.
 *
 * Whether the store has a tensor is known once all of it was read and hashed;
 * to read it again to store it costs as much as to copy it. So a large tensor
 * is stored at once where it is all but certain that it is new: in a store's
 * first commit, and where the first chunk is not that of the parent's tensor
 * of that name. If it turns out to be known after all, its chunks are taken
 * back. All others are weighed first.
 *
 * Where the first chunk is the parent's, the tensor is unchanged as a rule:
 * only its identity is found. If it is new after all, the rest is found when
 * it is read again to be stored.
 */
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "commit.h"
#include "core/name_map.h"
#include "core/scale.h"
#include "core/weigh.h"
#include "snapshot.h"
#include "tensor.h"

unsigned commit_needs(void)
{
	return WEIGH_COMMITTED;
}

/* ---- Which ----------------------------------------------------------------
 */

/* To ask for the parent's chunk takes longer than to weigh a small one. */
static bool is_candidate(const struct wh_tensor *tensor)
{
	return tensor->nbytes >= WEIGH_SMALL && !(tensor->weighed & WH_SHA256);
}

/* One chunk is read again sooner than taken back, and to read a tensor again
 * takes less than to hash it by itself, if it could be hashed with others. */
static bool may_be_eager(const struct wh_tensor *tensor,
			 const struct weigh_probe *probe)
{
	return is_candidate(tensor) && tensor->nbytes > SCALE_CHUNK &&
	       !probe->in_lanes;
}

static bool has_candidates(const struct wh_manifest *manifest)
{
	uint32_t i;

	for (i = 0; i < manifest->n_tensors; i++)
		if (is_candidate(&manifest->tensors[i]))
			return true;
	return false;
}

static enum wh_status list_candidates(const struct wh_manifest *manifest,
				      struct name_map *map,
				      struct wh_error *err)
{
	uint32_t i;
	bool added;

	for (i = 0; i < manifest->n_tensors; i++)
		if (is_candidate(&manifest->tensors[i]))
			WH_TRY(name_map_add(map, manifest->tensors[i].key, i,
					    &added, err));
	return WH_OK;
}

static void skip_all(const struct wh_manifest *manifest,
		     struct weigh_probe *probes)
{
	uint32_t i;

	for (i = 0; i < manifest->n_tensors; i++)
		probes[i].skip =
			may_be_eager(&manifest->tensors[i], &probes[i]);
}

/* The CRC-32C of the first chunk of a tensor of the parent. */
static enum wh_status read_first(struct db *db, int64_t storage,
				 const struct wh_tensor *tensor,
				 struct weigh_probe *probe,
				 struct wh_error *err)
{
	struct stmt *stmt;
	bool row;

	WH_TRY(db_stmt(db, STMT_CHUNK_HEAD, &stmt, err));
	stmt_integer(stmt, 1, storage << CHUNK_ID_BITS);
	WH_TRY(stmt_step(stmt, &row, err));
	if (row) {
		probe->has_first = true;
		probe->skips_unlike = may_be_eager(tensor, probe);
		probe->first_crc32c = (uint32_t)column_integer(stmt, 2);
	}
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status probe_tree(struct commit *commit, int64_t tree,
				 const struct name_map *map,
				 struct weigh_probe *probes,
				 struct wh_error *err)
{
	const struct wh_tensor *tensors = commit->source->manifest.tensors;
	struct db *db = commit->store->db;
	AUTO_STMT *stmt = NULL;
	uint32_t found;
	bool row;

	WH_TRY(db_stmt(db, STMT_TREE_STORAGES, &stmt, err));
	stmt_integer(stmt, 1, tree);
	for (;;) {
		const char *key;

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		key = column_text(stmt, 0);
		found = key ? name_map_find(map, key) : UINT32_MAX;
		if (found != UINT32_MAX)
			WH_TRY(read_first(db, column_integer(stmt, 3),
					  &tensors[found], &probes[found],
					  err));
	}
	return WH_OK;
}

static enum wh_status probe_parent(struct commit *commit,
				   struct weigh_probe *probes,
				   struct wh_error *err)
{
	struct db *db = commit->store->db;
	char branch[REF_NAME_SIZE];
	struct snapshot_row parent;
	struct name_map map = {0};
	enum wh_status status;
	int64_t tip, id;

	WH_TRY(commit_parent(db, commit->options, branch, &tip, &id, err));
	if (!id)
		return WH_OK;
	WH_TRY(snapshot_load(db, id, &commit->arena, &parent, err));
	status = list_candidates(&commit->source->manifest, &map, err);
	if (!status)
		status = probe_tree(commit, parent.tree_id, &map, probes, err);
	name_map_free(&map);
	return status;
}

static enum wh_status choose(struct commit *commit, struct weigh_probe *probes,
			     struct wh_error *err)
{
	struct db *db = commit->store->db;
	AUTO_TRANSACTION tx = {0};
	struct stmt *stmt;
	bool row;

	WH_TRY(transaction_read(&tx, db, err));
	WH_TRY(db_stmt(db, STMT_SNAPSHOT_ANY, &stmt, err));
	WH_TRY(stmt_step(stmt, &row, err));
	stmt_reset(stmt);
	if (row)
		return probe_parent(commit, probes, err);
	skip_all(&commit->source->manifest, probes);
	return WH_OK;
}

/* No more than what is read again to be coded into memory. */
static bool are_few(const struct wh_manifest *manifest,
		    const struct weigh_probe *probes)
{
	uint64_t total = 0;
	uint32_t i;

	for (i = 0; i < manifest->n_tensors; i++)
		if (probes[i].skip)
			total += manifest->tensors[i].nbytes;
	return total <= COMMIT_SMALL_TOTAL;
}

static enum wh_status weigh(struct commit *commit, struct wh_error *err)
{
	const struct wh_commit_options *options = commit->options;

	return weigh_unlike(commit->source, WEIGH_COMMITTED, options->threads,
			    options->progress, options->arg, commit->probes,
			    err);
}

enum wh_status commit_weigh(struct commit *commit, struct wh_error *err)
{
	const struct wh_manifest *manifest = &commit->source->manifest;
	uint32_t i;

	if (!has_candidates(manifest))
		return weigh(commit, err);
	commit->probes =
		calloc((size_t)manifest->n_tensors + manifest->n_hidden,
		       sizeof(*commit->probes));
	if (!commit->probes)
		return wh_fail_memory(err);
	WH_TRY(weigh_mark_lanes(commit->source, WEIGH_COMMITTED,
				commit->options->threads, commit->probes, err));
	WH_TRY(choose(commit, commit->probes, err));
	WH_TRY(weigh(commit, err));
	if (!are_few(manifest, commit->probes))
		return WH_OK;
	for (i = 0; i < manifest->n_tensors; i++)
		commit->probes[i].skip = commit->probes[i].has_first = false;
	return weigh(commit, err);
}

/* ---- Once it is known which it is ------------------------------------------
 */

/* The same payload under two names of the model. The item itself is none that
 * is stored yet. */
static bool has_double(const struct commit *commit, const struct item *item)
{
	uint32_t i;

	for (i = 0; i < commit->n_items; i++) {
		const struct item *other = &commit->items[i];

		if (other->stored && item_is_same(other, item))
			return true;
	}
	return false;
}

enum wh_status commit_settle(struct commit *commit, struct item *item,
			     bool *known, struct wh_error *err)
{
	struct db *db = commit->store->db;

	WH_TRY(tensor_find(db, item_tensor(item), &item->id, err));
	*known = item->id || has_double(commit, item);
	if (!*known)
		return WH_OK;
	WH_TRY(commit_take_back(db, item->storage, err));
	item->storage = 0;
	return WH_OK;
}

/* ---- What can't say whether it has changed --------------------------------
 */

static enum wh_status read_again(struct item *item, uint8_t *buf,
				 struct wh_error *err)
{
	const struct wh_tensor *tensor = item_tensor(item);
	uint64_t offset = 0;
	uint32_t crc = 0;

	while (offset < tensor->nbytes) {
		uint64_t left = tensor->nbytes - offset;
		size_t size = left < SCALE_CHUNK ? (size_t)left : SCALE_CHUNK;

		WH_TRY(wh_source_read(item->source, item->index, offset, buf,
				      size, err));
		crc = crc32c_update(crc, buf, size);
		offset += size;
	}
	if (crc == tensor->crc32c)
		return WH_OK;
	return wh_fail(err, WH_EMISMATCH,
		       "tensor '%s' changed while it was read", tensor->key);
}

enum wh_status commit_read_again(struct commit *commit, struct wh_error *err)
{
	enum wh_status status = WH_OK;
	uint8_t *buf;
	uint32_t i;

	if (!commit->any_eager || commit->source->ops->unchanged)
		return WH_OK;
	buf = malloc(SCALE_CHUNK);
	if (!buf)
		return wh_fail_memory(err);
	for (i = 0; i < commit->n_source_items && !status; i++)
		if (commit->probes[i].skip)
			status = read_again(&commit->items[i], buf, err);
	free(buf);
	return status;
}
