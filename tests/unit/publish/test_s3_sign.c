/* Vectors computed by botocore 1.44.5 (S3SigV4Auth). */
#include "support/assert.h"

#include "publish/s3.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define AT    1767323045 /* 2026-01-02T03:04:05Z */

static char access_key[] = "AKIDEXAMPLE", region[] = "us-east-1";
static char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
static char token[] = "TOKEN";

static void check(const char *method, const char *path,
		  const char *const *headers, const char *hash,
		  char *with_token, const char *request, const char *signature)
{
	struct s3_keys keys = {.access = access_key,
			       .secret = secret,
			       .token = with_token,
			       .region = region};
	char url[300], request_hash[S3_HASH_SIZE], found[S3_HASH_SIZE];
	struct s3_signing signing = {.keys = &keys,
				     .method = method,
				     .url = url,
				     .headers = headers,
				     .hash = hash,
				     .time = AT};
	struct wh_error err;

	snprintf(url, sizeof(url), "http://127.0.0.1:9000%s", path);
	assert_ok(s3_signature(&signing, request_hash, found, &err), &err);
	assert_string_equal(request_hash, request);
	assert_string_equal(found, signature);
}

static void a_put_with_a_content_type(void **state)
{
	const char *const headers[] = {"Content-Type: application/octet-stream",
				       NULL};

	(void)state;
	check("PUT", "/bkt/v/s1/model.h5", headers,
	      "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde"
	      "9",
	      NULL,
	      "6e5e725bc9c5d1af89866e4968ff29dc30e1bb7a67cb6713c0d52c2daad0f47"
	      "c",
	      "126e7dea35932048f50cd7cb859a43ccc2475fdb6a4647d1d2222a74f251d3a"
	      "6");
}

static void a_query_without_a_value(void **state)
{
	(void)state;
	check("POST", "/bkt/v/s1/model.h5?uploads=", NULL, EMPTY, NULL,
	      "bffad15cd15edd7529956eb9a291a40180240a298396a413c6771617a799ef3"
	      "8",
	      "d114522cc2a432913e948b5ef36c8ab9a9e2eb55ba250ecf71e2102597e5049"
	      "8");
}

static void a_sorted_and_escaped_query(void **state)
{
	(void)state;
	check("GET",
	      "/bkt?delimiter=%2F&list-type=2&max-keys=10&"
	      "prefix=a%20b%2Bc%2Fd%3D%C3%A9",
	      NULL, EMPTY, NULL,
	      "b32f3583195aa99b82c960a2a4f97fc931565a2c455876405d3a5f35d36a94b"
	      "7",
	      "ce5496bdf412a4b21f88452e75eb96a1f51c573c23b5d0bb3f3ff296150523f"
	      "2");
}

static void metadata_that_begins_alike_and_a_token(void **state)
{
	const char *const headers[] = {"x-amz-meta-a-b: 2",
				       "x-amz-meta-a: 1  2 ", NULL};

	(void)state;
	check("PUT", "/bkt/a%20b%2Bc/d%3D%C3%A9", headers,
	      "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a488"
	      "1",
	      token,
	      "efae78bb382438e2a1c3571e89a8dbcf0b1b9b185212666fe7a0022fb5b60bd"
	      "e",
	      "3c8ed1801f0cb101c199649963d18b2d57cce088e47c716ee1110c222e35107"
	      "4");
}

static void conditions_are_not_signed(void **state)
{
	const char *const headers[] = {"Content-Type: application/octet-stream",
				       "If-None-Match: *", "Range: bytes=1-",
				       NULL};

	(void)state;
	check("PUT", "/bkt/v/s1/model.h5", headers,
	      "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde"
	      "9",
	      NULL,
	      "6e5e725bc9c5d1af89866e4968ff29dc30e1bb7a67cb6713c0d52c2daad0f47"
	      "c",
	      "126e7dea35932048f50cd7cb859a43ccc2475fdb6a4647d1d2222a74f251d3a"
	      "6");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_put_with_a_content_type),
		cmocka_unit_test(a_query_without_a_value),
		cmocka_unit_test(a_sorted_and_escaped_query),
		cmocka_unit_test(metadata_that_begins_alike_and_a_token),
		cmocka_unit_test(conditions_are_not_signed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
