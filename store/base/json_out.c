#include "base/json_out.h"

#include <string.h>

#include "base/text.h"

static void put(struct json_out *out, const char *bytes, size_t len)
{
	if (!out->status)
		out->status = wh_buf_append(out->buf, bytes, len, out->err);
}

/* Where a value begins. */
static void begin(struct json_out *out)
{
	if (out->behind)
		put(out, ",", 1);
	out->behind = true;
}

void json_out_open(struct json_out *out, char c)
{
	begin(out);
	put(out, &c, 1);
	out->behind = false;
}

void json_out_close(struct json_out *out, char c)
{
	put(out, &c, 1);
	out->behind = true;
}

void json_out_colon(struct json_out *out)
{
	put(out, ":", 1);
	out->behind = false;
}

void json_out_key(struct json_out *out, const char *key)
{
	begin(out);
	put(out, "\"", 1);
	put(out, key, strlen(key));
	put(out, "\":", 2);
	out->behind = false;
}

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

static void put_escaped(struct json_out *out, char c)
{
	static const char escaped[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
	const char *found = c ? strchr(escaped, c) : NULL;
	const char *digits =
		out->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[6] = {'\\',	       'u', '0', '0', digits[c >> 4 & 15],
			digits[c & 15]};

	if (found)
		text[1] = names[found - escaped];
	put(out, text, found ? 2 : sizeof(text));
}

void json_out_text(struct json_out *out, const char *text, size_t len)
{
	size_t i = 0, from = 0;

	begin(out);
	put(out, "\"", 1);
	for (; i < len; i++) {
		if (is_plain(text[i]))
			continue;
		put(out, text + from, i - from);
		put_escaped(out, text[i]);
		from = i + 1;
	}
	put(out, text + from, len - from);
	put(out, "\"", 1);
}

void json_out_unsigned(struct json_out *out, uint64_t number)
{
	char text[TEXT_DECIMAL_SIZE];
	size_t len = text_decimal(number, text);

	begin(out);
	put(out, text, len);
}

void json_out_number(struct json_out *out, int64_t number)
{
	char text[TEXT_DECIMAL_SIZE + 1] = "-";
	uint64_t size = (uint64_t)number;
	size_t len;

	if (number >= 0) {
		json_out_unsigned(out, size);
		return;
	}
	len = text_decimal(0 - size, text + 1);
	begin(out);
	put(out, text, len + 1);
}

void json_out_ready(struct json_out *out, const char *text)
{
	begin(out);
	put(out, text, strlen(text));
}

void json_out_bool(struct json_out *out, bool value)
{
	json_out_ready(out, value ? "true" : "false");
}
