/* Which older version a tensor is coded against.
 *
 * The same tensor, by key, of the nearest ancestor that has it in this dtype
 * and shape; of one that only grew in its outermost dimension the chunks that
 * both have. A tensor of a key that none of them has follows the parent's whose
 * key differs in Keras's numbers alone (core/renumbered.h): a base of other
 * values costs nothing, as chunks that it doesn't help are coded without it.
 * Texts and skeletons follow those of the parent.
 *
 * Along a tensor's own versions the bases make skip-deltas: how many
 * differences a version is made of is said by its number alone (storage.c), and
 * its base is the newest version before it that is made of fewer. So none is
 * made of more than four, of more than eighteen in `dense`, few of them reach
 * far back, and every 64th version is whole. README.md has the figures.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "commit.h"
#include "core/name_map.h"
#include "core/renumbered.h"
#include "snapshot.h"
#include "tensor.h"

#define MAX_ANCESTORS 8 /* a tensor that was away for longer starts anew */
#define MAX_LOST      3 /* rounds with losses, before what is left is whole */

struct search {
	struct commit *commit;
	struct db *db;
	struct item **todo;
	uint32_t n_todo, n_left; /* tensors without a version before them yet */
	struct name_map wanted;	 /* key of a tensor -> place in `todo` */
};

/* ---- Along a tensor's versions --------------------------------------------
 */

/* `previous` is the storage of the version before. The base lies on its
 * chain. */
static enum wh_status choose_base(struct search *search, struct item *item,
				  int64_t previous, struct wh_error *err)
{
	struct storage_chain chain;
	unsigned link, generation;

	WH_TRY(storage_chain_get(search->db, previous, &chain, err));
	if (!storage_next_base(&chain, search->commit->effort == CODEC_DENSE,
			       &link, &generation))
		return WH_OK;
	item->base = chain.links[link].id;
	item->generation = generation;
	return WH_OK;
}

/* ---- Tensors --------------------------------------------------------------
 */

static bool is_comparable(const struct wh_tensor *tensor, const char *dtype,
			  uint32_t rank, const uint64_t *shape)
{
	uint32_t i;

	if (strcmp(wh_dtype_name(tensor->dtype), dtype) != 0 ||
	    tensor->rank != rank)
		return false;
	for (i = 1; i < rank; i++)
		if (tensor->shape[i] != shape[i])
			return false;
	return true;
}

/* The version before, if it is of the item's kind. */
static enum wh_status take_version(struct search *search, struct item *item,
				   const char *dtype, const char *shape_text,
				   int64_t storage, struct wh_error *err)
{
	const uint64_t *shape;
	uint32_t rank;

	WH_TRY(tensor_parse_shape(shape_text, &search->commit->arena, &rank,
				  &shape, err));
	if (item->has_version ||
	    !is_comparable(item_tensor(item), dtype, rank, shape))
		return WH_OK;
	item->has_version = true;
	search->n_left--;
	return choose_base(search, item, storage, err);
}

static enum wh_status consider(struct search *search, struct stmt *stmt,
			       struct wh_error *err)
{
	const char *key = column_text(stmt, 0);
	const char *dtype = column_text(stmt, 1), *text = column_text(stmt, 2);
	uint32_t found;

	found = key ? name_map_find(&search->wanted, key) : UINT32_MAX;
	if (found == UINT32_MAX || !dtype || !text)
		return WH_OK;
	return take_version(search, search->todo[found], dtype, text,
			    column_integer(stmt, 3), err);
}

static enum wh_status search_tree(struct search *search, int64_t tree,
				  struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(search->db, STMT_TREE_STORAGES, &stmt, err));
	stmt_integer(stmt, 1, tree);
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(consider(search, stmt, err));
	}
	return WH_OK;
}

static enum wh_status search_ancestors(struct search *search,
				       const struct snapshot_row *parent,
				       struct wh_error *err)
{
	struct snapshot_row row = *parent;
	int64_t id;
	int i;

	for (i = 0; i < MAX_ANCESTORS && search->n_left; i++) {
		WH_TRY(search_tree(search, row.tree_id, err));
		if (!row.text.parent)
			break;
		WH_TRY(snapshot_find(search->db, row.text.parent, &id, err));
		if (!id)
			break;
		WH_TRY(snapshot_load(search->db, id, &search->commit->arena,
				     &row, err));
	}
	return WH_OK;
}

static bool is_weight(const struct commit *commit, const struct item *item)
{
	return item->source == commit->source &&
	       item->index < commit->source->manifest.n_tensors;
}

static enum wh_status list_wanted(struct search *search, struct wh_error *err)
{
	const struct commit *commit = search->commit;
	uint32_t i;
	bool added;

	for (i = 0; i < search->n_todo; i++) {
		struct item *item = search->todo[i];

		item->base = 0;
		item->generation = 0;
		item->has_version = false;
		if (!is_weight(commit, item))
			continue;
		WH_TRY(name_map_add(&search->wanted, item_tensor(item)->key, i,
				    &added, err));
		search->n_left += added;
	}
	return WH_OK;
}

/* ---- Tensors of layers that Keras numbered anew ----------------------------
 */

/* The parent's tensors of keys that the new model lacks. */
struct former {
	struct name_map now; /* the new model's keys */
	bool *is_kept;	     /* of a new tensor: the parent has its key */
	struct arena arena;
	const char **keys;
	struct former_tensor {
		const char *dtype, *shape;
		int64_t storage;
	} * tensors; /* in the order of `keys` */
	size_t n, keys_room, room;
};

static void former_free(struct former *former)
{
	name_map_free(&former->now);
	free(former->is_kept);
	arena_free(&former->arena);
	free(former->keys);
	free(former->tensors);
}

static enum wh_status add_former(struct former *former, const char *key,
				 struct stmt *stmt, struct wh_error *err)
{
	const char *dtype = column_text(stmt, 1), *shape = column_text(stmt, 2);
	struct arena *arena = &former->arena;

	if (!dtype || !shape)
		return WH_OK;
	WH_TRY(array_grow(&former->keys, former->n, &former->keys_room,
			  sizeof(*former->keys), err));
	WH_TRY(array_grow(&former->tensors, former->n, &former->room,
			  sizeof(*former->tensors), err));
	former->keys[former->n] = arena_strdup(arena, key);
	former->tensors[former->n++] = (struct former_tensor){
		.dtype = arena_strdup(arena, dtype),
		.shape = arena_strdup(arena, shape),
		.storage = column_integer(stmt, 3)};
	return arena->failed ? wh_fail_memory(err) : WH_OK;
}

static enum wh_status list_now(struct former *former,
			       const struct wh_manifest *manifest,
			       struct wh_error *err)
{
	uint32_t i;
	bool added;

	former->is_kept = calloc((size_t)manifest->n_tensors + 1,
				 sizeof(*former->is_kept));
	if (!former->is_kept)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_tensors; i++)
		WH_TRY(name_map_add(&former->now, manifest->tensors[i].key, i,
				    &added, err));
	return WH_OK;
}

static enum wh_status list_former(struct former *former, struct db *db,
				  int64_t tree, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(db, STMT_TREE_STORAGES, &stmt, err));
	stmt_integer(stmt, 1, tree);
	for (;;) {
		const char *key;
		uint32_t found;

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		key = column_text(stmt, 0);
		found = key ? name_map_find(&former->now, key) : UINT32_MAX;
		if (found != UINT32_MAX)
			former->is_kept[found] = true;
		else if (key)
			WH_TRY(add_former(former, key, stmt, err));
	}
	return WH_OK;
}

/* versions[i]: which of the parent's the new model's tensor i follows. */
static enum wh_status pair_former(const struct former *former,
				  const struct wh_manifest *manifest,
				  uint32_t *versions, struct wh_error *err)
{
	size_t room = (size_t)manifest->n_tensors + 1;
	const char **keys wh_free_auto = calloc(room, sizeof(*keys));
	uint32_t *pair wh_free_auto = calloc(room, sizeof(*pair));
	uint32_t i, n = 0;

	if (!keys || !pair)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_tensors; i++)
		if (!former->is_kept[i])
			keys[n++] = manifest->tensors[i].key;
	WH_TRY(renumbered_pair(former->keys, (uint32_t)former->n, keys, n, pair,
			       err));
	for (i = n = 0; i < manifest->n_tensors; i++)
		versions[i] = former->is_kept[i] ? UINT32_MAX : pair[n++];
	return WH_OK;
}

static enum wh_status follow_former(struct search *search,
				    const struct former *former,
				    struct wh_error *err)
{
	const struct commit *commit = search->commit;
	const struct wh_manifest *manifest = &commit->source->manifest;
	uint32_t *versions wh_free_auto =
		calloc((size_t)manifest->n_tensors + 1, sizeof(*versions));
	uint32_t i;

	if (!versions)
		return wh_fail_memory(err);
	WH_TRY(pair_former(former, manifest, versions, err));
	for (i = 0; i < search->n_todo; i++) {
		struct item *item = search->todo[i];
		const struct former_tensor *tensor;

		if (!is_weight(commit, item) ||
		    versions[item->index] == UINT32_MAX)
			continue;
		tensor = &former->tensors[versions[item->index]];
		WH_TRY(take_version(search, item, tensor->dtype, tensor->shape,
				    tensor->storage, err));
	}
	return WH_OK;
}

static enum wh_status search_renumbered(struct search *search, int64_t tree,
					struct wh_error *err)
{
	__attribute__((cleanup(former_free))) struct former former = {.n = 0};

	if (!search->n_left)
		return WH_OK;
	WH_TRY(list_now(&former, &search->commit->source->manifest, err));
	WH_TRY(list_former(&former, search->db, tree, err));
	return former.n ? follow_former(search, &former, err) : WH_OK;
}

/* ---- Texts and skeletons --------------------------------------------------
 */

static enum wh_status follow(struct search *search, uint32_t index,
			     int64_t tensor, struct wh_error *err)
{
	struct item *item;
	int64_t storage;
	uint64_t nbytes;

	if (index == UINT32_MAX || !tensor)
		return WH_OK;
	item = &search->commit->items[index];
	if (item->id || item->stored)
		return WH_OK;
	WH_TRY(tensor_locate(search->db, tensor, &storage, &nbytes, err));
	return nbytes ? choose_base(search, item, storage, err) : WH_OK;
}

static enum wh_status follow_tree(struct search *search, int64_t tree,
				  struct wh_error *err)
{
	const uint32_t *items = search->commit->text_item;
	int64_t graph, attributes;
	struct stmt *stmt;

	WH_TRY(db_stmt(search->db, STMT_TREE_GET, &stmt, err));
	stmt_integer(stmt, 1, tree);
	WH_TRY(step_row(stmt, err));
	graph = column_integer(stmt, 0);
	attributes = column_integer(stmt, 1);
	stmt_reset(stmt);
	WH_TRY(follow(search, items[TEXT_GRAPH], graph, err));
	return follow(search, items[TEXT_ATTRIBUTES], attributes, err);
}

static enum wh_status follow_template(struct search *search,
				      const struct snapshot_row *parent,
				      struct wh_error *err)
{
	const struct wh_template *own =
		search->commit->source->manifest.template_;
	int64_t text, skeleton;
	struct stmt *stmt;

	if (!own || !parent->template_id || !parent->text.template_format ||
	    strcmp(own->format, parent->text.template_format) != 0)
		return WH_OK;
	WH_TRY(db_stmt(search->db, STMT_TEMPLATE_GET, &stmt, err));
	stmt_integer(stmt, 1, parent->template_id);
	WH_TRY(step_row(stmt, err));
	text = column_integer(stmt, 1);
	skeleton = column_integer(stmt, 2);
	stmt_reset(stmt);
	WH_TRY(follow(search, search->commit->text_item[TEXT_TEMPLATE], text,
		      err));
	return follow(search,
		      own->skeleton == WH_LITERAL ? UINT32_MAX : own->skeleton,
		      skeleton, err);
}

/* ---- The whole ------------------------------------------------------------
 */

static enum wh_status run_search(struct search *search, struct wh_error *err)
{
	struct commit *commit = search->commit;
	char branch[REF_NAME_SIZE];
	struct snapshot_row parent;
	int64_t tip, id;

	WH_TRY(commit_parent(search->db, commit->options, branch, &tip, &id,
			     err));
	if (!id)
		return WH_OK;
	WH_TRY(snapshot_load(search->db, id, &commit->arena, &parent, err));
	WH_TRY(search_ancestors(search, &parent, err));
	WH_TRY(search_renumbered(search, parent.tree_id, err));
	WH_TRY(follow_tree(search, parent.tree_id, err));
	return follow_template(search, &parent, err);
}

enum wh_status commit_choose_bases(struct commit *commit, struct item **todo,
				   uint32_t n_todo, struct wh_error *err)
{
	struct search search = {.commit = commit,
				.db = commit->store->db,
				.todo = todo,
				.n_todo = n_todo};
	AUTO_TRANSACTION tx = {0};
	enum wh_status status;

	if (n_todo == 0)
		return WH_OK;
	status = list_wanted(&search, err);
	if (!status && commit->effort != CODEC_NONE &&
	    commit->n_lost < MAX_LOST) {
		status = transaction_read(&tx, search.db, err);
		if (!status)
			status = run_search(&search, err);
	}
	name_map_free(&search.wanted);
	return status;
}

/* gc takes a tensor's row first, then its storage's chunks in as many turns as
 * they need: what nothing names may lack some already. */
enum wh_status commit_base_is_there(struct db *db, const struct item *item,
				    bool *there, struct wh_error *err)
{
	*there = true;
	if (!item->base)
		return WH_OK;
	return storage_is_named(db, item->base, there, err);
}
