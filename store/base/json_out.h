/* base/json_out.h: JSON text without blanks, value by value, no tree before it.
 *
 * Nobody has to ask after each value: where memory runs out nothing more is
 * written, and `status` says so at the end.
 */
#ifndef WH_BASE_JSON_OUT_H
#define WH_BASE_JSON_OUT_H

#include <stdbool.h>

#include "base/buf.h"

struct json_out {
	struct wh_buf *buf;
	struct wh_error *err;
	enum wh_status status; /* of all that was written */
	bool behind;	       /* another value, so a comma comes first */
	bool upper; /* \u001F, as jansson has it; or \u001f, as serde_json */
};

/** Opens or closes an object or array (`c` is one of its brackets). */
void json_out_open(struct json_out *out, char c);
void json_out_close(struct json_out *out, char c);

/** The key of the member that comes next: plain ASCII, nothing to escape. */
void json_out_key(struct json_out *out, const char *key);

/** A text of valid UTF-8; one that is a key, then its colon. */
void json_out_text(struct json_out *out, const char *text, size_t len);
void json_out_colon(struct json_out *out);
void json_out_number(struct json_out *out, int64_t number);
void json_out_unsigned(struct json_out *out, uint64_t number);
void json_out_bool(struct json_out *out, bool value);

/** A value that is JSON already. */
void json_out_ready(struct json_out *out, const char *text);

#endif
