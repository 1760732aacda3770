/* hdf5/view.h: the objects of an opened file, whoever reads them.
 *
 * classic/ reads the files that Keras writes, libhdf5 all others. A loader
 * asks for what it needs through views and does not see which one answers.
 * It first reads by classic/. If that finds what it doesn't know, the loader
 * begins again with libhdf5, so that what is refused, and in which words, is
 * libhdf5's affair; but a file that is damaged for certain it never sees.
 */
#ifndef WH_HDF5_VIEW_H
#define WH_HDF5_VIEW_H

#include "hdf5/file_source.h"
#include "hdf5/name_list.h"

/** An open group or dataset. A zeroed one is none. */
struct h5_view {
	struct h5_source *source;
	hid_t id;		       /* libhdf5's, or 0 */
	struct classic_group *group;   /* classic's, if it is a group */
	struct classic_header *header; /* classic's: of either kind */
};

void view_close(struct h5_view *view);
/** struct h5_view view_auto view = {0}; */
#define view_auto __attribute__((cleanup(view_close)))

/** Opens the root group by classic/ if the file is one of its kind: false
 *  otherwise. Needs no session. */
bool view_classic_root(struct h5_source *source, struct h5_view *root);

/** Its object header alone, for its attributes: of a group with thousands of
 *  members that is a small part. view_classic_root may follow. */
bool view_classic_header(struct h5_source *source, struct h5_view *root);

/** The root by libhdf5, in a session. WH_ECORRUPT. */
enum wh_status view_libhdf5_root(struct h5_source *source, struct h5_view *root,
				 struct wh_error *err);

/** Why classic/ failed: WH_ECORRUPT for a damaged file, WH_EUNSUPPORTED for one
 *  that is left to libhdf5. */
enum wh_status view_declined(const struct h5_source *source,
			     struct wh_error *err);

/** Whether classic/ could answer all questions so far: some have no way to say
 *  that they can't. */
bool view_is_sure(const struct h5_source *source);

/** h5_group_open, h5_dataset_open, h5_has and h5_has_attribute (object.h,
 *  attribute_read.h). The caller closes `*opened`. */
enum wh_status view_group(const struct h5_view *at, const char *path,
			  struct h5_view *opened, struct wh_error *err);
enum wh_status view_dataset(const struct h5_view *at, const char *path,
			    struct h5_view *opened, struct wh_error *err);
bool view_has(const struct h5_view *at, const char *name);
bool view_has_attribute(const struct h5_view *at, const char *name);

/** Where an open group's header lies, and that of what is linked under a name
 *  in it, if it is a hard link. */
bool view_address(const struct h5_view *group, uint64_t *address);
bool view_child_address(const struct h5_view *at, const char *name,
			uint64_t *address);

/** A list of names, whole or split into NAME0, NAME1, ...; none at all is an
 *  empty one. Errors as h5_names_append. */
enum wh_status view_names(const struct h5_view *at, const char *name,
			  struct arena *arena, const char *const **names,
			  uint32_t *n_names, struct wh_error *err);

/** h5_text_read and h5_count_read (attribute_read.h). */
enum wh_status view_text(const struct h5_view *at, const char *name,
			 struct arena *arena, const char **text, size_t *size,
			 struct wh_error *err);
enum wh_status view_count(const struct h5_view *at, const char *name,
			  uint32_t max, uint32_t *count, bool *found,
			  struct wh_error *err);

/** Describes an open dataset and keeps it as the next of source->datasets.
 *  Errors as h5_dataset_describe and h5_source_keep. */
enum wh_status view_keep(const struct h5_view *object, uint64_t max_nbytes,
			 struct h5_kept **dataset, struct wh_error *err);

#endif
