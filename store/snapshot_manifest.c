/* A stored snapshot's manifest, out of its rows. */
#include "snapshot_source.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/text.h"
#include "core/manifest.h"
#include "core/order.h"
#include "tensor.h"

#define MAX_TEXT_BYTES ((uint64_t)1 << 30) /* of a graph, a template */

/* A variable's row, before tensors have their order. */
struct draft {
	struct wh_variable variable;
	struct wh_tensor tensor;
	int64_t storage, tensor_id;
	uint32_t layer;
};

struct loading {
	struct snapshot_source *source;
	struct db *db;
	struct manifest_builder *builder;
	struct draft *drafts;
	uint32_t n_drafts, n_layers;
	size_t drafts_room, positions_room;
	int64_t *positions; /* of the layers in the tree */
	uint32_t *order; /* of the drafts, as tensors stand in the manifest */
	struct wh_graph *graph;
	struct wh_template *template_;
	struct wh_tensor skeleton; /* its digests */
};

static enum wh_status bad_row(const char *what, struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT, "a row of a %s is damaged", what);
}

static enum wh_status rows_are_gone(struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT, "layers or weights are gone");
}

static enum wh_status copy_column(struct arena *arena, struct stmt *stmt,
				  int column, const char **out,
				  struct wh_error *err)
{
	const char *text = column_text(stmt, column);

	*out = text ? arena_strdup(arena, text) : NULL;
	return text && !*out ? wh_fail_memory(err) : WH_OK;
}

static enum wh_status read_tensor_columns(struct loading *loading,
					  struct stmt *stmt,
					  struct draft *draft,
					  struct wh_error *err)
{
	struct wh_tensor *tensor = &draft->tensor;
	const char *dtype = column_text(stmt, 9);
	const char *shape = column_text(stmt, 10);

	draft->tensor_id = column_integer(stmt, 7);
	if (!column_digest(stmt, 8, tensor->sha256) || !dtype || !shape)
		return bad_row("tensor", err);
	tensor->dtype = wh_dtype_from_name(dtype);
	if (tensor->dtype == WH_DTYPE_NONE)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "a tensor of dtype '%s' was written by a newer "
			       "version of weighhouse",
			       dtype);
	WH_TRY(tensor_parse_shape(shape, &loading->source->arena, &tensor->rank,
				  &tensor->shape, err));
	tensor->nbytes = (uint64_t)column_integer(stmt, 11);
	tensor->crc32c = (uint32_t)column_integer(stmt, 12);
	tensor->crc32 = (uint32_t)column_integer(stmt, 13);
	tensor->weighed = WH_SHA256 | WH_CRC32C | WH_CRC32;
	draft->storage = column_integer(stmt, 14);
	tensor_statistics_columns(stmt, 19, tensor);
	return WH_OK;
}

static enum wh_status check_storage(struct stmt *stmt,
				    const struct draft *draft,
				    struct wh_error *err)
{
	enum wh_status status = storage_check_columns(
		stmt, 15, draft->storage, draft->tensor.nbytes, err);

	if (status)
		wh_error_prefix(err, "tensor '%s'", draft->tensor.key);
	return status;
}

static enum wh_status read_variable(struct loading *loading, struct stmt *stmt,
				    struct draft *draft, struct wh_error *err)
{
	struct arena *arena = &loading->source->arena;
	struct wh_variable *variable = &draft->variable;
	int64_t role = column_integer(stmt, 5);
	int64_t trainable = column_integer(stmt, 6);

	WH_TRY(copy_column(arena, stmt, 1, &variable->name, err));
	WH_TRY(copy_column(arena, stmt, 2, &draft->tensor.key, err));
	WH_TRY(copy_column(arena, stmt, 3, &variable->object_path, err));
	WH_TRY(copy_column(arena, stmt, 4, &variable->keras3_path, err));
	if (!variable->name || !draft->tensor.key || role < 0 ||
	    role > WH_ROLE_OTHER || trainable < 0 ||
	    trainable > WH_TRAINABLE_NO)
		return bad_row("variable", err);
	variable->role = (enum wh_role)role;
	variable->trainable = (enum wh_trainable)trainable;
	WH_TRY(read_tensor_columns(loading, stmt, draft, err));
	return check_storage(stmt, draft, err);
}

static enum wh_status add_draft(struct loading *loading, struct draft **out,
				struct wh_error *err)
{
	WH_TRY(array_grow(&loading->drafts, loading->n_drafts,
			  &loading->drafts_room, sizeof(*loading->drafts),
			  err));
	*out = &loading->drafts[loading->n_drafts++];
	memset(*out, 0, sizeof(**out));
	return WH_OK;
}

static enum wh_status read_layer(struct loading *loading, struct stmt *stmt,
				 struct wh_error *err)
{
	uint32_t container = WH_NO_LAYER;
	int64_t kind = column_integer(stmt, 4);
	const char *name = column_text(stmt, 2);

	if (!name || kind < 0 || kind > WH_LAYER_STATE)
		return bad_row("layer", err);
	if (!column_is_null(stmt, 1)) {
		int64_t value = column_integer(stmt, 1);

		/* The enclosing layer comes first. */
		if (value < 0 || value >= loading->n_layers)
			return bad_row("layer", err);
		container = (uint32_t)value;
	}
	WH_TRY(manifest_add_layer(loading->builder, name, column_text(stmt, 3),
				  (enum wh_layer_kind)kind, container, NULL,
				  err));
	WH_TRY(array_grow(&loading->positions, loading->n_layers,
			  &loading->positions_room, sizeof(*loading->positions),
			  err));
	loading->positions[loading->n_layers++] = column_integer(stmt, 5);
	return WH_OK;
}

static enum wh_status read_layers(struct loading *loading, int64_t tree,
				  struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(loading->db, STMT_TREE_LAYERS, &stmt, err));
	stmt_integer(stmt, 1, tree);
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(read_layer(loading, stmt, err));
	}
	return WH_OK;
}

/* Both come in the order of positions. */
static enum wh_status read_variables(struct loading *loading, int64_t tree,
				     struct wh_error *err)
{
	struct draft *draft = NULL;
	AUTO_STMT *stmt = NULL;
	uint32_t layer = 0;
	bool row;

	WH_TRY(db_stmt(loading->db, STMT_TREE_VARIABLES, &stmt, err));
	stmt_integer(stmt, 1, tree);
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			return WH_OK;
		while (layer < loading->n_layers &&
		       loading->positions[layer] < column_integer(stmt, 0))
			layer++;
		if (layer == loading->n_layers ||
		    loading->positions[layer] != column_integer(stmt, 0))
			return rows_are_gone(err);
		if (loading->n_drafts >= WH_MAX_TENSORS)
			return wh_fail(err, WH_ECORRUPT, "too many tensors");
		WH_TRY(add_draft(loading, &draft, err));
		draft->layer = layer;
		WH_TRY(read_variable(loading, stmt, draft, err));
	}
}

/* ---- Texts
 * ---------------------------------------------------------------------- */

static enum wh_status read_text(struct loading *loading, int64_t tensor_id,
				struct wh_buf *text, struct wh_error *err)
{
	uint64_t nbytes;
	int64_t storage;

	WH_TRY(tensor_locate(loading->db, tensor_id, &storage, &nbytes, err));
	if (nbytes > MAX_TEXT_BYTES)
		return wh_fail(err, WH_ECORRUPT, "a stored text is too large");
	WH_TRY(storage_check(loading->db, storage, nbytes, err));
	WH_TRY(wh_buf_reserve(text, (size_t)nbytes, err));
	WH_TRY(chunk_pool_read(loading->source->pool, storage, nbytes, 0,
			       text->data, (size_t)nbytes, err));
	text->size = (size_t)nbytes;
	return WH_OK;
}

static enum wh_status parse_attributes(struct loading *loading,
				       const struct wh_buf *text,
				       struct wh_error *err)
{
	struct wh_attribute *attributes;
	uint32_t i, n;

	WH_TRY(canonical_read_attributes((const char *)text->data, text->size,
					 &loading->source->arena, &attributes,
					 &n, err));
	for (i = 0; i < n; i++)
		WH_TRY(manifest_add_attribute(loading->builder, &attributes[i],
					      err));
	return WH_OK;
}

static enum wh_status read_tree_texts(struct loading *loading, int64_t tree,
				      struct wh_error *err)
{
	struct wh_buf graph = {0}, attributes = {0};
	int64_t graph_id, attributes_id;
	enum wh_status status = WH_OK;
	struct stmt *stmt;

	WH_TRY(db_stmt(loading->db, STMT_TREE_GET, &stmt, err));
	stmt_integer(stmt, 1, tree);
	WH_TRY(step_row(stmt, err));
	graph_id = column_integer(stmt, 0);
	attributes_id = column_integer(stmt, 1);
	stmt_reset(stmt);
	if (graph_id)
		status = read_text(loading, graph_id, &graph, err);
	if (graph_id && !status)
		status = canonical_read_graph(
			(const char *)graph.data, graph.size,
			&loading->source->arena, &loading->graph, err);
	if (attributes_id && !status)
		status = read_text(loading, attributes_id, &attributes, err);
	if (attributes_id && !status)
		status = parse_attributes(loading, &attributes, err);
	wh_buf_free(&graph);
	wh_buf_free(&attributes);
	return status;
}

/* ---- Order
 * ------------------------------------------------------------------------ */

static enum wh_status choose_order(struct loading *loading,
				   struct wh_error *err)
{
	uint32_t i, n = loading->n_drafts;
	const char **keys wh_free_auto = calloc(n + 1u, sizeof(*keys));

	loading->order = calloc(n + 1u, sizeof(*loading->order));
	if (!loading->order || !keys)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++)
		keys[i] = loading->drafts[i].tensor.key;
	return order_keys(keys, n, loading->graph, loading->order, err);
}

static enum wh_status add_tensors(struct loading *loading, struct wh_error *err)
{
	struct snapshot_source *source = loading->source;
	uint32_t i, index;

	source->places =
		calloc(loading->n_drafts + 1u, sizeof(*source->places));
	if (!source->places)
		return wh_fail_memory(err);
	for (i = 0; i < loading->n_drafts; i++) {
		struct draft *draft = &loading->drafts[loading->order[i]];
		struct wh_tensor *tensor = &draft->tensor;

		WH_TRY(manifest_add_tensor(loading->builder, tensor->key,
					   tensor->dtype, tensor->rank,
					   tensor->shape, tensor->nbytes,
					   &index, err));
		draft->variable.tensor = index;
		source->places[index].tensor = draft->tensor_id;
		source->places[index].storage = draft->storage;
	}
	for (i = 0; i < loading->n_drafts; i++)
		WH_TRY(manifest_add_variable(
			loading->builder, loading->drafts[i].layer,
			&loading->drafts[i].variable, err));
	return WH_OK;
}

/* ---- Template
 * ---------------------------------------------------------------------- */

static enum wh_status parse_template(struct loading *loading, int64_t text_id,
				     struct wh_error *err)
{
	struct wh_buf text = {0};
	enum wh_status status = read_text(loading, text_id, &text, err);

	if (!status)
		status = canonical_read_template(
			(const char *)text.data, text.size, loading->n_drafts,
			&loading->source->arena, &loading->template_, err);
	wh_buf_free(&text);
	return status;
}

static enum wh_status read_digests(struct loading *loading, int64_t tensor_id,
				   struct wh_tensor *tensor,
				   struct wh_error *err)
{
	struct stmt *stmt;
	bool good;

	WH_TRY(db_stmt(loading->db, STMT_TENSOR_GET, &stmt, err));
	stmt_integer(stmt, 1, tensor_id);
	WH_TRY(step_row(stmt, err));
	good = column_digest(stmt, 0, tensor->sha256);
	tensor->crc32c = (uint32_t)column_integer(stmt, 4);
	tensor->crc32 = (uint32_t)column_integer(stmt, 5);
	tensor->weighed = WH_SHA256 | WH_CRC32C | WH_CRC32;
	stmt_reset(stmt);
	return good ? WH_OK : bad_row("tensor", err);
}

static enum wh_status add_skeleton(struct loading *loading, int64_t skeleton_id,
				   struct wh_error *err)
{
	struct place *place;
	int64_t storage;
	uint64_t nbytes;
	uint32_t index;

	place = &loading->source->places[loading->n_drafts];
	WH_TRY(tensor_locate(loading->db, skeleton_id, &storage, &nbytes, err));
	WH_TRY(storage_check(loading->db, storage, nbytes, err));
	WH_TRY(read_digests(loading, skeleton_id, &loading->skeleton, err));
	place->tensor = skeleton_id;
	place->storage = storage;
	WH_TRY(manifest_add_skeleton(loading->builder, nbytes, &index, err));
	loading->template_->skeleton = index;
	return WH_OK;
}

static enum wh_status read_template(struct loading *loading, int64_t id,
				    struct wh_error *err)
{
	int64_t text_id, skeleton_id;
	struct stmt *stmt;

	if (!id)
		return WH_OK;
	WH_TRY(db_stmt(loading->db, STMT_TEMPLATE_GET, &stmt, err));
	stmt_integer(stmt, 1, id);
	WH_TRY(step_row(stmt, err));
	text_id = column_integer(stmt, 1);
	skeleton_id = column_integer(stmt, 2);
	stmt_reset(stmt);
	WH_TRY(parse_template(loading, text_id, err));
	if ((loading->template_->skeleton != WH_LITERAL) != (skeleton_id != 0))
		return bad_row("template", err);
	return skeleton_id ? add_skeleton(loading, skeleton_id, err) : WH_OK;
}

/* Extents of a hostile store must lie in the payloads that they name. */
static enum wh_status check_extents(const struct wh_manifest *manifest,
				    struct wh_error *err)
{
	const struct wh_template *template_ = manifest->template_;
	uint32_t i, k;

	for (i = 0; i < template_->n_files; i++)
		for (k = 0; k < template_->files[i].n_extents; k++) {
			const struct wh_extent *at =
				&template_->files[i].extents[k];
			uint32_t n = manifest->n_tensors + manifest->n_hidden;

			if (at->tensor >= n || at->run > at->stride ||
			    (at->stride && !at->run) ||
			    (!at->stride &&
			     (at->start >
				      manifest->tensors[at->tensor].nbytes ||
			      at->length >
				      manifest->tensors[at->tensor].nbytes -
					      at->start)))
				return bad_row("template", err);
		}
	return WH_OK;
}

/* ---- The whole
 * -------------------------------------------------------------------- */

static void copy_digests(const struct loading *loading,
			 struct wh_manifest *manifest)
{
	uint32_t i;

	for (i = 0; i < loading->n_drafts; i++)
		tensor_copy_sums(&manifest->tensors[i],
				 &loading->drafts[loading->order[i]].tensor);
	if (manifest->n_hidden)
		tensor_copy_sums(&manifest->tensors[manifest->n_tensors],
				 &loading->skeleton);
}

static enum wh_status load_manifest(struct loading *loading,
				    const struct snapshot_row *row,
				    struct wh_error *err)
{
	struct wh_manifest *manifest = &loading->source->base.manifest;

	WH_TRY(read_layers(loading, row->tree_id, err));
	WH_TRY(read_variables(loading, row->tree_id, err));
	/* Rows that are gone don't show in a join. */
	if (loading->n_drafts != row->n_tensors ||
	    loading->n_layers != row->n_layers)
		return rows_are_gone(err);
	WH_TRY(read_tree_texts(loading, row->tree_id, err));
	WH_TRY(choose_order(loading, err));
	WH_TRY(add_tensors(loading, err));
	WH_TRY(read_template(loading, row->template_id, err));
	WH_TRY(manifest_finish(loading->builder, manifest, err));
	copy_digests(loading, manifest);
	manifest->graph = loading->graph;
	manifest->template_ = loading->template_;
	manifest->origin_format = row->text.origin_format;
	manifest->origin_generator = row->text.origin_generator;
	return manifest->template_ ? check_extents(manifest, err) : WH_OK;
}

enum wh_status snapshot_source_load(struct snapshot_source *source, int64_t id,
				    struct wh_error *err)
{
	struct loading loading = {.source = source, .db = source->db};
	struct snapshot_row row;
	enum wh_status status;

	WH_TRY(snapshot_load(source->db, id, &source->arena, &row, err));
	text_hex(row.sha256, sizeof(row.sha256), source->id);
	WH_TRY(manifest_builder_new(&source->arena, &loading.builder, err));
	status = load_manifest(&loading, &row, err);
	if (status == WH_ECORRUPT)
		wh_error_prefix(err, "snapshot %.12s", source->id);
	manifest_builder_free(loading.builder);
	free(loading.positions);
	free(loading.drafts);
	free(loading.order);
	return status;
}
