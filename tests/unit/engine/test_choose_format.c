/* Keras's rules for filepath and save_format, row by row, and its own words
 * (tf_keras/saving/legacy/save.py, 2.21). */
#include "support/assert.h"

#include <weighhouse/weights.h>

#define UNKNOWN(word)                                                          \
	"Unknown format. Received: `save_format`=" word                        \
	". Was expecting one of {\"tf\", \"h5\"}."
#define LOOKS_LIKE_HDF5(path)                                                  \
	"save_weights got save_format=\"tf\"/\"tensorflow\", but the "         \
	"filepath "                                                            \
	"(" path                                                               \
	") looks like an HDF5 file. Omit the \".h5\"/\".keras\" when "         \
	"saving in TensorFlow format."

static const struct {
	const char *path, *save_format, *wanted;
} rows[] = {
	/* By the suffix, case-sensitively. */
	{"w.h5", NULL, "h5"},
	{"w.hdf5", NULL, "h5"},
	{"w.keras", NULL, "h5"}, /* HDF5, not a zip */
	{"weights.h5", NULL, "h5"},
	{"w.weights.hdf5", NULL, "h5"},
	{".h5", NULL, "h5"},
	{"w", NULL, "tf"},
	{"w.ckpt", NULL, "tf"},
	{"w.H5", NULL, "tf"},
	{"w.h5.bak", NULL, "tf"},
	{"w.tf", NULL, "tf"},
	{"d.h5/w", NULL, "tf"},
	/* .weights.h5 before all: what is asked for is not even looked at. */
	{"w.weights.h5", NULL, "keras3"},
	{"d/w.weights.h5", "tf", "keras3"},
	{"w.weights.h5", "h5", "keras3"},
	{"w.weights.h5", "nonsense", "keras3"},
	{".weights.h5", NULL, "keras3"},
	/* By name: any case, blanks around. */
	{"w", "h5", "h5"},
	{"w.bin", "hdf5", "h5"},
	{"w", "keras", "h5"},
	{"w", " H5 ", "h5"},
	{"w", "\tHDF5\n", "h5"},
	{"w.h5", "h5", "h5"},
	{"w", "tf", "tf"},
	{"w", "tensorflow", "tf"},
	{"w.bin", "TensorFlow", "tf"},
	{"w.H5", "TF", "tf"},
};

static const struct {
	const char *path, *save_format, *text;
} refusals[] = {
	{"w.h5", "tf", LOOKS_LIKE_HDF5("w.h5")},
	{"w.keras", "tensorflow", LOOKS_LIKE_HDF5("w.keras")},
	{"d/w.hdf5", " TF ", LOOKS_LIKE_HDF5("d/w.hdf5")},
	{"w", "", UNKNOWN("")},
	{"w", "bogus", UNKNOWN("bogus")},
	{"w", "keras_v3", UNKNOWN("keras_v3")},
	{"w", "h 5", UNKNOWN("h 5")},
	/* An unknown format is told first. */
	{"w.h5", "Bogus", UNKNOWN("Bogus")},
};

/* A build without a format's library knows its name all the same. */
static void each_row_gives_kerass_format(void **state)
{
	const struct wh_format *format;
	struct wh_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct wh_format *wanted =
			wh_format_by_name(NULL, rows[i].wanted);
		enum wh_status status = wh_choose_format(
			rows[i].path, rows[i].save_format, NULL, &format, &err);

		if (wanted->missing) {
			assert_int_equal(status, WH_EUNSUPPORTED);
			assert_non_null(strstr(err.message, wanted->missing));
			continue;
		}
		if (status || strcmp(format->name, rows[i].wanted))
			fail_msg("%s, %s: %s", rows[i].path,
				 rows[i].save_format ? rows[i].save_format
						     : "None",
				 status ? err.message : format->name);
	}
}

static void refusals_are_in_kerass_words(void **state)
{
	const struct wh_format *format = NULL;
	struct wh_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		assert_int_equal(wh_choose_format(refusals[i].path,
						  refusals[i].save_format, NULL,
						  &format, &err),
				 WH_EINVAL);
		assert_string_equal(err.message, refusals[i].text);
	}
	assert_null(format);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_gives_kerass_format),
		cmocka_unit_test(refusals_are_in_kerass_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
