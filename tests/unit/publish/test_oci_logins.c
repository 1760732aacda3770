#include "support/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "publish/oci.h"

#define PAIR "bWU6c2VjcmV0" /* me:secret */

/* Of the login for `repository` at `host` in a file of that text. */
static void assert_user(const char *text, const char *host,
			const char *repository, const char *user)
{
	char path[] = "/tmp/wh-test-XXXXXX";
	struct credentials login = {0};
	struct wh_error err;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	setenv("REGISTRY_AUTH_FILE", path, 1);
	assert_ok(oci_login_find(host, repository, &login, &err), &err);
	if (user)
		assert_string_equal(login.username, user);
	else
		assert_null(login.username);
	credentials_free(&login);
	unlink(path);
}

/* docker login writes the first one, podman login the second. */
static void docker_hub_has_several_names(void **state)
{
	static const char *const keys[] = {"https://index.docker.io/v1/",
					   "docker.io", "index.docker.io",
					   "registry-1.docker.io"};
	char text[200];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		snprintf(text, sizeof(text),
			 "{\"auths\": {\"%s\": {\"auth\": \"" PAIR "\"}}}",
			 keys[i]);
		assert_user(text, "registry-1.docker.io", "me/model", "me");
		assert_user(text, "docker.io", "me/model", "me");
		assert_user(text, "registry.example", "me/model", NULL);
	}
}

static void an_empty_entry_of_a_namespace_is_no_login(void **state)
{
	static const char text[] =
		"{\"auths\": {\"host:5000\": {\"auth\": \"" PAIR "\"}, "
		"\"host:5000/team\": {}}}";

	(void)state;
	assert_user(text, "host:5000", "other/model", "me");
	assert_user(text, "host:5000", "team/model", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(docker_hub_has_several_names),
		cmocka_unit_test(an_empty_entry_of_a_namespace_is_no_login),
	};

	/* Nobody's own. */
	setenv("HOME", "/nonexistent", 1);
	unsetenv("DOCKER_CONFIG");
	unsetenv("XDG_RUNTIME_DIR");
	unsetenv("XDG_CONFIG_HOME");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
