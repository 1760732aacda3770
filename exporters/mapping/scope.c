/* What the names inside a layer's scope show (FORMAT.md, "Inside a layer"):
 *
 *	kernel, bias                        the layer's own attributes
 *	recurrent_kernel directly           a cell whose name is not shown
 *	X/recurrent_kernel                  X is the cell
 *	forward_X/..., backward_X/...       Bidirectional
 *	query, key, value, attention_output MultiHeadAttention
 *	stacked_rnn_cells/C/...             RNN of several cells
 *	cell/, layer/, _query_dense/, ...   object paths already
 *
 * Each step takes at least one component off every name or ends, so the depth
 * is bounded by PATHS_MAX_DEPTH without trusting any name.
 */
#include "mapping/scope.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define MAX_FIRSTS 4 /* distinct first components that any pattern has */

struct firsts {
	const char *at[MAX_FIRSTS];
	size_t len[MAX_FIRSTS];
	uint32_t n; /* MAX_FIRSTS + 1: more than that */
};

struct step {
	struct scoped *weights;
	uint32_t n;
	const char *prefix;
	const struct config_layer *config;
	struct arena *arena;
	uint32_t depth;
	bool is_cell; /* its recurrent kernel is no sign of another cell */
};

static enum scope_verdict resolve(const struct step *step);

static bool is_single(const char *rest)
{
	return !strchr(rest, '/');
}

static bool are_single(const struct step *step)
{
	uint32_t i;

	for (i = 0; i < step->n; i++)
		if (!is_single(step->weights[i].rest))
			return false;
	return true;
}

static bool has_single(const struct step *step)
{
	uint32_t i;

	for (i = 0; i < step->n; i++)
		if (is_single(step->weights[i].rest))
			return true;
	return false;
}

static bool has_own(const struct step *step, const char *leaf)
{
	uint32_t i;

	for (i = 0; i < step->n; i++)
		if (strcmp(step->weights[i].rest, leaf) == 0)
			return true;
	return false;
}

static void collect_firsts(const struct step *step, struct firsts *firsts)
{
	uint32_t i, j;

	firsts->n = 0;
	for (i = 0; i < step->n; i++) {
		const char *rest = step->weights[i].rest;
		size_t len = strcspn(rest, "/");

		for (j = 0; j < firsts->n; j++)
			if (firsts->len[j] == len &&
			    memcmp(firsts->at[j], rest, len) == 0)
				break;
		if (j < firsts->n)
			continue;
		if (firsts->n == MAX_FIRSTS) {
			firsts->n++;
			return;
		}
		firsts->at[j] = rest;
		firsts->len[j] = len;
		firsts->n++;
	}
}

static bool first_is(const char *rest, const char *word)
{
	size_t len = strlen(word);

	return strncmp(rest, word, len) == 0 &&
	       (rest[len] == '/' || !rest[len]);
}

/* All weights' rests under `prefix`, as they are. */
static enum scope_verdict keep_names(const struct step *step)
{
	uint32_t i;

	for (i = 0; i < step->n; i++) {
		*step->weights[i].path = arena_join(step->arena, step->prefix,
						    step->weights[i].rest, "");
		if (!*step->weights[i].path)
			return SCOPE_MEMORY;
	}
	return SCOPE_DECIDED;
}

static bool is_number(const char *text, size_t len)
{
	return len > 0 && strspn(text, "0123456789") >= len;
}

/* Whether one component is an attribute's name that Keras gives, and so never
 * needs translation. */
static bool is_attribute(const char *at, size_t len)
{
	static const char *const names[] = {
		"cell",		 "cells",	   "layer",
		"forward_layer", "backward_layer", "_query_dense",
		"_key_dense",	 "_value_dense",   "_output_dense"};
	static const char nested[] = "layer_with_weights-";
	const size_t nested_len = sizeof(nested) - 1;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && memcmp(names[i], at, len) == 0)
			return true;
	if (len > nested_len && memcmp(at, nested, nested_len) == 0)
		return is_number(at + nested_len, len - nested_len);
	return is_number(at, len);
}

static bool is_object_path(const char *rest)
{
	uint32_t depth = 0;
	size_t len;

	for (; !is_single(rest); rest += len + 1) {
		len = strcspn(rest, "/");
		if (++depth > PATHS_MAX_DEPTH || !is_attribute(rest, len))
			return false;
	}
	return true;
}

static bool are_object_paths(const struct step *step)
{
	uint32_t i;

	for (i = 0; i < step->n; i++)
		if (!is_object_path(step->weights[i].rest))
			return false;
	return true;
}

/* The weights whose rest starts with `word`, without it, under the prefix
 * grown by `attribute`. */
static enum scope_verdict enter(const struct step *step, const char *word,
				size_t len, const char *attribute, bool is_cell,
				const struct config_layer *config)
{
	struct step inner = {.config = config,
			     .arena = step->arena,
			     .depth = step->depth + 1,
			     .is_cell = is_cell};
	uint32_t i;

	inner.prefix = arena_join(step->arena, step->prefix, attribute, "");
	inner.weights =
		arena_alloc(step->arena, step->n, sizeof(*inner.weights));
	if (!inner.prefix || !inner.weights)
		return SCOPE_MEMORY;
	for (i = 0; i < step->n; i++) {
		struct scoped weight = step->weights[i];

		if (strcspn(weight.rest, "/") != len ||
		    weight.rest[len] != '/' ||
		    memcmp(weight.rest, word, len) != 0)
			continue;
		weight.rest += len + 1;
		inner.weights[inner.n++] = weight;
	}
	return resolve(&inner);
}

static const struct config_layer *child_at(const struct config_layer *config,
					   enum config_kind kind,
					   uint32_t index)
{
	if (!config || config->kind != kind || index >= config->n_children)
		return NULL;
	return &config->children[index];
}

/* Which of two components is the forward one: what is frozen comes last. */
static uint32_t forward_of(const struct firsts *firsts)
{
	return text_starts(firsts->at[0], "backward_");
}

static bool is_bidirectional(const struct firsts *firsts)
{
	return firsts->n == 2 &&
	       text_starts(firsts->at[forward_of(firsts)], "forward_") &&
	       text_starts(firsts->at[!forward_of(firsts)], "backward_");
}

static enum scope_verdict enter_directions(const struct step *step,
					   const struct firsts *firsts)
{
	static const char *const attributes[] = {"forward_layer/",
						 "backward_layer/"};
	enum scope_verdict verdict = SCOPE_DECIDED;
	uint32_t i;

	for (i = 0; i < 2 && verdict == SCOPE_DECIDED; i++) {
		uint32_t at = i ^ forward_of(firsts);

		verdict = enter(
			step, firsts->at[at], firsts->len[at], attributes[i],
			false, child_at(step->config, CONFIG_BIDIRECTIONAL, i));
	}
	return verdict;
}

/* MultiHeadAttention always has these four, and no other layer has. */
static const struct {
	const char *name, *attribute;
} attention[] = {{"query", "_query_dense/"},
		 {"key", "_key_dense/"},
		 {"value", "_value_dense/"},
		 {"attention_output", "_output_dense/"}};
#define N_ATTENTION (sizeof(attention) / sizeof(attention[0]))

static bool is_attention(const struct firsts *firsts)
{
	uint32_t i, j, found = 0;

	if (firsts->n != N_ATTENTION)
		return false;
	for (i = 0; i < N_ATTENTION; i++)
		for (j = 0; j < firsts->n; j++)
			found += first_is(firsts->at[j], attention[i].name);
	return found == N_ATTENTION;
}

static enum scope_verdict enter_attention(const struct step *step)
{
	enum scope_verdict verdict = SCOPE_DECIDED;
	uint32_t i;

	for (i = 0; i < N_ATTENTION && verdict == SCOPE_DECIDED; i++)
		verdict = enter(step, attention[i].name,
				strlen(attention[i].name),
				attention[i].attribute, false, NULL);
	return verdict;
}

/* A frozen cell is written after the others, so the order of appearance says
 * nothing: a cell's place comes from the configuration, by its name. */
static enum scope_verdict enter_cells(const struct step *step)
{
	enum scope_verdict verdict = SCOPE_DECIDED;
	struct firsts firsts;
	uint32_t i;

	collect_firsts(step, &firsts);
	if (!step->config || step->config->kind != CONFIG_CELLS) {
		if (firsts.n != 1)
			return SCOPE_CELLS;
		return enter(step, firsts.at[0], firsts.len[0], "0/", true,
			     NULL);
	}
	for (i = 0; i < step->config->n_children; i++) {
		const char *name = step->config->children[i].name;
		char place[16];

		snprintf(place, sizeof(place), "%u/", i);
		verdict = enter(step, name, strlen(name), place, true,
				&step->config->children[i]);
		if (verdict != SCOPE_DECIDED)
			return verdict;
	}
	for (i = 0; i < step->n; i++)
		if (!*step->weights[i].path)
			return SCOPE_CELLS;
	return SCOPE_DECIDED;
}

/* One component that all weights share: a cell, or the stack of cells. */
static enum scope_verdict enter_only(const struct step *step,
				     const struct firsts *firsts)
{
	struct step inner = *step;
	const char *first = firsts->at[0];
	size_t len = firsts->len[0];
	uint32_t i;

	inner.weights =
		arena_alloc(step->arena, step->n, sizeof(*inner.weights));
	if (!inner.weights)
		return SCOPE_MEMORY;
	inner.depth++;
	for (i = 0; i < step->n; i++) {
		inner.weights[i] = step->weights[i];
		inner.weights[i].rest += len + 1;
	}
	inner.prefix = arena_printf(step->arena, "%scell/", step->prefix);
	if (are_single(&inner) && has_own(&inner, "recurrent_kernel"))
		return inner.prefix ? keep_names(&inner) : SCOPE_MEMORY;
	inner.prefix = arena_printf(step->arena, "%scell/cells/", step->prefix);
	if (!inner.prefix)
		return SCOPE_MEMORY;
	if (text_starts(first, "stacked_rnn_cells") ||
	    (step->config && step->config->kind == CONFIG_CELLS))
		return enter_cells(&inner);
	return SCOPE_UNKNOWN;
}

/* Layers of the time before TensorFlow 2 that own their recurrent kernel. */
static bool owns_recurrent(const struct config_layer *config)
{
	return config && config->class_name &&
	       text_starts(config->class_name, "CuDNN");
}

static enum scope_verdict resolve_own(const struct step *step)
{
	struct step inner = *step;

	if (step->is_cell || !has_own(step, "recurrent_kernel") ||
	    owns_recurrent(step->config))
		return keep_names(step);
	inner.prefix = arena_printf(step->arena, "%scell/", step->prefix);
	return inner.prefix ? keep_names(&inner) : SCOPE_MEMORY;
}

static bool all_start(const struct step *step, const char *word)
{
	uint32_t i;

	for (i = 0; i < step->n; i++)
		if (is_single(step->weights[i].rest) ||
		    !first_is(step->weights[i].rest, word))
			return false;
	return true;
}

static bool is_class(const struct config_layer *config, const char *name)
{
	return config->class_name && strcmp(config->class_name, name) == 0;
}

/* Takes out what a wrapper has of its own. One that Keras doesn't bring may
 * have a weight whose name no layer has, or the layer inside it may. */
static enum scope_verdict take_own(const struct step *step, struct step *inner)
{
	bool normalizes = is_class(step->config, "SpectralNormalization");
	bool is_known = normalizes || is_class(step->config, "TimeDistributed");
	uint32_t i;

	inner->n = 0;
	for (i = 0; i < step->n; i++) {
		struct scoped *weight = &step->weights[i];

		if (normalizes && strcmp(weight->rest, "vector_u") == 0) {
			*weight->path = arena_join(step->arena, step->prefix,
						   weight->rest, "");
			if (!*weight->path)
				return SCOPE_MEMORY;
			continue;
		}
		if (!is_known && is_single(weight->rest) &&
		    leaf_rank(weight->rest) == UINT32_MAX)
			return SCOPE_UNKNOWN;
		inner->weights[inner->n++] = *weight;
	}
	return SCOPE_DECIDED;
}

/* Keras 2 shows nothing of the wrapped layer's name, Keras 3 all of it. */
static enum scope_verdict resolve_wrapped(const struct step *step)
{
	const struct config_layer *wrapped = &step->config->children[0];
	struct step inner = *step;
	enum scope_verdict verdict;

	inner.weights =
		arena_alloc(step->arena, step->n, sizeof(*inner.weights));
	if (!inner.weights)
		return SCOPE_MEMORY;
	verdict = take_own(step, &inner);
	if (verdict != SCOPE_DECIDED)
		return verdict;
	if (*wrapped->name && all_start(&inner, wrapped->name))
		return enter(&inner, wrapped->name, strlen(wrapped->name),
			     "layer/", false, wrapped);
	inner.config = wrapped;
	inner.prefix = arena_printf(step->arena, "%slayer/", step->prefix);
	inner.depth++;
	return inner.prefix ? resolve(&inner) : SCOPE_MEMORY;
}

static enum scope_verdict resolve(const struct step *step)
{
	struct firsts firsts;

	if (step->n == 0)
		return SCOPE_DECIDED;
	if (step->depth > PATHS_MAX_DEPTH)
		return SCOPE_UNKNOWN;
	if (child_at(step->config, CONFIG_WRAPPER, 0) &&
	    !first_is(step->weights[0].rest, "layer"))
		return resolve_wrapped(step);
	if (are_single(step))
		return resolve_own(step);
	if (are_object_paths(step))
		return keep_names(step);
	if (has_single(step))
		return SCOPE_UNKNOWN;
	collect_firsts(step, &firsts);
	if (is_bidirectional(&firsts))
		return enter_directions(step, &firsts);
	if (is_attention(&firsts))
		return enter_attention(step);
	if (firsts.n == 1)
		return enter_only(step, &firsts);
	return SCOPE_UNKNOWN;
}

/* No component of a Keras name is empty. */
static bool is_sound(const char *rest)
{
	return *rest && *rest != '/' && !strstr(rest, "//") &&
	       rest[strlen(rest) - 1] != '/';
}

enum scope_verdict scope_resolve(struct scoped *weights, uint32_t n,
				 const char *prefix,
				 const struct config_layer *config,
				 struct arena *arena)
{
	struct step step = {.weights = weights,
			    .n = n,
			    .prefix = prefix,
			    .config = config,
			    .arena = arena};
	enum scope_verdict verdict;
	uint32_t i;

	for (i = 0; i < n; i++) {
		*weights[i].path = NULL;
		if (!is_sound(weights[i].rest))
			return SCOPE_UNKNOWN;
	}
	verdict = resolve(&step);
	for (i = 0; i < n && verdict == SCOPE_DECIDED; i++)
		if (!*weights[i].path)
			verdict = SCOPE_UNKNOWN;
	return verdict;
}
