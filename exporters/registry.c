/* The built-in formats, a line each, and those that a program adds. */
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/error.h"
#include "config.h"
#include "library.h"

#include "hdf5/hdf5.h"
#include "npz/npz.h"
#include "safetensors/safetensors.h"

#if HAVE_TF
#include "tf/tf.h"
#else
static const char *const no_suffixes[] = {NULL};

static const struct wh_format tf_format = {
	.name = "tf",
	.summary = "TensorFlow checkpoint, as Model.save_weights('x')",
	.suffixes = no_suffixes,
	.missing = "this build of weighhouse lacks snappy: install it "
		   "(Debian: libsnappy-dev) and build again",
};
#endif

static const struct wh_format *const formats[] = {
	&hdf5_format, &tf_format,  &keras3_format, &safetensors_format,
	&npz_format,  &npy_format, NULL,
};

/* Keras's other words for its two formats. */
static const struct {
	const char *alias, *name;
} aliases[] = {
	{"hdf5", "h5"},
	{"keras", "h5"},
	{"tensorflow", "tf"},
};

#define LONGEST_NAME 32u

const struct wh_format *const *wh_formats(const struct wh_library *library)
{
	return library ? library->formats : formats;
}

/* As Python's str.lower().strip() for ASCII; false if it can't be a name. */
static bool fold_name(const char *name, char folded[LONGEST_NAME])
{
	size_t len, i;

	while (ascii_is_space(*name))
		name++;
	len = strlen(name);
	while (len && ascii_is_space(name[len - 1]))
		len--;
	if (len >= LONGEST_NAME)
		return false;
	for (i = 0; i < len; i++)
		folded[i] = name[i] >= 'A' && name[i] <= 'Z'
				    ? (char)(name[i] - 'A' + 'a')
				    : name[i];
	folded[len] = '\0';
	return true;
}

const struct wh_format *wh_format_by_name(const struct wh_library *library,
					  const char *name)
{
	const struct wh_format *const *at;
	char folded[LONGEST_NAME];
	const char *wanted = folded;
	size_t i;

	if (!fold_name(name, folded))
		return NULL;
	for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcmp(folded, aliases[i].alias) == 0)
			wanted = aliases[i].name;
	for (at = wh_formats(library); *at; at++)
		if (strcmp(wanted, (*at)->name) == 0)
			return *at;
	return NULL;
}

enum wh_status wh_library_new(struct wh_library **out, struct wh_error *err)
{
	struct wh_library *library = calloc(1, sizeof(*library));

	if (!library)
		return wh_fail_memory(err);
	library->formats = malloc(sizeof(formats));
	if (!library->formats) {
		free(library);
		return wh_fail_memory(err);
	}
	memcpy(library->formats, formats, sizeof(formats));
	library->n_formats = sizeof(formats) / sizeof(formats[0]) - 1;
	*out = library;
	return WH_OK;
}

static bool is_complete(const struct wh_format *format)
{
	char folded[LONGEST_NAME];

	if (!format->name || !format->summary || !format->suffixes ||
	    !*format->name || !fold_name(format->name, folded) ||
	    strcmp(folded, format->name) != 0)
		return false;
	return format->missing || format->plan ||
	       (format->probe && format->load);
}

enum wh_status wh_library_add(struct wh_library *library,
			      const struct wh_format *format,
			      struct wh_error *err)
{
	const struct wh_format **moved;

	if (!is_complete(format) || (format->load && !format->probe))
		return wh_fail(err, WH_EINVAL,
			       "the descriptor of format '%s' lacks something",
			       format->name ? format->name : "");
	if (wh_format_by_name(library, format->name))
		return wh_fail(err, WH_EEXISTS,
			       "there is a format '%s' already", format->name);
	moved = reallocarray(library->formats, library->n_formats + 2,
			     sizeof(*moved));
	if (!moved)
		return wh_fail_memory(err);
	library->formats = moved;
	moved[library->n_formats++] = format;
	moved[library->n_formats] = NULL;
	return WH_OK;
}
