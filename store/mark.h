/* mark.h: which storages snapshots need, found from the snapshots down.
 *
 * A bit for each tree, layer, tensor and storage that was seen; what a storage
 * is coded against is needed as much as the storage itself.
 */
#ifndef WH_STORE_MARK_H
#define WH_STORE_MARK_H

#include "base/bitmap.h"
#include "db.h"

struct marks {
	struct bitmap trees, layers, templates, tensors, storages;
	uint64_t n_tensors, stored_bytes; /* marked so far */
};

/** Marks all that a snapshot with this tree and template (0: none) needs. */
enum wh_status marks_add(struct marks *marks, struct db *db, int64_t tree,
			 int64_t template_id, struct wh_error *err);
void marks_free(struct marks *marks);

#endif
