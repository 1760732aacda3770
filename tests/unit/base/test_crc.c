#include "support/assert.h"

#include "base/crc.h"
#include "base/sha256.h"
#include "base/text.h"

static void the_check_values_of_the_catalogues_hold(void **state)
{
	(void)state;
	assert_int_equal(crc32c_update(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32_update(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32c_update(0, "", 0), 0);
}

static void runs_chain_and_combine(void **state)
{
	uint8_t bytes[1000];
	uint32_t whole, chained, a, b;
	size_t cut;

	(void)state;
	for (cut = 0; cut < sizeof(bytes); cut++)
		bytes[cut] = (uint8_t)(cut * 37 + 11);
	whole = crc32c_update(0, bytes, sizeof(bytes));
	for (cut = 0; cut <= sizeof(bytes); cut += 13) {
		size_t rest = sizeof(bytes) - cut;

		a = crc32c_update(0, bytes, cut);
		b = crc32c_update(0, bytes + cut, rest);
		chained = crc32c_update(a, bytes + cut, rest);
		assert_int_equal(chained, whole);
		assert_int_equal(crc32c_combine(a, b, rest), whole);
		a = crc32_update(0, bytes, cut);
		b = crc32_update(0, bytes + cut, rest);
		assert_int_equal(crc32_combine_runs(a, b, rest),
				 crc32_update(0, bytes, sizeof(bytes)));
	}
}

static void sha256_of_abc_is_that_of_fips_180(void **state)
{
	struct wh_error err;
	uint8_t digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	(void)state;
	assert_ok(sha256_of("abc", 3, digest, &err), &err);
	text_hex(digest, sizeof(digest), hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223"
				 "b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_check_values_of_the_catalogues_hold),
		cmocka_unit_test(runs_chain_and_combine),
		cmocka_unit_test(sha256_of_abc_is_that_of_fips_180),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
