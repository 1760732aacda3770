/* A file that libhdf5 makes on the sparse driver is the one that it makes on
 * disk, and costs only its metadata. */
#include "support/assert.h"

#include <stdlib.h>
#include <unistd.h>

#include "hdf5/session.h"
#include "hdf5/sparse_fd.h"

#define N_LAYERS 40

static void set_properties(hid_t access)
{
	H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
	H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
	H5Pset_sieve_buf_size(access, 1);
}

static void write_attribute(hid_t group, int i)
{
	char text[400];
	const char *value = text;
	hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
	hid_t attribute;

	memset(text, 'a' + i % 26, sizeof(text));
	text[(i * 37) % 399] = '\0';
	text[399] = '\0';
	H5Tset_size(type, H5T_VARIABLE);
	attribute = H5Acreate2(group, "note", type, space, H5P_DEFAULT,
			       H5P_DEFAULT);
	assert_true(H5Awrite(attribute, type, &value) >= 0);
	H5Aclose(attribute);
	H5Sclose(space);
	H5Tclose(type);
}

static void write_dataset(hid_t group, hsize_t n)
{
	static const hsize_t origin = 0;
	static const float zero;
	hid_t list = H5Pcreate(H5P_DATASET_CREATE);
	hid_t space = H5Screate_simple(1, &n, NULL);
	hid_t one = H5Screate(H5S_SCALAR);
	hid_t dataset;

	H5Pset_obj_track_times(list, false);
	dataset = H5Dcreate2(group, "w", H5T_IEEE_F32LE, space, H5P_DEFAULT,
			     list, H5P_DEFAULT);
	H5Sselect_elements(space, H5S_SELECT_SET, 1, &origin);
	assert_true(H5Dwrite(dataset, H5T_IEEE_F32LE, one, space, H5P_DEFAULT,
			     &zero) >= 0);
	H5Dclose(dataset);
	H5Sclose(one);
	H5Sclose(space);
	H5Pclose(list);
}

/* Groups, heaps, attributes, datasets of many sizes. */
static void write_file(const char *path, hid_t access, hsize_t largest)
{
	hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
	char name[64];
	int i;

	assert_true(file >= 0);
	for (i = 0; i < N_LAYERS; i++) {
		hid_t group;

		snprintf(name, sizeof(name), "layer_%d_%0*d", i, i % 40, 7);
		group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT,
				   H5P_DEFAULT);
		write_attribute(group, i);
		write_dataset(group, i % 7 ? (hsize_t)i * 131 + 1 : largest);
		H5Gclose(group);
	}
	assert_true(H5Fclose(file) >= 0);
}

static void write_sparse(struct sparse_image *image, hsize_t largest)
{
	hid_t access = H5Pcreate(H5P_FILE_ACCESS);

	image->poke_size = sizeof(float);
	set_properties(access);
	assert_true(sparse_fd_use(access, image) >= 0);
	write_file("not on disk", access, largest);
	H5Pclose(access);
	sparse_fd_drop(image);
}

static void it_makes_the_bytes_of_an_ordinary_file(void **state)
{
	char path[] = "/tmp/wh-sparse-XXXXXX";
	struct sparse_image image = {0};
	hid_t access = H5Pcreate(H5P_FILE_ACCESS);
	uint8_t *expected, *made;
	FILE *file;

	(void)state;
	close(mkstemp(path));
	set_properties(access);
	write_file(path, access, 100000);
	H5Pclose(access);
	write_sparse(&image, 100000);

	expected = malloc((size_t)image.size);
	made = malloc((size_t)image.size);
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fread(expected, 1, (size_t)image.size, file),
			 image.size);
	assert_int_equal(fgetc(file), EOF);
	fclose(file);
	sparse_image_read(&image, 0, made, (size_t)image.size);
	assert_memory_equal(made, expected, (size_t)image.size);
	free(made);
	free(expected);
	sparse_image_free(&image);
	unlink(path);
}

static void payloads_cost_nothing(void **state)
{
	struct sparse_image image = {0};

	(void)state;
	write_sparse(&image, (hsize_t)1 << 32);
	assert_true(image.size > (uint64_t)6 << 34); /* six of 16 GiB */
	assert_true(image.n_pages * SPARSE_PAGE < (size_t)1 << 20);
	sparse_image_free(&image);
}

static void what_was_not_written_reads_as_zeros(void **state)
{
	struct sparse_image image = {0};
	uint8_t bytes[10000], zeros[10000] = {0};

	(void)state;
	memset(bytes, 1, sizeof(bytes));
	sparse_image_read(&image, 12345, bytes, sizeof(bytes));
	assert_memory_equal(bytes, zeros, sizeof(bytes));
}

static void a_session_leaves_the_library_as_it_was(void **state)
{
	struct h5_session session = {0};
	struct wh_error err;
	H5E_auto2_t before, after;
	unsigned plugins_before, plugins, plugins_after;
	void *arg;

	(void)state;
	H5Eget_auto2(H5E_DEFAULT, &before, &arg);
	H5PLget_loading_state(&plugins_before);
	assert_ok(h5_enter(&session, &err), &err);
	H5Eget_auto2(H5E_DEFAULT, &after, &arg);
	assert_null(after);
	H5PLget_loading_state(&plugins);
	assert_int_equal(plugins, 0);
	assert_true(H5Gopen2(-1, "x", H5P_DEFAULT) < 0);
	h5_leave(&session);
	H5Eget_auto2(H5E_DEFAULT, &after, &arg);
	H5PLget_loading_state(&plugins_after);
	assert_true(before == after);
	assert_int_equal(plugins_before, plugins_after);
}

static int load_library(void **state)
{
	(void)state;
	return late_load(&late_hdf5, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_makes_the_bytes_of_an_ordinary_file),
		cmocka_unit_test(payloads_cost_nothing),
		cmocka_unit_test(what_was_not_written_reads_as_zeros),
		cmocka_unit_test(a_session_leaves_the_library_as_it_was),
	};

	return cmocka_run_group_tests(tests, load_library, NULL);
}
