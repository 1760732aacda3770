/* What a snapshot is of: the rows of its tensors, layers, tree and template.
 *
 * Of many the rows of a table go in by one statement, in the order in which
 * tables name each other.
 */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/sha256.h"
#include "canonical.h"
#include "commit.h"
#include "tensor.h"

/* Those of this commit that have no row yet. Somebody else may have stored the
 * same meanwhile. */
static enum wh_status list_new(struct content *content,
			       struct new_tensor *added, uint32_t *n,
			       struct wh_error *err)
{
	struct commit *commit = content->commit;
	uint32_t i;

	for (i = 0; i < commit->n_items; i++) {
		struct item *item = &commit->items[i];

		if (!item->stored && !item->waits)
			continue;
		item->id = 0;
		if (!content->unchanged)
			WH_TRY(tensor_find(content->db, item_tensor(item),
					   &item->id, err));
		if (!item->id)
			added[(*n)++] = (struct new_tensor){
				.tensor = item_tensor(item),
				.storage = item->storage,
			};
	}
	return WH_OK;
}

static enum wh_status insert_new(struct content *content,
				 struct new_tensor *added, struct wh_error *err)
{
	struct commit *commit = content->commit;
	uint32_t i, n = 0, at = 0;

	WH_TRY(list_new(content, added, &n, err));
	WH_TRY(tensor_insert(content->db, added, n, err));
	for (i = 0; i < commit->n_items; i++) {
		struct item *item = &commit->items[i];

		if ((item->stored || item->waits) && !item->id)
			item->id = added[at++].id;
	}
	return WH_OK;
}

/* First those that were stored, so that their doubles find the row. */
static enum wh_status put_tensors(struct content *content, bool *again,
				  struct wh_error *err)
{
	struct commit *commit = content->commit;
	struct new_tensor *added wh_free_auto =
		calloc((size_t)commit->n_items + 1, sizeof(*added));
	uint32_t i;

	if (!added)
		return wh_fail_memory(err);
	WH_TRY(insert_new(content, added, err));
	for (i = 0; i < commit->n_items && !*again; i++) {
		struct item *item = &commit->items[i];

		if (item->stored || item->waits || item->id < 0 ||
		    (item->id && content->unchanged))
			continue;
		WH_TRY(tensor_find(content->db, item_tensor(item), &item->id,
				   err));
		*again = item->id == 0;
	}
	return WH_OK;
}

static enum wh_status find_digest(struct db *db, enum statement which,
				  const uint8_t *sha256, int64_t *id,
				  struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, which, &stmt, err));
	stmt_blob(stmt, 1, sha256, WH_SHA256_SIZE);
	return step_id(stmt, id, err);
}

/* Layers, or variables of layers, as rows. */
struct layer_rows {
	const struct content *content;
	const uint32_t *layers; /* which of the model's; NULL: all */
	uint32_t at, position;	/* the layer, and its variable, to come */
};

/* The variable to come, and which layer it is of. */
static const struct wh_variable *next_variable(struct layer_rows *rows,
					       uint32_t *layer)
{
	const struct wh_layer *layers =
		rows->content->commit->source->manifest.layers;

	for (;;) {
		*layer = rows->layers ? rows->layers[rows->at] : rows->at;
		if (rows->position < layers[*layer].n_variables)
			return &layers[*layer].variables[rows->position++];
		rows->at++;
		rows->position = 0;
	}
}

static bool fill_variable(void *arg, uint32_t i, struct row *row)
{
	struct layer_rows *rows = arg;
	const struct commit *commit = rows->content->commit;
	uint32_t layer;
	const struct wh_variable *variable = next_variable(rows, &layer);
	const struct item *item = &commit->items[variable->tensor];

	(void)i;
	row_integer(row, 1, commit->layers[layer].id);
	row_integer(row, 2, rows->position - 1);
	row_text(row, 3, variable->name);
	row_text(row, 4, item_tensor(item)->key);
	row_text(row, 5, variable->object_path);
	row_text(row, 6, variable->keras3_path);
	row_integer(row, 7, variable->role);
	row_integer(row, 8, variable->trainable);
	row_integer(row, 9, item->id);
	return true;
}

static bool fill_layer(void *arg, uint32_t i, struct row *row)
{
	const struct layer_rows *rows = arg;
	const struct commit *commit = rows->content->commit;
	const struct wh_manifest *manifest = &commit->source->manifest;
	const struct wh_layer *layer = &manifest->layers[rows->layers[i]];
	const struct layer_identity *identity =
		&commit->layers[rows->layers[i]];
	uint64_t nbytes = 0;
	uint32_t k;

	for (k = 0; k < layer->n_variables; k++)
		nbytes += manifest->tensors[layer->variables[k].tensor].nbytes;
	row_integer(row, 1, identity->id);
	row_blob(row, 2, identity->sha256, sizeof(identity->sha256));
	row_text(row, 3, layer->name);
	row_text(row, 4, layer->class_name);
	row_integer(row, 5, layer->kind);
	row_integer(row, 6, (int64_t)nbytes);
	return true;
}

/* No two of them are the same. */
static enum wh_status insert_layers(struct content *content,
				    const uint32_t *layers, uint32_t n,
				    struct wh_error *err)
{
	const struct wh_manifest *manifest = &content->commit->source->manifest;
	struct layer_rows from = {.content = content, .layers = layers};
	struct rows rows = {.n = n, .fill = fill_layer, .arg = &from};
	struct stmt *stmt;
	int64_t first;
	uint32_t i;

	if (!n)
		return WH_OK;
	WH_TRY(db_stmt(content->db, STMT_LAYER_LAST, &stmt, err));
	WH_TRY(step_next_id(stmt, n, &first, err));
	for (i = 0; i < n; i++)
		content->commit->layers[layers[i]].id = first + i;
	WH_TRY(db_stmt(content->db, STMT_LAYER_INSERT, &stmt, err));
	WH_TRY(step_rows(stmt, &rows, err));
	rows = (struct rows){.fill = fill_variable, .arg = &from};
	for (i = 0; i < n; i++)
		rows.n += manifest->layers[layers[i]].n_variables;
	WH_TRY(db_stmt(content->db, STMT_VARIABLE_INSERT, &stmt, err));
	return step_rows(stmt, &rows, err);
}

static bool has_variables(const struct content *content, uint32_t index)
{
	return content->commit->source->manifest.layers[index].n_variables > 0;
}

/* A layer that was known may be gone, and one that wasn't may be there now; so
 * may one without variables, under another name of its own. Those that must go
 * in are put into `added`, but these. */
static enum wh_status put_layer(struct content *content, uint32_t index,
				uint32_t *added, uint32_t *n, bool *again,
				struct wh_error *err)
{
	struct layer_identity *layer = &content->commit->layers[index];
	bool known = layer->id != 0, alone = !has_variables(content, index);

	if (!content->unchanged || (!known && alone))
		WH_TRY(find_digest(content->db, STMT_LAYER_FIND, layer->sha256,
				   &layer->id, err));
	if (layer->id)
		return WH_OK;
	*again = known;
	if (known)
		return WH_OK;
	if (alone)
		return insert_layers(content, &index, 1, err);
	added[(*n)++] = index;
	return WH_OK;
}

/* Those with variables, or those without. */
static enum wh_status put_some(struct content *content, bool with,
			       uint32_t *added, bool *again,
			       struct wh_error *err)
{
	uint32_t n_layers = content->commit->source->manifest.n_layers;
	uint32_t i, n = 0;

	for (i = 0; i < n_layers && !*again; i++)
		if (has_variables(content, i) == with)
			WH_TRY(put_layer(content, i, added, &n, again, err));
	return *again ? WH_OK : insert_layers(content, added, n, err);
}

static enum wh_status put_layers(struct content *content, bool *again,
				 struct wh_error *err)
{
	uint32_t n_layers = content->commit->source->manifest.n_layers;
	uint32_t *added wh_free_auto =
		calloc((size_t)n_layers + 1, sizeof(*added));

	if (!added)
		return wh_fail_memory(err);
	WH_TRY(put_some(content, true, added, again, err));
	return *again ? WH_OK : put_some(content, false, added, again, err);
}

static const struct wh_tensor *text_tensor(const struct content *content,
					   enum text_kind kind, int64_t *id)
{
	const struct commit *commit = content->commit;
	uint32_t item = commit->text_item[kind];

	*id = item == UINT32_MAX ? 0 : commit->items[item].id;
	return *id ? item_tensor(&commit->items[item]) : NULL;
}

static enum wh_status hash_tree(struct content *content, struct wh_error *err)
{
	const struct wh_manifest *manifest = &content->commit->source->manifest;
	const struct wh_tensor *graph, *attributes;
	struct canonical_place *places;
	struct wh_buf text = {0};
	enum wh_status status;
	uint32_t i;

	graph = text_tensor(content, TEXT_GRAPH, &content->graph_id);
	attributes =
		text_tensor(content, TEXT_ATTRIBUTES, &content->attributes_id);
	places = calloc((size_t)manifest->n_layers + 1, sizeof(*places));
	if (!places)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_layers; i++) {
		memcpy(places[i].layer, content->commit->layers[i].sha256,
		       WH_SHA256_SIZE);
		places[i].container = manifest->layers[i].container;
	}
	status = canonical_tree(&text, graph ? graph->sha256 : NULL,
				attributes ? attributes->sha256 : NULL, places,
				manifest->n_layers, err);
	if (!status)
		status = sha256_of(text.data, text.size, content->tree, err);
	wh_buf_free(&text);
	free(places);
	return status;
}

static void bind_id(struct stmt *stmt, int index, int64_t id)
{
	if (id)
		stmt_integer(stmt, index, id);
	else
		stmt_null(stmt, index);
}

static bool fill_place(void *arg, uint32_t i, struct row *row)
{
	const struct content *content = arg;
	uint32_t container =
		content->commit->source->manifest.layers[i].container;

	row_integer(row, 1, content->tree_id);
	row_integer(row, 2, i);
	row_integer(row, 3, content->commit->layers[i].id);
	if (container != WH_NO_LAYER)
		row_integer(row, 4, container);
	return true;
}

static enum wh_status insert_places(struct content *content,
				    struct wh_error *err)
{
	struct rows rows = {.n = content->commit->source->manifest.n_layers,
			    .fill = fill_place,
			    .arg = content};
	struct stmt *stmt;

	WH_TRY(db_stmt(content->db, STMT_TREE_LAYER_INSERT, &stmt, err));
	return step_rows(stmt, &rows, err);
}

static enum wh_status put_tree(struct content *content, struct wh_error *err)
{
	const struct wh_manifest *manifest = &content->commit->source->manifest;
	struct stmt *stmt;

	WH_TRY(hash_tree(content, err));
	WH_TRY(find_digest(content->db, STMT_TREE_FIND, content->tree,
			   &content->tree_id, err));
	if (content->tree_id)
		return WH_OK;
	WH_TRY(db_stmt(content->db, STMT_TREE_INSERT, &stmt, err));
	stmt_blob(stmt, 1, content->tree, sizeof(content->tree));
	bind_id(stmt, 2, content->graph_id);
	bind_id(stmt, 3, content->attributes_id);
	stmt_integer(stmt, 4, manifest->n_tensors);
	stmt_integer(stmt, 5, manifest->n_layers);
	stmt_integer(stmt, 6, (int64_t)content->commit->result.nbytes);
	WH_TRY(step_insert(stmt, &content->tree_id, err));
	return insert_places(content, err);
}

enum wh_status commit_put_content(struct content *content, bool *again,
				  struct wh_error *err)
{
	WH_TRY(put_tensors(content, again, err));
	if (!*again)
		WH_TRY(put_layers(content, again, err));
	return *again ? WH_OK : put_tree(content, err);
}

enum wh_status commit_put_template(struct content *content,
				   struct wh_error *err)
{
	const struct wh_template *template_ =
		content->commit->source->manifest.template_;
	const struct wh_tensor *text;
	int64_t text_id, skeleton_id = 0;
	struct stmt *stmt;

	text = text_tensor(content, TEXT_TEMPLATE, &text_id);
	if (!text)
		return WH_OK;
	memcpy(content->template_, text->sha256, WH_SHA256_SIZE);
	WH_TRY(find_digest(content->db, STMT_TEMPLATE_FIND, content->template_,
			   &content->template_id, err));
	if (content->template_id)
		return WH_OK;
	if (template_->skeleton != WH_LITERAL)
		skeleton_id = content->commit->items[template_->skeleton].id;
	WH_TRY(db_stmt(content->db, STMT_TEMPLATE_INSERT, &stmt, err));
	stmt_blob(stmt, 1, content->template_, sizeof(content->template_));
	stmt_text(stmt, 2, template_->format);
	stmt_integer(stmt, 3, text_id);
	bind_id(stmt, 4, skeleton_id);
	return step_insert(stmt, &content->template_id, err);
}

/* ---- Lineage --------------------------------------------------------------
 */

/* From the first one on again: two statements ask for them. */
static bool fill_weight(void *arg, uint32_t i, struct row *row)
{
	struct layer_rows *rows = arg;
	const struct commit *commit = rows->content->commit;
	const struct wh_variable *variable;
	const struct wh_layer *layer;
	uint32_t index;

	if (i == 0)
		rows->at = rows->position = 0;
	variable = next_variable(rows, &index);
	layer = &commit->source->manifest.layers[index];
	row_text(row, 1, layer->kind == WH_LAYER_MODEL ? "" : layer->name);
	row_text(row, 2,
		 variable->object_path ? variable->object_path
				       : variable->name);
	row_integer(row, 3, commit->items[variable->tensor].id);
	return true;
}

/* Of layers that were in the store nobody looked for the tensors. */
static bool knows_tensors(const struct commit *commit)
{
	uint32_t i, n = commit->source->manifest.n_tensors;

	for (i = 0; i < n; i++)
		if (commit->items[i].id <= 0)
			return false;
	return true;
}

enum wh_status commit_add_lineage(const struct content *content,
				  struct lineage_member *member,
				  struct wh_error *err)
{
	struct layer_rows from = {.content = content};
	/* Each tensor is one variable's. */
	struct rows weights = {
		.n = content->commit->source->manifest.n_tensors,
		.fill = fill_weight,
		.arg = &from,
	};

	if (knows_tensors(content->commit))
		member->weights = &weights;
	return lineage_add(content->db, member, err);
}
