#include "mapping/layer_name.h"

#include <string.h>

#include "base/text.h"

/* The length of `name` before the first component that starts with `word`
 * (whole: is `word`); 0 if none does, or the first one. */
static size_t before_component(const char *name, const char *word, bool whole)
{
	size_t len = strlen(word);
	const char *at = name;

	while ((at = strchr(at, '/'))) {
		at++;
		if (strncmp(at, word, len) == 0 &&
		    (!whole || at[len] == '/' || !at[len]))
			return (size_t)(at - name) - 1;
	}
	return 0;
}

static size_t without_last(const char *name, size_t len)
{
	while (len > 0 && name[len - 1] != '/')
		len--;
	return len ? len - 1 : 0;
}

static bool has_component(const char *path, const char *word)
{
	size_t len = strlen(word);

	return (strncmp(path, word, len) == 0 &&
		(path[len] == '/' || !path[len])) ||
	       before_component(path, word, true);
}

/* MultiHeadAttention's inner layers: attribute, and scope in the names. */
static const char *const attention[][2] = {
	{"_query_dense", "query"},
	{"_key_dense", "key"},
	{"_value_dense", "value"},
	{"_output_dense", "attention_output"},
};

/* How much of the full name is the layer's, going by its path; 0: unknown. */
static size_t own_part(const struct named_variable *variable)
{
	const char *name = variable->full_name, *path = variable->path;
	size_t len, i;

	while (text_starts(path, "layer/"))
		path += strlen("layer/");
	if (text_starts(path, "forward_layer/"))
		return before_component(name, "forward_", false);
	if (text_starts(path, "backward_layer/"))
		return before_component(name, "backward_", false);
	for (i = 0; i < sizeof(attention) / sizeof(attention[0]); i++)
		if (has_component(path, attention[i][0]))
			return before_component(name, attention[i][1], true);
	if (has_component(path, "cells"))
		return before_component(name, "stacked_rnn_cells", false);
	len = without_last(name, strlen(name));
	if (!strchr(path, '/'))
		return len;
	if (!text_starts(path, "cell/") || strchr(path + 5, '/'))
		return 0;
	/* ConvLSTM's cell leaves no trace in the name, LSTM's does. */
	return memchr(name, '/', len) ? without_last(name, len) : len;
}

/* A nested model's weights have the names of its inner layers: none of them
 * is its own, and calling it so would hide that it is a model. */
static bool is_nested(const char *path)
{
	while (text_starts(path, "layer/"))
		path += strlen("layer/");
	return text_starts(path, "layer_with_weights-");
}

static bool all_start(const struct named_variable *variables, uint32_t n,
		      size_t len)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (strncmp(variables[i].full_name, variables[0].full_name,
			    len) != 0 ||
		    variables[i].full_name[len] != '/')
			return false;
	return true;
}

static bool all_own(const struct named_variable *variables, uint32_t n,
		    size_t len)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (own_part(&variables[i]) != len)
			return false;
	return true;
}

const char *layer_name(const struct named_variable *variables, uint32_t n,
		       struct arena *arena, bool *ok)
{
	size_t len;
	const char *name;

	*ok = true;
	if (n == 0 || is_nested(variables[0].path))
		return NULL;
	len = own_part(&variables[0]);
	if (!len || !all_own(variables, n, len) ||
	    !all_start(variables, n, len)) {
		len = strcspn(variables[0].full_name, "/");
		if (!len || !all_start(variables, n, len))
			return NULL;
	}
	name = arena_bytes(arena, variables[0].full_name, len);
	*ok = name != NULL;
	return name;
}
