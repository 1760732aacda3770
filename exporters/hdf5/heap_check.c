/* A reference to a string, and the collection that it lies in ("HDF5 File
 * Format Specification 3.0", IV.B and III.E; addresses of 8 bytes):
 *
 *	uint32 length | uint64 address of the collection | uint32 index
 *
 *	"GCOL" | version, 3 reserved | uint64 size of all | objects
 *	uint16 index | uint16 references, 4 reserved | uint64 size | data,
 *padded
 *
 * libhdf5 hands references out to a conversion of ours only: from strings of
 * variable length to opaque bytes, which it has none for.
 */
#include "hdf5/heap_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/checked.h"
#include "base/endian.h"
#include "hdf5/session.h"

#define REFERENCE_SIZE 16u
#define HEAD_SIZE      16u /* of a collection, and of an object */
#define NOWHERE	       UINT64_MAX

/* The collection looked into last: strings of one attribute share few. */
struct collection {
	const struct input_file *input;
	uint64_t origin; /* of the file's addresses: the user block's size */
	uint64_t address, size;
	uint8_t *bytes;
};

static herr_t keep_references(hid_t from, hid_t to, H5T_cdata_t *data, size_t n,
			      size_t stride, size_t background_stride,
			      void *buf, void *background, hid_t list)
{
	(void)n;
	(void)stride;
	(void)background_stride;
	(void)buf;
	(void)background;
	(void)list;
	if (data->command != H5T_CONV_INIT)
		return 0;
	data->need_bkg = H5T_BKG_NO;
	return H5Tget_size(from) == REFERENCE_SIZE &&
			       H5Tget_size(to) == REFERENCE_SIZE
		       ? 0
		       : -1;
}

/* A string's characters have a size of their own, too, which libhdf5 takes the
 * length times. */
static bool is_of_bytes(hid_t type)
{
	h5_auto hid_t character = H5Tget_super(type);

	return character > 0 && H5Tget_size(character) == 1;
}

static enum wh_status read_references(hid_t attribute, uint8_t *references,
				      const char *name, struct wh_error *err)
{
	h5_auto hid_t type = H5Aget_type(attribute);
	h5_auto hid_t bytes = H5Tcreate(H5T_OPAQUE, REFERENCE_SIZE);
	herr_t done = -1;

	if (is_of_bytes(type))
		done = H5Tregister(H5T_PERS_SOFT, "wh references", type, bytes,
				   keep_references);
	if (done >= 0) {
		done = H5Aread(attribute, bytes, references);
		H5Tunregister(H5T_PERS_SOFT, "wh references", type, bytes,
			      keep_references);
	}
	return done < 0 ? wh_fail(err, WH_ECORRUPT,
				  "attribute '%s' can't be read", name)
			: WH_OK;
}

static bool load(struct collection *heap, uint64_t address)
{
	const struct input_file *input = heap->input;
	uint8_t head[HEAD_SIZE];
	uint64_t at;

	if (address == heap->address)
		return true;
	heap->address = NOWHERE;
	if (!checked_add(address, heap->origin, &at) ||
	    input_read(input, at, head, sizeof(head)) ||
	    memcmp(head, "GCOL", 4) != 0)
		return false;
	heap->size = get_le64(head + 8);
	if (heap->size < HEAD_SIZE || heap->size > input->max_read)
		return false;
	free(heap->bytes);
	heap->bytes = malloc((size_t)heap->size);
	if (!heap->bytes ||
	    input_read(input, at, heap->bytes, (size_t)heap->size))
		return false;
	heap->address = address;
	return true;
}

/* Objects follow each other; index 0 is the free space at the end. The string
 * is not longer than its object: libhdf5 makes room, and clears it, for as many
 * bytes as the reference says. */
static bool holds(const struct collection *heap, uint32_t index,
		  uint32_t length)
{
	uint64_t at = HEAD_SIZE, size, next;

	while (range_fits(at, HEAD_SIZE, heap->size)) {
		const uint8_t *object = heap->bytes + at;

		size = get_le64(object + 8);
		if (get_le16(object) == index && index)
			return length <= size &&
			       range_fits(at + HEAD_SIZE, size, heap->size);
		if (get_le16(object) == 0 || !checked_add(size, 7, &size) ||
		    !checked_add(at + HEAD_SIZE, size & ~UINT64_C(7), &next))
			return false;
		at = next;
	}
	return false;
}

static uint64_t user_block(hid_t attribute)
{
	h5_auto hid_t file = H5Iget_file_id(attribute);
	h5_auto hid_t made = H5Fget_create_plist(file);
	hsize_t size = 0;

	H5Pget_userblock(made, &size);
	return size;
}

enum wh_status heap_check(hid_t attribute, uint64_t n, const char *name,
			  const struct input_file *input, struct wh_error *err)
{
	wh_free_auto uint8_t *references =
		calloc((size_t)n + 1, REFERENCE_SIZE);
	struct collection heap = {.input = input, .address = NOWHERE};
	enum wh_status status = WH_OK;
	uint64_t i;

	if (!references)
		return wh_fail_memory(err);
	WH_TRY(read_references(attribute, references, name, err));
	heap.origin = user_block(attribute);
	for (i = 0; i < n && !status; i++) {
		const uint8_t *at = references + i * REFERENCE_SIZE;
		uint64_t address = get_le64(at + 4);

		if (address == 0) /* the empty string */
			continue;
		if (!load(&heap, address) ||
		    !holds(&heap, get_le32(at + 12), get_le32(at)))
			status = wh_fail(err, WH_ECORRUPT,
					 "attribute '%s' has a string that is "
					 "not where it says",
					 name);
	}
	free(heap.bytes);
	return status;
}
