/* Files with logins: Docker's and Podman's JSON, AWS's two. */
#include "fuzz/fuzz.h"

#include "publish/oci.h"
#include "publish/s3.h"

static void read_docker(void)
{
	struct credentials login = {0};
	struct wh_error err;

	if (!oci_login_find("registry.example:5000", &login, &err))
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

	setenv("REGISTRY_AUTH_FILE", path, 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
	setenv("AWS_CONFIG_FILE", path, 1);
	read_docker();
	read_aws();
	return 0;
}
