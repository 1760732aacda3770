/* hdf5/parts.c: errors of who fetches the parts. */
#include "support/assert.h"

#include "base/error.h"
#include "hdf5/hdf5.h"
#include "support/golden.h"

struct failing {
	unsigned calls, fails_at;
};

static enum wh_status fetch(void *arg, uint64_t offset, uint64_t size,
			    struct wh_error *err)
{
	struct failing *failing = arg;

	(void)offset, (void)size;
	if (++failing->calls == failing->fails_at)
		return wh_fail(err, WH_EREMOTE, "the server is gone");
	return WH_OK;
}

/* However far the reader had come. */
static void an_error_of_the_fetch_is_told(void **state)
{
	struct golden_names names = {0};
	struct failing all = {0}, failing = {0};
	struct wh_error err;
	char path[800];
	unsigned i;

	(void)state;
	golden_list(&names, GOLDEN "/h5", ".h5");
	snprintf(path, sizeof(path), GOLDEN "/h5/%s.h5", names.list[0]);
	assert_ok(h5_opening_parts(path, fetch, &all, &err), &err);
	assert_true(all.calls >= 2);
	for (i = 1; i <= all.calls; i++) {
		failing = (struct failing){.fails_at = i};
		assert_fails(h5_opening_parts(path, fetch, &failing, &err),
			     &err, WH_EREMOTE, "the server is gone");
		assert_int_equal(failing.calls, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_of_the_fetch_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
