/* hdf5/classic/writer.h: files of groups and contiguous datasets, laid out as
 * libhdf5 lays them out with h5py's properties (FORMAT.md, "Writing"), without
 * libhdf5.
 *
 * Everything must be made in the order in which h5py makes it. What is not
 * known to come out as libhdf5's bytes is declined: functions return false,
 * and the file is libhdf5's to lay out.
 */
#ifndef WH_HDF5_CLASSIC_WRITER_H
#define WH_HDF5_CLASSIC_WRITER_H

#include "base/buf.h"
#include "hdf5/classic/space.h"
#include <weighhouse/tensor.h>

/** Bytes of metadata, finished. What no piece covers is zero. */
struct classic_piece {
	uint64_t address, size;
	uint64_t start; /* in writer->bytes */
};

/** The collections of strings, those made last in front. */
#define CLASSIC_COLLECTIONS 16u
struct classic_collection {
	uint64_t address, size, left; /* left: bytes at its end */
	uint32_t n;		      /* strings */
	uint64_t touched;	      /* writer->made when it was used last */
	uint8_t *bytes;		      /* malloc'd */
};

struct classic_writer {
	struct space space;
	struct wh_buf bytes;	      /* of all pieces */
	struct classic_piece *pieces; /* malloc'd */
	size_t n_pieces, room;
	struct classic_collection *collections[CLASSIC_COLLECTIONS];
	uint32_t n_collections;
	uint64_t made; /* bytes of metadata so far */
	bool failed;   /* out of memory */
};

struct classic_new_group;

/** Begins a file; the root group in `*root`. */
bool classic_writer_open(struct classic_writer *writer,
			 struct classic_new_group **root);

/** Ends it: closes the root. writer->space.end is the file's size then, and
 *  writer->pieces has all metadata, by address. */
bool classic_writer_finish(struct classic_writer *writer,
			   struct classic_new_group *root);

/** In any state. */
void classic_writer_close(struct classic_writer *writer);

/** Makes a group `name` (one component) in another. The caller closes it. */
bool classic_group_make(struct classic_writer *writer,
			struct classic_new_group *at, const char *name,
			struct classic_new_group **group);

/** Writes what the group has become, and frees it. Takes NULL. */
bool classic_group_finish(struct classic_writer *writer,
			  struct classic_new_group *group);

/** Frees a group without writing it. */
void classic_group_drop(struct classic_new_group *group);

/** Makes a dataset, and room for its payload at `*offset` (UINT64_MAX: it has
 *  none). */
bool classic_dataset_make(struct classic_writer *writer,
			  struct classic_new_group *at, const char *name,
			  const struct wh_tensor *tensor, uint64_t *offset);

/** A group's attributes, all before its first member: a list of strings of
 *  variable length, one string of that kind, an empty list, a list of strings
 *  of `size` bytes padded by NULs. */
bool classic_put_names(struct classic_writer *writer,
		       struct classic_new_group *group, const char *name,
		       const char *const *names, uint32_t n_names);
bool classic_put_text(struct classic_writer *writer,
		      struct classic_new_group *group, const char *name,
		      const char *text);
bool classic_put_nothing(struct classic_writer *writer,
			 struct classic_new_group *group, const char *name);
bool classic_put_rows(struct classic_writer *writer,
		      struct classic_new_group *group, const char *name,
		      const char *const *names, uint32_t n_names, size_t size);

/* ---- Inside ------------------------------------------------------------- */

/** Keeps finished bytes (copied), but for zeros at their end. */
bool classic_keep(struct classic_writer *writer, uint64_t address,
		  const void *bytes, uint64_t size);

/** libhdf5's cache begins with 2 MiB of metadata. It writes what has not been
 *  used for long, as soon as seven tenths of it wait to be written:
 *  heaps of names then leave traces where they lay. It forgets what is older
 *  still: collections of strings are then not added to. Neither is followed
 *  here. Whether what was used last when writer->made was `touched` is surely
 *  not written yet, and surely not forgotten yet. */
bool classic_is_unwritten(const struct classic_writer *writer,
			  uint64_t touched);
bool classic_is_cached(const struct classic_writer *writer, uint64_t touched);

/** Takes room for metadata, and counts it. */
uint64_t classic_take(struct classic_writer *writer, uint64_t size);

/** write_strings.c: puts a string into a collection; 16 bytes of reference. */
bool classic_put_string(struct classic_writer *writer, const char *text,
			uint8_t reference[16]);

#endif
