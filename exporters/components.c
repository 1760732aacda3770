/* The libraries that this one was built with. */
#include "config.h"

#include <weighhouse/library.h>

const struct wh_component *wh_components(void)
{
	static const struct wh_component components[] = {
		{"sqlite", VERSION_SQLITE, "the store"},
		{"openssl", VERSION_OPENSSL, "SHA-256"},
		{"zstd", VERSION_ZSTD, "codecs"},
		{"zlib", VERSION_ZLIB, "archives"},
		{"jansson", VERSION_JANSSON, "JSON"},
		{"isa-l", VERSION_ISAL, "fast CRCs"},
		{"hdf5", VERSION_HDF5, "the formats h5 and keras3"},
		{"curl", VERSION_CURL, "publishing by HTTP"},
		{NULL, NULL, NULL},
	};

	return components;
}
