/* hdf5/keras3/tree.h: the objects of a Keras 3 weights file.
 *
 *	/vars				the model's own variables
 *	/layers/<slot>/vars/<i>		a layer's, "0", "1", ... in its order
 *	/layers/<slot>/<attribute>/...	objects inside it
 *	/optimizer/vars/<i>
 *
 * Every `vars` group belongs to an object; Keras 3 puts the object's name on
 * it, an attribute `name` (FORMAT.md).
 */
#ifndef WH_HDF5_KERAS3_TREE_H
#define WH_HDF5_KERAS3_TREE_H

#include "core/name_map.h"
#include "hdf5/view.h"
#include "mapping/keras3.h"

/** Where a value's dataset is: in which file, and which of its datasets. */
struct keras3_dataset {
	uint32_t part, index;
};

/** Objects in the order in which Keras wrote them, as far as the file shows it.
 *  A value's `tensor` is its place in `datasets`, its shard the file's number.
 *  Names are the arena's; the caller frees the rest with keras3_tree_free. */
struct keras3_tree {
	struct arena *arena;
	struct keras3_objects objects;
	struct keras3_dataset *datasets; /* malloc'd */
	uint32_t n_datasets;
	size_t room;
	struct name_map places; /* path -> object */
	struct name_map seen;	/* groups by address, of the file at hand */
	uint64_t max_nbytes;	/* wh_load_options' */
};
void keras3_tree_free(struct keras3_tree *tree);

/** Adds the objects of an HDF5 file, `part`, whose root is open, by libhdf5 in
 * a session. WH_ECORRUPT, WH_EUNSUPPORTED naming what is in the way: links that
 * lead to other files, depth, what is no group or dataset, what no weight has.
 */
enum wh_status keras3_tree_read(struct keras3_tree *tree,
				struct h5_source *source, uint32_t part,
				const struct h5_view *root,
				struct wh_error *err);

/** Whether a root's attributes alone say that it is a legacy file's. */
bool keras3_tree_lists_layers(const struct h5_view *root);

/** Whether a root group is a Keras 3 file's and not a legacy one's. */
bool keras3_tree_is_root(const struct h5_view *root);

#endif
