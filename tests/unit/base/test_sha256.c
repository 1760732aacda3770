/* Vectors of FIPS 180-2, appendix B, and RFC 4231, section 4. */
#include "support/assert.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/sha256.h"
#include "base/text.h"

static void assert_digest(const uint8_t digest[SHA256_SIZE], const char *wanted)
{
	char hex[2 * SHA256_SIZE + 1];

	text_hex(digest, SHA256_SIZE, hex);
	assert_string_equal(hex, wanted);
}

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define TWO_BLOCKS                                                             \
	"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
#define MILLION                                                                \
	"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void the_standards_vectors(void **state)
{
	static const char two[] =
		"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	uint8_t digest[SHA256_SIZE];
	struct wh_error err;

	(void)state;
	assert_ok(sha256_of("abc", 3, digest, &err), &err);
	assert_digest(digest, ABC);
	assert_ok(sha256_of(two, 56, digest, &err), &err);
	assert_digest(digest, TWO_BLOCKS);
	assert_ok(sha256_of("", 0, digest, &err), &err);
	assert_digest(digest, EMPTY);
}

static void a_stream_is_reusable(void **state)
{
	char thousand[1000];
	uint8_t digest[SHA256_SIZE];
	struct sha256 *hash;
	struct wh_error err;
	int i, round;

	(void)state;
	memset(thousand, 'a', sizeof(thousand));
	assert_ok(sha256_new(&hash, &err), &err);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 1000; i++)
			assert_ok(sha256_update(hash, thousand, 1000, &err),
				  &err);
		assert_ok(sha256_final(hash, digest, &err), &err);
		assert_digest(digest, MILLION);
		assert_ok(sha256_reset(hash, &err), &err);
	}
	sha256_free(hash);
	sha256_free(NULL);
}

/* The standard's million, between an "x" and a "y". */
static void a_part_of_a_file(void **state)
{
	FILE *file = tmpfile();
	uint8_t digest[SHA256_SIZE];
	struct sha256 *hash;
	struct wh_error err;
	uint64_t at = 1;
	size_t i;

	(void)state;
	assert_non_null(file);
	assert_int_equal(fputc('x', file), 'x');
	for (i = 0; i < 1000000; i++)
		assert_int_equal(fputc('a', file), 'a');
	assert_int_equal(fputc('y', file), 'y');
	assert_int_equal(fflush(file), 0);
	assert_ok(sha256_new(&hash, &err), &err);
	assert_ok(
		sha256_update_file(hash, fileno(file), &at, 1000001, "f", &err),
		&err);
	assert_int_equal(at, 1000001);
	assert_ok(sha256_final(hash, digest, &err), &err);
	assert_digest(digest, MILLION);
	/* Its own end comes first. */
	at = 1000002;
	assert_ok(sha256_reset(hash, &err), &err);
	assert_ok(sha256_update_file(hash, fileno(file), &at, UINT64_MAX, "f",
				     &err),
		  &err);
	assert_int_equal(at, 1000002);
	assert_ok(sha256_final(hash, digest, &err), &err);
	assert_digest(digest, EMPTY);
	assert_fails(sha256_update_file(hash, -1, &at, UINT64_MAX, "f", &err),
		     &err, WH_EIO, "'f'");
	sha256_free(hash);
	fclose(file);
}

static void a_keyed_digest(void **state)
{
	uint8_t key[20], digest[SHA256_SIZE];
	struct wh_error err;

	(void)state;
	memset(key, 0x0b, sizeof(key));
	assert_ok(sha256_hmac(key, sizeof(key), "Hi There", 8, digest, &err),
		  &err);
	assert_digest(digest, "b0344c61d8db38535ca8afceaf0bf12b"
			      "881dc200c9833da726e9376c2e32cff7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_standards_vectors),
		cmocka_unit_test(a_stream_is_reusable),
		cmocka_unit_test(a_part_of_a_file),
		cmocka_unit_test(a_keyed_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
