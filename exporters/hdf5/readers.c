#include "hdf5/readers.h"

/* Each opens the file for itself: in a process apart it can't do so twice. */
enum wh_status readers_load(apart_load_fn *by_classic,
			    apart_load_fn *by_libhdf5, const char *path,
			    uint64_t size,
			    const struct wh_load_options *options,
			    struct wh_source **out, struct wh_error *err)
{
	enum wh_status status =
		options->isolation == WH_APART_LIMITED
			? apart_load(by_classic, "the reader", path, size,
				     options, out, err)
			: by_classic(path, options, out, err);

	if (status != WH_EUNSUPPORTED)
		return status;
	if (options->isolation == WH_IN_PROCESS)
		return by_libhdf5(path, options, out, err);
	return apart_load(by_libhdf5, "libhdf5", path, size, options, out, err);
}
