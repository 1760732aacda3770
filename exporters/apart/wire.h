/* apart/wire.h: a manifest as bytes between two processes of one program. */
#ifndef WH_APART_WIRE_H
#define WH_APART_WIRE_H

#include "base/arena.h"
#include "base/buf.h"
#include <weighhouse/source.h>

/** Appends the manifest; WH_EUNSUPPORTED if it has a graph. */
enum wh_status wire_encode(const struct wh_manifest *manifest,
			   struct wh_buf *bytes, struct wh_error *err);

/** Reads it back into the arena and trusts nothing: limits, names, indexes and
 *  sizes as an importer checks them. WH_ECORRUPT. */
enum wh_status wire_decode(const uint8_t *bytes, size_t size,
			   struct arena *arena, struct wh_manifest *manifest,
			   struct wh_error *err);

#endif
