#include "base/json_put.h"

#include <stdbool.h>

#include "base/buf.h"
#include "base/c_locale.h"

struct printing {
	struct wh_buf text;
	bool failed;
};

static int take(const char *bytes, size_t len, void *arg)
{
	struct printing *to = arg;

	if (!to->failed)
		to->failed = wh_buf_append(&to->text, bytes, len, NULL);
	return to->failed ? -1 : 0;
}

char *json_to_text(const json_t *value, size_t flags)
{
	struct printing to = {.failed = false};
	USE_C_LOCALE;

	if (json_dump_callback(value, take, &to, flags) || take("", 1, &to)) {
		wh_buf_free(&to.text);
		return NULL;
	}
	return (char *)to.text.data;
}

json_t *json_of_text(const char *text, size_t size, size_t flags,
		     json_error_t *why)
{
	USE_C_LOCALE;

	return json_loadb(text, size, flags, why);
}
