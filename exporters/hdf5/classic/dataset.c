/* A dataset's messages: its space, its type, a fill value (IV.A.2.f) that is
 * the default one, and a layout (IV.A.2.i) of version 3, contiguous:
 *
 *	version 2 | when allocated, 1-3 | when filled, 0-2 | defined, 0 or 1 |
 *	uint32 size, 0
 *
 *	version 3 | class 1 | uint64 address | uint64 size
 */
#include "hdf5/classic/dataset.h"

#include <string.h>

#include "base/checked.h"
#include "base/endian.h"
#include "hdf5/classic/types.h"

static bool has_default_fill(const struct classic_header *header)
{
	size_t size;
	const uint8_t *fill = classic_header_find(header, CLASSIC_FILL, &size);

	return fill && size >= 8 && fill[0] == 2 && fill[1] >= 1 &&
	       fill[1] <= 3 && fill[2] <= 2 && fill[3] <= 1 &&
	       get_le32(fill + 4) == 0;
}

static bool read_layout(const struct classic_file *file,
			const struct classic_header *header,
			struct h5_dataset *dataset)
{
	size_t size;
	const uint8_t *layout =
		classic_header_find(header, CLASSIC_LAYOUT, &size);

	if (!layout || size < 18 || layout[0] != 3 || layout[1] != 1 ||
	    get_le64(layout + 10) != dataset->nbytes)
		return false;
	dataset->flat = true;
	if (dataset->nbytes == 0)
		return get_le64(layout + 2) == CLASSIC_NOWHERE;
	dataset->offset = get_le64(layout + 2);
	return range_fits(dataset->offset, dataset->nbytes, file->end);
}

bool classic_dataset_describe(const struct classic_file *file,
			      const struct classic_header *header,
			      struct h5_dataset *dataset)
{
	struct classic_space space;
	const uint8_t *type, *shape;
	size_t type_size, shape_size;

	*dataset = (struct h5_dataset){0};
	type = classic_header_find(header, CLASSIC_DATATYPE, &type_size);
	shape = classic_header_find(header, CLASSIC_DATASPACE, &shape_size);
	if (!type || !shape || !has_default_fill(header) ||
	    classic_header_count(header, CLASSIC_SYMBOL_TABLE) ||
	    !classic_space_decode(shape, shape_size, &space))
		return false;
	dataset->dtype = classic_type_decode(type, type_size, &dataset->swap);
	dataset->rank = space.rank;
	memcpy(dataset->shape, space.dims, sizeof(dataset->shape));
	return dataset->dtype != WH_DTYPE_NONE &&
	       checked_mul(space.n, wh_dtype_size(dataset->dtype),
			   &dataset->nbytes) &&
	       dataset->nbytes <= WH_MAX_NBYTES &&
	       read_layout(file, header, dataset);
}
