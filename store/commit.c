#include "commit.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/sha256.h"
#include "base/text.h"
#include "canonical.h"
#include "core/manifest.h"
#include "core/weigh.h"
#include "keep.h"
#include "tensor.h"

/* Of publishing, while gc takes what we counted on. Each round stores what the
 * last one missed. */
#define MAX_TRIES 20

const struct wh_tensor *item_tensor(const struct item *item)
{
	return &item->source->manifest.tensors[item->index];
}

bool item_is_same(const struct item *a, const struct item *b)
{
	const struct wh_tensor *x = item_tensor(a), *y = item_tensor(b);

	return memcmp(x->sha256, y->sha256, sizeof(x->sha256)) == 0 &&
	       x->dtype == y->dtype && x->rank == y->rank &&
	       (x->rank == 0 ||
		memcmp(x->shape, y->shape, x->rank * sizeof(*x->shape)) == 0);
}

static void commit_free(struct commit *commit)
{
	int i;

	wh_source_close(commit->texts);
	for (i = 0; i < N_TEXTS; i++)
		wh_buf_free(&commit->text_bytes[i]);
	lease_free(&commit->lease);
	commit_free_small(commit);
	free(commit->items);
	free(commit->probes);
	free(commit->layers);
	arena_free(&commit->arena);
}

/* ---- Texts as arrays ----------------------------------------------------- */

static enum wh_status write_texts(struct commit *commit, struct wh_error *err)
{
	const struct wh_manifest *manifest = &commit->source->manifest;
	struct wh_buf *texts = commit->text_bytes;

	if (manifest->graph)
		WH_TRY(canonical_graph(&texts[TEXT_GRAPH], manifest->graph,
				       err));
	if (manifest->n_attributes)
		WH_TRY(canonical_attributes(&texts[TEXT_ATTRIBUTES], manifest,
					    err));
	if (manifest->template_)
		WH_TRY(canonical_template(&texts[TEXT_TEMPLATE], manifest,
					  err));
	return WH_OK;
}

static enum wh_status make_texts(struct commit *commit, struct wh_error *err)
{
	static const char *const names[N_TEXTS] = {"graph", "attributes",
						   "template"};
	struct wh_builder *builder;
	enum wh_status status;
	uint64_t size;
	int i;

	WH_TRY(write_texts(commit, err));
	WH_TRY(wh_builder_new(&builder, err));
	for (i = 0; i < N_TEXTS; i++) {
		struct wh_array array = {.name = names[i],
					 .dtype = WH_UINT8,
					 .rank = 1,
					 .shape = &size};

		size = commit->text_bytes[i].size;
		array.data = commit->text_bytes[i].data;
		if (size == 0)
			continue;
		status = wh_builder_weight(builder, &array, err);
		if (status) {
			wh_builder_free(builder);
			return status;
		}
	}
	return wh_builder_finish(builder, &commit->texts, err);
}

static enum wh_status list_items(struct commit *commit, struct wh_error *err)
{
	const struct wh_manifest *manifest = &commit->source->manifest;
	uint32_t i, text = 0, n = manifest->n_tensors + manifest->n_hidden;

	commit->items = calloc((size_t)n + N_TEXTS, sizeof(*commit->items));
	if (!commit->items)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++)
		commit->items[i] = (struct item){
			.source = commit->source,
			.index = i,
			.eager = commit->probes && commit->probes[i].skip,
			.half = commit->probes && commit->probes[i].is_alike,
		};
	for (i = 0; i < n; i++)
		commit->any_eager |= commit->items[i].eager;
	commit->n_source_items = n;
	for (i = 0; i < N_TEXTS; i++) {
		commit->text_item[i] = UINT32_MAX;
		if (commit->text_bytes[i].size == 0)
			continue;
		commit->text_item[i] = n;
		commit->items[n++] =
			(struct item){.source = commit->texts, .index = text++};
	}
	commit->n_items = n;
	return WH_OK;
}

/* ---- Identities ------------------------------------------------------------
 */

static enum wh_status hash_layer(struct commit *commit, uint32_t index,
				 struct sha256 *hash, struct wh_buf *text,
				 struct wh_error *err)
{
	const struct wh_manifest *manifest = &commit->source->manifest;

	text->size = 0;
	WH_TRY(canonical_layer(text, manifest, &manifest->layers[index], err));
	WH_TRY(sha256_reset(hash, err));
	WH_TRY(sha256_update(hash, text->data, text->size, err));
	return sha256_final(hash, commit->layers[index].sha256, err);
}

static enum wh_status hash_layers(struct commit *commit, struct wh_error *err)
{
	uint32_t i, n = commit->source->manifest.n_layers;
	struct wh_buf text = {0};
	enum wh_status status;
	struct sha256 *hash;

	free(commit->layers);
	commit->layers = calloc((size_t)n + 1, sizeof(*commit->layers));
	if (!commit->layers)
		return wh_fail_memory(err);
	WH_TRY(sha256_new(&hash, err));
	status = WH_OK;
	for (i = 0; i < n && !status; i++)
		status = hash_layer(commit, i, hash, &text, err);
	wh_buf_free(&text);
	sha256_free(hash);
	return status;
}

static enum wh_status find_layers(struct commit *commit, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < commit->source->manifest.n_layers; i++) {
		struct layer_identity *layer = &commit->layers[i];
		struct stmt *stmt;
		bool row;

		WH_TRY(db_stmt(commit->store->db, STMT_LAYER_FIND, &stmt, err));
		stmt_blob(stmt, 1, layer->sha256, sizeof(layer->sha256));
		WH_TRY(stmt_step(stmt, &row, err));
		layer->id = row ? column_integer(stmt, 0) : 0;
		stmt_reset(stmt);
	}
	return WH_OK;
}

/* A known layer's tensors need no look-up: the layer's row names them. */
static enum wh_status find_tensors(struct commit *commit, struct wh_error *err)
{
	const struct wh_manifest *manifest = &commit->source->manifest;
	uint32_t i, k;

	for (i = 0; i < manifest->n_layers; i++) {
		const struct wh_layer *layer = &manifest->layers[i];

		for (k = 0; commit->layers[i].id && k < layer->n_variables; k++)
			commit->items[layer->variables[k].tensor].id = -1;
	}
	for (i = 0; i < commit->n_items; i++)
		if (!commit->items[i].id && !commit->items[i].eager &&
		    !commit->items[i].stored)
			WH_TRY(tensor_find(commit->store->db,
					   item_tensor(&commit->items[i]),
					   &commit->items[i].id, err));
	return WH_OK;
}

static enum wh_status is_any_known(struct db *db, bool *any,
				   struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_TENSOR_ANY, &stmt, err));
	WH_TRY(step_row(stmt, err));
	*any = column_integer(stmt, 0) != 0;
	stmt_reset(stmt);
	return WH_OK;
}

/* In one transaction: each look-up for itself would ask the file anew whether
 * it has changed. */
static enum wh_status identify(struct commit *commit, struct wh_error *err)
{
	struct db *db = commit->store->db;
	AUTO_TRANSACTION tx = {0};
	uint32_t i;
	bool any;

	WH_TRY(transaction_read(&tx, db, err));
	WH_TRY(db_mark(db, &commit->mark, err));
	WH_TRY(is_any_known(db, &any, err));
	if (!any) {
		for (i = 0; i < commit->source->manifest.n_layers; i++)
			commit->layers[i].id = 0;
		return WH_OK;
	}
	WH_TRY(find_layers(commit, err));
	return find_tensors(commit, err);
}

/* ---- The whole -------------------------------------------------------------
 */

/* Nothing of this tensor is asked for twice: the same payload under two names
 * of one model is stored once. */
static void count_new(struct commit *commit)
{
	const struct wh_manifest *manifest = &commit->source->manifest;
	uint32_t i;

	commit->result.n_tensors = manifest->n_tensors;
	commit->result.n_new_tensors = 0;
	for (i = 0; i < manifest->n_tensors; i++)
		commit->result.n_new_tensors += commit->items[i].id == 0;
}

static void count_bytes(struct commit *commit)
{
	const struct wh_manifest *manifest = &commit->source->manifest;
	uint32_t i;

	for (i = 0; i < manifest->n_tensors; i++)
		commit->result.nbytes += manifest->tensors[i].nbytes;
}

static enum wh_status check_unchanged(struct wh_source *source,
				      struct wh_error *err)
{
	if (!source->ops->unchanged)
		return WH_OK;
	return source->ops->unchanged(source, err);
}

/* What was there may be gone, layers whose tensors were not looked up too. */
static enum wh_status identify_again(struct commit *commit,
				     struct wh_error *err)
{
	uint32_t i;

	/* Ids of what is stored are of a transaction that came to nothing. */
	for (i = 0; i < commit->n_items; i++)
		commit->items[i].id = 0;
	WH_TRY(identify(commit, err));
	commit->mark = MARK_NONE;
	return WH_OK;
}

/* Layers of tensors that were weighed only now have their identities now. */
static enum wh_status identify_late(struct commit *commit, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};

	WH_TRY(hash_layers(commit, err));
	WH_TRY(transaction_read(&tx, commit->store->db, err));
	commit->mark = MARK_NONE;
	return find_layers(commit, err);
}

static enum wh_status store_first(struct commit *commit, struct wh_error *err)
{
	WH_TRY(commit_store(commit, err));
	count_new(commit);
	WH_TRY(commit_read_again(commit, err));
	if (commit->any_eager)
		WH_TRY(identify_late(commit, err));
	return commit->looks_late ? commit_look_for_alarms(commit, err) : WH_OK;
}

/* Before anything is stored, if all is known by then. */
static enum wh_status look_soon(struct commit *commit, struct wh_error *err)
{
	uint32_t i;

	commit->looks_late = commit->any_eager;
	for (i = 0; i < commit->n_items; i++)
		commit->looks_late |=
			commit->items[i].half && !commit->items[i].id;
	return commit->looks_late ? WH_OK : commit_look_for_alarms(commit, err);
}

static enum wh_status publish(struct commit *commit, bool *again,
			      struct wh_error *err)
{
	WH_TRY(check_unchanged(commit->source, err));
	return commit_publish(commit, again, err);
}

static enum wh_status store_and_publish(struct commit *commit,
					struct wh_error *err)
{
	bool again;
	int tries;

	WH_TRY(store_first(commit, err));
	WH_TRY(publish(commit, &again, err));
	for (tries = 1; again && tries < MAX_TRIES; tries++) {
		WH_TRY(identify_again(commit, err));
		WH_TRY(commit_store(commit, err));
		count_new(commit);
		WH_TRY(publish(commit, &again, err));
	}
	if (again)
		return wh_fail(err, WH_EBUSY,
			       "the store is being cleaned up; try again");
	return WH_OK;
}

static enum wh_status choose_effort(struct commit *commit, struct wh_error *err)
{
	const char *name = commit->options->codec;
	char *setting wh_free_auto = NULL;

	commit->effort = CODEC_FAST;
	if (!name) {
		WH_TRY(wh_config_get(commit->store, "codec", &setting, err));
		name = setting;
	}
	if (name && !codec_effort_of(name, &commit->effort))
		return wh_fail(err, WH_EINVAL,
			       "there is no codec '%s': it is one of none, "
			       "fast, dense",
			       name);
	return WH_OK;
}

/* The text of a snapshot ends its message with a line feed: whether the
 * message has one of its own could not be told from it. */
static enum wh_status take_message(struct commit *commit, struct wh_error *err)
{
	const char *text = commit->options->message;
	size_t len = text ? strlen(text) : 0;

	while (len && text[len - 1] == '\n')
		len--;
	commit->message = arena_bytes(&commit->arena, text, len);
	return commit->message ? WH_OK : wh_fail_memory(err);
}

/* Before they are read. */
static enum wh_status check_sizes(const struct wh_manifest *manifest,
				  struct wh_error *err)
{
	uint32_t i, n = manifest->n_tensors + manifest->n_hidden;

	for (i = 0; i < n; i++)
		if (manifest->tensors[i].nbytes > MAX_STORED_BYTES)
			return wh_fail(err, WH_EUNSUPPORTED,
				       "tensor '%s' is too large to store",
				       manifest->tensors[i].key);
	return WH_OK;
}

static enum wh_status run_commit(struct commit *commit, struct wh_error *err)
{
	WH_TRY(take_message(commit, err));
	WH_TRY(choose_effort(commit, err));
	WH_TRY(manifest_check(&commit->source->manifest, err));
	WH_TRY(check_sizes(&commit->source->manifest, err));
	WH_TRY(commit_weigh(commit, err));
	WH_TRY(check_unchanged(commit->source, err));
	/* Only now: the template's text holds the skeleton's digest. */
	WH_TRY(make_texts(commit, err));
	WH_TRY(wh_source_weigh(commit->texts,
			       commit_needs() & ~(unsigned)WH_STATISTICS, 1,
			       NULL, NULL, err));
	WH_TRY(list_items(commit, err));
	WH_TRY(hash_layers(commit, err));
	count_bytes(commit);
	/* Rewrites the file, and what was looked up before holds no more. */
	WH_TRY(commit_choose_page_size(commit, err));
	WH_TRY(identify(commit, err));
	WH_TRY(look_soon(commit, err));
	return store_and_publish(commit, err);
}

static enum wh_status check_text(const char *what, const char *text,
				 struct wh_error *err)
{
	if (!text || text_is_name(text, strlen(text)))
		return WH_OK;
	return wh_fail(err, WH_EINVAL, "the %s is not valid UTF-8", what);
}

/* What comes from outside and is no name: those are checked where they are
 * used. */
static enum wh_status check_words(const struct wh_commit_options *options,
				  struct wh_error *err)
{
	size_t i;

	WH_TRY(check_text("message", options->message, err));
	WH_TRY(check_text("run's name", options->run, err));
	for (i = 0; i < options->n_metrics; i++)
		WH_TRY(check_text("metric's name", options->metrics[i].key,
				  err));
	for (i = 0; i < options->n_params; i++) {
		WH_TRY(check_text("parameter's name", options->params[i].key,
				  err));
		WH_TRY(check_text("parameter's value", options->params[i].value,
				  err));
	}
	return WH_OK;
}

enum wh_status wh_commit(struct wh_store *store, struct wh_source *source,
			 const struct wh_commit_options *options,
			 struct wh_commit_result *result, struct wh_error *err)
{
	static const struct wh_commit_options defaults;
	struct commit commit = {.store = store,
				.source = source,
				.options = options ? options : &defaults};
	enum wh_status status;

	if (!db_is_writable(store->db))
		return wh_fail(err, WH_EIO, "'%s' is open for reading only",
			       db_path(store->db));
	WH_TRY(check_words(commit.options, err));
	status = run_commit(&commit, err);
	/* The first failure is the one to tell. */
	if ((status || commit.buried) && commit.items)
		commit_abandon(&commit, NULL);
	if (!status && result)
		*result = commit.result;
	/* The snapshot is in; what can't be forgotten now, is next time. */
	if (!status)
		(void)policy_apply(store, commit.result.branch,
				   options && options->run
					   ? options->run
					   : commit.result.branch,
				   NULL);
	commit_free(&commit);
	return status;
}

/* A commit whose source is the store's own snapshot: all its tensors are
 * there, so nothing is read but the manifest. */
enum wh_status wh_rollback_keep(struct wh_store *store,
				const struct wh_branch_move *request,
				struct wh_move *move, struct wh_error *err)
{
	const struct wh_commit_options options = {
		.branch = request->branch,
		.expect = request->expect,
		.message = request->why ? request->why : "rollback",
	};
	struct wh_commit_result result;
	struct wh_source *source;
	enum wh_status status;

	WH_TRY(wh_snapshot_open(store, request->revision, &source, err));
	status = wh_commit(store, source, &options, &result, err);
	wh_source_close(source);
	if (status || !move)
		return status;
	memcpy(move->from, result.parent, sizeof(move->from));
	memcpy(move->to, result.snapshot, sizeof(move->to));
	return WH_OK;
}
