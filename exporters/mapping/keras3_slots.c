/* Classes and slots: FORMAT.md, "Keras 3". */
#include "mapping/keras3_slots.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/text.h"
#include "core/name_map.h"

/* Keras's own classes by the variables that they make, in their order. A last
 * `bias` is there or not; so are gamma, beta and an attention's two, as the
 * configuration says. */
static const struct {
	const char *class_names, *leaves;
} classes[] = {
	{"Dense EinsumDense Conv1D Conv2D Conv3D Conv1DTranspose "
	 "Conv2DTranspose Conv3DTranspose LocallyConnected1D "
	 "LocallyConnected2D",
	 "kernel bias"},
	{"DepthwiseConv1D DepthwiseConv2D", "depthwise_kernel bias"},
	{"SeparableConv1D SeparableConv2D",
	 "depthwise_kernel pointwise_kernel bias"},
	{"BatchNormalization SyncBatchNormalization",
	 "gamma beta moving_mean moving_variance"},
	{"LayerNormalization GroupNormalization", "gamma beta"},
	{"Normalization", "mean variance count"},
	{"Embedding", "embeddings"},
	{"PReLU", "alpha"},
	{"RMSNormalization AdditiveAttention", "scale"},
	{"Attention", "scale concat_score_weight"},
	{"LSTMCell GRUCell SimpleRNNCell ConvLSTM1DCell ConvLSTM2DCell "
	 "ConvLSTM3DCell ConvLSTMCell",
	 "kernel recurrent_kernel bias"},
	{"LSTM GRU SimpleRNN RNN ConvLSTM1D ConvLSTM2D ConvLSTM3D "
	 "Bidirectional TimeDistributed MultiHeadAttention Sequential "
	 "Functional StackedRNNCells",
	 ""},
};

/* ---- Words ------------------------------------------------------------ */

static bool has_word(const char *words, const char *word, size_t len)
{
	while (*words) {
		size_t n = strcspn(words, " ");

		if (n == len && memcmp(words, word, len) == 0)
			return true;
		words += n + (words[n] == ' ');
	}
	return false;
}

static bool is_one_of(const char *words, const char *word)
{
	return word && has_word(words, word, strlen(word));
}

/* ---- Slots ------------------------------------------------------------ */

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

/* Where keras.src.utils.naming.to_snake_case puts a bar before name[i]: by
 * (.)([A-Z][a-z]+) first, then by ([a-z])([A-Z]). The first takes its letters
 * from left to right without overlap, which matters for no class of Keras. */
static bool has_bar(const char *name, size_t i)
{
	return i && is_upper(name[i]) &&
	       (is_lower(name[i + 1]) || is_lower(name[i - 1]));
}

/* Slots are made of the class's own name; a configuration has the name under
 * which Keras exports it, which is another one here alone. */
static const char *own_name(const char *exported)
{
	return strcmp(exported, "GroupQueryAttention") == 0
		       ? "GroupedQueryAttention"
		       : exported;
}

const char *slot_of_class(const char *class_name, bool of_keras2,
			  struct arena *arena)
{
	const char *bracket = strrchr(class_name, '>');
	const char *name = bracket ? bracket + 1 : own_name(class_name);
	char *slot = arena_alloc(arena, 2 * strlen(name) + 1, 1);
	size_t i, len = 0;

	if (!slot)
		return NULL;
	for (i = 0; name[i]; i++) {
		unsigned char c = (unsigned char)name[i];

		if (!ascii_is_alnum((char)c) && c != '_' && c < 0x80)
			continue;
		if (has_bar(name, i))
			slot[len++] = '_';
		slot[len++] = (char)(is_upper((char)c) ? c - 'A' + 'a' : c);
	}
	slot[len] = '\0';
	if (of_keras2 && slot[0] == '_')
		return arena_printf(arena, "private%s", slot);
	return slot;
}

size_t slot_stem(const char *slot)
{
	const char *bar = strrchr(slot, '_');
	uint64_t number;

	return bar && bar > slot && bar[1] != '0' &&
			       text_to_u64(bar + 1, &number)
		       ? (size_t)(bar - slot)
		       : strlen(slot);
}

/* Whether the class's slot is these `len` bytes. */
static bool is_slot_of(const char *name, size_t name_len, const char *slot,
		       size_t len)
{
	size_t i, at = 0;

	for (i = 0; i < name_len; i++) {
		char c = name[i];
		char next = i + 1 < name_len ? name[i + 1] : '\0';
		bool bar = i && is_upper(c) &&
			   (is_lower(next) || is_lower(name[i - 1]));

		if (bar && (at >= len || slot[at++] != '_'))
			return false;
		if (at >= len ||
		    slot[at++] != (is_upper(c) ? (char)(c - 'A' + 'a') : c))
			return false;
	}
	return at == len;
}

/* Names are static, so that what is found needs no memory. */
static const char *const known[] = {
	"Dense",
	"EinsumDense",
	"Conv1D",
	"Conv2D",
	"Conv3D",
	"Conv1DTranspose",
	"Conv2DTranspose",
	"Conv3DTranspose",
	"LocallyConnected1D",
	"LocallyConnected2D",
	"DepthwiseConv1D",
	"DepthwiseConv2D",
	"SeparableConv1D",
	"SeparableConv2D",
	"BatchNormalization",
	"SyncBatchNormalization",
	"LayerNormalization",
	"GroupNormalization",
	"Normalization",
	"Embedding",
	"PReLU",
	"RMSNormalization",
	"Attention",
	"AdditiveAttention",
	"LSTMCell",
	"GRUCell",
	"SimpleRNNCell",
	"LSTM",
	"GRU",
	"SimpleRNN",
	"RNN",
	"ConvLSTM1D",
	"ConvLSTM2D",
	"ConvLSTM3D",
	"Bidirectional",
	"TimeDistributed",
	"MultiHeadAttention",
	"Sequential",
	"Functional",
	"StackedRNNCells",
	"InputLayer",
	"Dropout",
	"Activation",
	"ReLU",
	"Flatten",
	"Reshape",
	"Concatenate",
	"Add",
};

const char *class_of_slot(const char *slot)
{
	size_t i, len = slot_stem(slot);

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (is_slot_of(known[i], strlen(known[i]), slot, len))
			return known[i];
	return NULL;
}

bool slot_may_hold_table(const char *slot)
{
	static const char *const tables[] = {"string_lookup", "integer_lookup",
					     "text_vectorization"};
	size_t i, len = slot_stem(slot);

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (strlen(tables[i]) == len &&
		    memcmp(tables[i], slot, len) == 0)
			return true;
	return false;
}

enum wh_status slots_of_model(const struct config_layer *model,
			      struct arena *arena, const char ***out,
			      struct wh_error *err)
{
	__attribute__((cleanup(name_map_free))) struct name_map places = {0};
	uint32_t i, n = model->n_children;
	const char **slots = arena_alloc(arena, n, sizeof(*slots));
	uint32_t *counts = arena_alloc(arena, n, sizeof(*counts));
	bool added;

	if (!slots || !counts)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++) {
		const char *class_name = model->children[i].class_name;
		const char *slot;
		uint32_t first;

		slots[i] = "";
		if (model->children[i].is_operation)
			continue;
		slot = slot_of_class(class_name ? class_name : "",
				     model->is_keras2, arena);
		if (!slot)
			return wh_fail_memory(err);
		WH_TRY(name_map_add(&places, slot, i, &added, err));
		first = name_map_find(&places, slot);
		slots[i] = added ? slot
				 : arena_printf(arena, "%s_%u", slot,
						++counts[first]);
		if (!slots[i])
			return wh_fail_memory(err);
	}
	*out = slots;
	return WH_OK;
}

/* ---- Variables -------------------------------------------------------- */

static uint32_t count_words(const char *words)
{
	uint32_t n = *words != '\0';

	for (; *words; words++)
		n += *words == ' ';
	return n;
}

/* Words of the table without NUL behind them: a static copy of each. */
static const char *static_leaf(const char *word, size_t len)
{
	static const char *const leaves[] = {"kernel",
					     "bias",
					     "depthwise_kernel",
					     "pointwise_kernel",
					     "gamma",
					     "beta",
					     "moving_mean",
					     "moving_variance",
					     "mean",
					     "variance",
					     "count",
					     "embeddings",
					     "alpha",
					     "scale",
					     "concat_score_weight",
					     "recurrent_kernel"};
	size_t i;

	for (i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		if (strlen(leaves[i]) == len &&
		    memcmp(leaves[i], word, len) == 0)
			return leaves[i];
	return NULL;
}

static bool is_there(const char *word, size_t len,
		     const struct config_layer *config)
{
	if (has_word("gamma", word, len))
		return config->scales;
	if (has_word("beta", word, len))
		return config->centers;
	if (has_word("scale", word, len))
		return config->has_scale;
	if (has_word("concat_score_weight", word, len))
		return config->concatenates;
	return true;
}

/* Of the words those that the configuration has; `index` may be past them. */
static const char *find_word(const char *words,
			     const struct config_layer *config, uint32_t index,
			     uint32_t *n)
{
	const char *found = NULL;

	for (*n = 0; *words;) {
		size_t len = strcspn(words, " ");

		if (!config || is_there(words, len, config)) {
			if (*n == index)
				found = static_leaf(words, len);
			(*n)++;
		}
		words += len + (words[len] == ' ');
	}
	return found;
}

const char *leaf_of_value(const char *class_name,
			  const struct config_layer *config, uint32_t index,
			  uint32_t n)
{
	const char *leaf, *words = NULL;
	uint32_t all;
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (is_one_of(classes[i].class_names, class_name))
			words = classes[i].leaves;
	if (!words)
		return NULL;
	/* All but gamma and beta may be missing: then both are. */
	if (!config && n == 2 && count_words(words) == 4)
		return index ? "moving_variance" : "moving_mean";
	leaf = find_word(words, config, index, &all);
	if (n == all)
		return leaf;
	return n + 1 == all && text_ends(words, " bias") ? leaf : NULL;
}

/* ---- Attributes ------------------------------------------------------- */

static const char recurrent[] =
	"LSTM GRU SimpleRNN RNN ConvLSTM1D ConvLSTM2D ConvLSTM3D";
static const char attention[] =
	"query_dense key_dense value_dense output_dense "
	"_query_dense _key_dense _value_dense _output_dense";

const char *class_of_attribute(const char *parent, const char *attribute)
{
	if (is_one_of(recurrent, parent) && strcmp(attribute, "cell") == 0)
		return "LSTMCell"; /* or another: their variables are alike */
	if (parent && strcmp(parent, "Bidirectional") == 0)
		return "RNN";
	if (parent && strcmp(parent, "MultiHeadAttention") == 0 &&
	    is_one_of(attention, attribute))
		return "EinsumDense";
	return NULL;
}

const char *attribute_of_keras2(const char *parent, const char *attribute)
{
	static const char *const privates[] = {"_query_dense", "_key_dense",
					       "_value_dense", "_output_dense"};
	size_t i;

	for (i = 0; i < sizeof(privates) / sizeof(privates[0]); i++)
		if (parent && strcmp(parent, "MultiHeadAttention") == 0 &&
		    strcmp(attribute, privates[i] + 1) == 0)
			return privates[i];
	return attribute;
}

bool class_is_model(const char *class_name)
{
	return is_one_of("Sequential Functional Model", class_name);
}
