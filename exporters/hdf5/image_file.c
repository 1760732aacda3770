#include "hdf5/image_file.h"

#include "hdf5/types.h"

#define LARGEST_ELEMENT 16u /* complex128 */

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if (*text & 0x80)
			return false;
	return true;
}

/* A sieve buffer of one byte: the one element of each dataset is then not
 * surrounded by 64 KiB of zeros. */
static hid_t make_access(struct sparse_image *image)
{
	hid_t access = H5Pcreate(H5P_FILE_ACCESS);

	if (sparse_fd_use(access, image) < 0 ||
	    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST,
				 H5F_LIBVER_LATEST) < 0 ||
	    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0 ||
	    H5Pset_sieve_buf_size(access, 1) < 0) {
		H5Pclose(access);
		return -1;
	}
	return access;
}

static hid_t make_link_list(H5T_cset_t charset)
{
	hid_t list = H5Pcreate(H5P_LINK_CREATE);

	if (H5Pset_create_intermediate_group(list, 1) < 0 ||
	    H5Pset_char_encoding(list, charset) < 0) {
		H5Pclose(list);
		return -1;
	}
	return list;
}

enum wh_status image_file_open(struct image_file *file,
			       struct sparse_image *image, struct wh_error *err)
{
	h5_auto hid_t access = make_access(image);

	file->image = image;
	if (access < 0)
		return wh_fail_memory(err);
	image->poke_size = LARGEST_ELEMENT;
	file->links = make_link_list(H5T_CSET_ASCII);
	file->utf8_links = make_link_list(H5T_CSET_UTF8);
	file->create_dataset = H5Pcreate(H5P_DATASET_CREATE);
	file->one = H5Screate(H5S_SCALAR);
	if (file->links < 0 || file->utf8_links < 0 || file->one < 0 ||
	    H5Pset_obj_track_times(file->create_dataset, false) < 0)
		return wh_fail_memory(err);
	file->file =
		H5Fcreate("weighhouse", H5F_ACC_TRUNC, H5P_DEFAULT, access);
	if (file->file < 0)
		return wh_fail_memory(err);
	return WH_OK;
}

void image_file_close(struct image_file *file)
{
	size_t i;

	for (i = 0; i < sizeof(file->types) / sizeof(file->types[0]); i++)
		h5_release(&file->types[i]);
	h5_release(&file->one);
	h5_release(&file->create_dataset);
	h5_release(&file->links);
	h5_release(&file->utf8_links);
	if (file->file > 0)
		H5Fclose(file->file);
	if (file->image)
		sparse_fd_drop(file->image);
	*file = (struct image_file){0};
}

enum wh_status image_file_finish(struct image_file *file, struct wh_error *err)
{
	herr_t closed = H5Fclose(file->file);

	file->file = 0;
	if (file->image->out_of_memory)
		return wh_fail_memory(err);
	if (closed < 0)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "libhdf5 can't finish the file");
	return WH_OK;
}

hid_t image_file_group(const struct image_file *file, hid_t at,
		       const char *path, hid_t links)
{
	(void)file;
	return H5Gcreate2(at, path, links, H5P_DEFAULT, H5P_DEFAULT);
}

hid_t image_file_links(const struct image_file *file, const char *name)
{
	return is_ascii(name) ? file->links : file->utf8_links;
}

static hid_t type_of(struct image_file *file, enum wh_dtype dtype)
{
	if (file->types[dtype] <= 0)
		file->types[dtype] = h5_type_make(dtype);
	return file->types[dtype];
}

static hid_t make_space(const struct wh_tensor *tensor)
{
	hsize_t dims[WH_MAX_RANK];
	uint32_t i;

	if (tensor->rank == 0)
		return H5Screate(H5S_SCALAR);
	for (i = 0; i < tensor->rank; i++)
		dims[i] = tensor->shape[i];
	return H5Screate_simple((int)tensor->rank, dims, NULL);
}

/* libhdf5 allocates a contiguous dataset, whole, when its first element is
 * written. With the property for early allocation the header would differ. */
static herr_t poke(const struct image_file *file, hid_t dataset, hid_t type,
		   hid_t space, uint32_t rank)
{
	static const uint8_t zeros[LARGEST_ELEMENT];
	static const hsize_t origin[WH_MAX_RANK];

	if (rank && H5Sselect_elements(space, H5S_SELECT_SET, 1, origin) < 0)
		return -1;
	return H5Dwrite(dataset, type, file->one, space, H5P_DEFAULT, zeros);
}

static hid_t create(const struct image_file *file, hid_t at, const char *name,
		    hid_t type, hid_t space)
{
	return name ? H5Dcreate2(at, name, type, space, file->links,
				 file->create_dataset, H5P_DEFAULT)
		    : H5Dcreate_anon(at, type, space, file->create_dataset,
				     H5P_DEFAULT);
}

enum wh_status image_file_dataset(struct image_file *file, hid_t at,
				  const char *name,
				  const struct wh_tensor *tensor,
				  hid_t *dataset, uint64_t *offset,
				  struct wh_error *err)
{
	hid_t type = type_of(file, tensor->dtype);
	h5_auto hid_t space = make_space(tensor);
	haddr_t at_byte;

	*offset = IMAGE_NOWHERE;
	*dataset = create(file, at, name, type, space);
	if (*dataset < 0)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "libhdf5 can't create its dataset");
	if (tensor->nbytes == 0)
		return WH_OK;
	if (poke(file, *dataset, type, space, tensor->rank) < 0)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "libhdf5 can't allocate it");
	at_byte = H5Dget_offset(*dataset);
	if (at_byte == HADDR_UNDEF)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "libhdf5 gives no place to it");
	*offset = at_byte;
	return WH_OK;
}
