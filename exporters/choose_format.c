/* Which format a path and a save_format mean: Keras's rules, in its order and
 * in its words (tf_keras/saving/legacy/save.py, version 2.21). */
#include <string.h>

#include "base/text.h"
#include "engine.h"

static const char *const hdf5_suffixes[] = {".h5", ".keras", ".hdf5"};

static bool is_hdf5_path(const char *path)
{
	size_t i;

	for (i = 0; i < sizeof(hdf5_suffixes) / sizeof(hdf5_suffixes[0]); i++)
		if (text_ends(path, hdf5_suffixes[i]))
			return true;
	return false;
}

/* A suffix that Keras has no rule for: ".safetensors", a plug-in's. */
static const struct wh_format *find_by_suffix(const struct wh_library *library,
					      const char *path)
{
	const struct wh_format *const *at;
	const char *const *suffix;

	for (at = wh_formats(library); *at; at++)
		for (suffix = (*at)->suffixes; *suffix; suffix++)
			if (text_ends(path, *suffix))
				return *at;
	return wh_format_by_name(library, "tf");
}

static enum wh_status choose(const char *path, const char *save_format,
			     const struct wh_library *library,
			     const struct wh_format **format,
			     struct wh_error *err)
{
	if (text_ends(path, ".weights.h5")) {
		*format = wh_format_by_name(library, "keras3");
		return WH_OK;
	}
	if (!save_format) {
		*format = is_hdf5_path(path) ? wh_format_by_name(library, "h5")
					     : find_by_suffix(library, path);
		return WH_OK;
	}
	*format = wh_format_by_name(library, save_format);
	if (!*format)
		return wh_fail(err, WH_EINVAL,
			       "Unknown format. Received: `save_format`=%s. "
			       "Was expecting one of {\"tf\", \"h5\"}.",
			       save_format);
	if (strcmp((*format)->name, "tf") == 0 && is_hdf5_path(path))
		return wh_fail(
			err, WH_EINVAL,
			"save_weights got save_format=\"tf\"/\"tensorflow\", "
			"but the filepath (%s) looks like an HDF5 file. Omit "
			"the \".h5\"/\".keras\" when saving in TensorFlow "
			"format.",
			path);
	return WH_OK;
}

enum wh_status wh_choose_format(const char *filepath, const char *save_format,
				const struct wh_library *library,
				const struct wh_format **format,
				struct wh_error *err)
{
	const struct wh_format *chosen;

	WH_TRY(choose(filepath, save_format, library, &chosen, err));
	/* As Keras's ImportError: after the format, before any file. */
	if (chosen->missing)
		return wh_fail(err, WH_EUNSUPPORTED, "format %s: %s",
			       chosen->name, chosen->missing);
	*format = chosen;
	return WH_OK;
}
