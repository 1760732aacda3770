/* Files with logins: Docker's and Podman's JSON, AWS's two; and what programs
 * say that Docker's names, which is the input, too. */
#include "fuzz/fuzz.h"

#include "publish/oci.h"
#include "publish/s3.h"

static struct {
	const uint8_t *bytes;
	size_t len;
} input;

/* The linker gives us the call of oci_helper_get (--wrap): no input starts a
 * program. */
enum wh_status __wrap_oci_helper_get(const char *helper, const char *server,
				     struct wh_buf *answer, bool *found,
				     struct wh_error *err);

enum wh_status __wrap_oci_helper_get(const char *helper, const char *server,
				     struct wh_buf *answer, bool *found,
				     struct wh_error *err)
{
	require(*helper && *server);
	*found = true;
	return wh_buf_append(answer, input.bytes, input.len, err);
}

static void read_docker(void)
{
	struct credentials login = {0};
	struct wh_error err;

	if (!oci_login_find("registry.example:5000", "team/model", &login,
			    &err))
		require(!login.password || login.username);
	credentials_free(&login);
}

static void read_aws(void)
{
	struct s3_keys keys = {0};
	struct wh_error err;

	if (!s3_keys_find(&keys, &err))
		require(keys.region);
	s3_keys_free(&keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *path = input_file("login", bytes, len);

	input.bytes = bytes;
	input.len = len;
	setenv("REGISTRY_AUTH_FILE", path, 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
	setenv("AWS_CONFIG_FILE", path, 1);
	read_docker();
	read_aws();
	return 0;
}
