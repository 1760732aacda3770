#include "npz/header.h"

#include <string.h>

#include "base/ascii.h"
#include "base/checked.h"
#include "base/endian.h"

#define ALIGNMENT    64u /* ARRAY_ALIGN */
#define GROWTH_ROOM  21u /* GROWTH_AXIS_MAX_DIGITS */
#define LONGEST_TEXT 32u /* of a descr that is read */

static const struct {
	enum wh_dtype dtype;
	const char *descr;
	uint8_t width; /* of what a byte order concerns */
} facts[] = {
	{WH_BOOL, "|b1", 1},	  {WH_INT8, "|i1", 1},
	{WH_UINT8, "|u1", 1},	  {WH_INT16, "<i2", 2},
	{WH_UINT16, "<u2", 2},	  {WH_INT32, "<i4", 4},
	{WH_UINT32, "<u4", 4},	  {WH_INT64, "<i8", 8},
	{WH_UINT64, "<u8", 8},	  {WH_FLOAT16, "<f2", 2},
	{WH_FLOAT32, "<f4", 4},	  {WH_FLOAT64, "<f8", 8},
	{WH_COMPLEX64, "<c8", 4}, {WH_COMPLEX128, "<c16", 8},
};

#define N_FACTS (sizeof(facts) / sizeof(facts[0]))

const char *npy_descr(enum wh_dtype dtype)
{
	size_t i;

	for (i = 0; i < N_FACTS; i++)
		if (facts[i].dtype == dtype)
			return facts[i].descr;
	return NULL;
}

/* ---- A Python literal, as far as headers go -------------------------------
 */

struct parser {
	const char *at, *end;
	bool python2; /* 1.0 and 2.0 may have long integers: 2L */
	struct npy_header *header;
	struct wh_error *err;
};

static enum wh_status fail(struct parser *p, const char *what)
{
	return wh_fail(p->err, WH_ECORRUPT, "the npy header: %s", what);
}

static char peek(struct parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' ||
				  *p->at == '\t' || *p->at == '\r'))
		p->at++;
	return p->at < p->end ? *p->at : '\0';
}

static bool take(struct parser *p, char c)
{
	if (peek(p) != c)
		return false;
	p->at++;
	return true;
}

/* A string without escapes: none of what is read has any. */
static bool take_text(struct parser *p, char text[LONGEST_TEXT])
{
	char quote = peek(p);
	size_t n = 0;

	if (quote != '\'' && quote != '"')
		return false;
	for (p->at++; p->at < p->end && *p->at != quote; p->at++) {
		if (n + 1 >= LONGEST_TEXT || *p->at == '\\' ||
		    !ascii_is_printable(*p->at))
			return false;
		text[n++] = *p->at;
	}
	text[n] = '\0';
	return take(p, quote);
}

static bool take_word(struct parser *p, const char *word)
{
	size_t len = strlen(word);

	peek(p);
	if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
		return false;
	p->at += len;
	return true;
}

/* ---- Its three values
 * ---------------------------------------------------------- */

static enum wh_status refuse_dtype(struct parser *p, const char *descr)
{
	const char *kind = descr + strspn(descr, "<>|=");

	if (*kind == 'O')
		return wh_fail(p->err, WH_EUNSUPPORTED,
			       "an array of Python objects is a pickle, which "
			       "is never read");
	return wh_fail(p->err, WH_EUNSUPPORTED,
		       "arrays of NumPy dtype '%s' are not read", descr);
}

/* "<f4", ">i2", "|b1", "=f8", "f4" or "?": order, kind, bytes. */
static enum wh_status take_descr(struct parser *p)
{
	char descr[LONGEST_TEXT];
	const char *kind;
	size_t i;

	if (peek(p) == '[' || peek(p) == '(' || peek(p) == '{')
		return wh_fail(p->err, WH_EUNSUPPORTED,
			       "structured arrays are not read");
	if (!take_text(p, descr))
		return fail(p, "'descr' is no dtype");
	kind = descr + (*descr && strchr("<>|=", *descr) ? 1 : 0);
	if (strcmp(kind, "?") == 0)
		kind = "b1";
	for (i = 0; i < N_FACTS; i++)
		if (strcmp(kind, facts[i].descr + 1) == 0)
			break;
	if (i == N_FACTS)
		return refuse_dtype(p, descr);
	p->header->dtype = facts[i].dtype;
	p->header->swap =
		*descr == '>' && facts[i].width > 1 ? facts[i].width : 0;
	return WH_OK;
}

static enum wh_status take_order(struct parser *p)
{
	if (take_word(p, "True"))
		p->header->fortran = true;
	else if (!take_word(p, "False"))
		return fail(p, "'fortran_order' is neither True nor False");
	return WH_OK;
}

static bool take_dimension(struct parser *p, uint64_t *value)
{
	const char *from;
	uint64_t n = 0;

	peek(p);
	for (from = p->at; p->at < p->end && ascii_is_digit(*p->at); p->at++)
		if (!checked_mul(n, 10, &n) ||
		    !checked_add(n, (uint64_t)(*p->at - '0'), &n))
			return false;
	if (p->at == from || (*from == '0' && p->at > from + 1))
		return false;
	if (p->python2 && p->at < p->end && *p->at == 'L')
		p->at++;
	*value = n;
	return true;
}

/* "()", "(2,)", "(2, 3)": a lone "(2)" is a number in Python. */
static enum wh_status take_shape(struct parser *p)
{
	struct npy_header *header = p->header;
	bool comma = true;

	header->rank = 0;
	if (!take(p, '('))
		return fail(p, "'shape' is no tuple");
	while (peek(p) != ')') {
		if (!comma || header->rank == WH_MAX_RANK ||
		    !take_dimension(p, &header->shape[header->rank]))
			return fail(p, "'shape' is no tuple of at most 32 "
				       "whole numbers");
		header->rank++;
		comma = take(p, ',');
	}
	p->at++;
	if (header->rank == 1 && !comma)
		return fail(p, "'shape' is no tuple");
	return WH_OK;
}

enum field { FIELD_DESCR = 1, FIELD_ORDER = 2, FIELD_SHAPE = 4 };

static enum wh_status take_field(struct parser *p, unsigned *seen)
{
	char key[LONGEST_TEXT];
	unsigned field = 0;

	if (!take_text(p, key) || !take(p, ':'))
		return fail(p, "it is no dict of strings");
	if (strcmp(key, "descr") == 0)
		field = FIELD_DESCR;
	else if (strcmp(key, "fortran_order") == 0)
		field = FIELD_ORDER;
	else if (strcmp(key, "shape") == 0)
		field = FIELD_SHAPE;
	if (!field || (*seen & field))
		return fail(p, "it has other keys than descr, fortran_order "
			       "and shape, once each");
	*seen |= field;
	if (field == FIELD_DESCR)
		return take_descr(p);
	return field == FIELD_ORDER ? take_order(p) : take_shape(p);
}

static enum wh_status take_dict(struct parser *p)
{
	bool comma = true;
	unsigned seen = 0;

	if (!take(p, '{'))
		return fail(p, "it is no dict");
	while (peek(p) != '}') {
		if (!comma)
			return fail(p, "a comma is missing");
		WH_TRY(take_field(p, &seen));
		comma = take(p, ',');
	}
	p->at++;
	if (peek(p) != '\0' || p->at < p->end)
		return fail(p, "something follows the dict");
	if (seen != (FIELD_DESCR | FIELD_ORDER | FIELD_SHAPE))
		return fail(p, "descr, fortran_order or shape is missing");
	return WH_OK;
}

/* ---- Reading
 * ------------------------------------------------------------------- */

static enum wh_status find_text(const uint8_t *bytes, size_t len,
				struct parser *p)
{
	size_t begin = NPY_MAGIC_SIZE + 2;
	uint64_t size;

	if (len < begin + 4 || memcmp(bytes, NPY_MAGIC, NPY_MAGIC_SIZE) != 0)
		return fail(p, "the file doesn't begin as one");
	if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
		return wh_fail(p->err, WH_EUNSUPPORTED,
			       "npy version %u.%u is not read", bytes[6],
			       bytes[7]);
	size = bytes[6] == 1 ? get_le16(bytes + begin)
			     : get_le32(bytes + begin);
	begin += bytes[6] == 1 ? 2 : 4;
	if (size > NPY_MAX_HEADER)
		return fail(p, "it is longer than NumPy allows, 10000 bytes");
	if (size > len - begin)
		return fail(p, "the file ends within it");
	p->at = (const char *)bytes + begin;
	p->end = p->at + size;
	p->python2 = bytes[6] < 3;
	p->header->size = begin + (size_t)size;
	return WH_OK;
}

enum wh_status npy_header_read(const uint8_t *bytes, size_t len,
			       struct npy_header *out, struct wh_error *err)
{
	struct npy_header header = {.dtype = WH_DTYPE_NONE};
	struct parser p = {.header = &header, .err = err};
	uint64_t n;

	WH_TRY(find_text(bytes, len, &p));
	WH_TRY(take_dict(&p));
	if (!checked_shape(header.shape, header.rank, &n) ||
	    !checked_mul(n, wh_dtype_size(header.dtype), &header.nbytes))
		return fail(&p, "shape product overflows");
	*out = header;
	return WH_OK;
}

/* ---- Writing
 * ------------------------------------------------------------------- */

/* Room for the first dimension to grow to 64 bits, so that arrays can be
 * appended to in place. */
static enum wh_status write_shape(const struct wh_tensor *tensor,
				  struct wh_buf *out, struct wh_error *err)
{
	size_t before, digits;
	uint32_t i;

	WH_TRY(wh_buf_append(out, "(", 1, err));
	for (i = 0; i < tensor->rank; i++)
		WH_TRY(wh_buf_printf(out, err, i ? ", %llu" : "%llu",
				     (unsigned long long)tensor->shape[i]));
	WH_TRY(wh_buf_printf(out, err, "%s), }", tensor->rank == 1 ? "," : ""));
	if (tensor->rank == 0)
		return WH_OK;
	before = out->size;
	WH_TRY(wh_buf_printf(out, err, "%llu",
			     (unsigned long long)tensor->shape[0]));
	digits = out->size - before;
	out->size = before;
	for (; digits < GROWTH_ROOM; digits++)
		WH_TRY(wh_buf_append(out, " ", 1, err));
	return WH_OK;
}

enum wh_status npy_header_write(const struct wh_tensor *tensor,
				struct wh_buf *out, struct wh_error *err)
{
	static const uint8_t head[] = NPY_MAGIC "\x01\x00\x00\x00";
	size_t begin = out->size, text = begin + sizeof(head) - 1, size;

	WH_TRY(wh_buf_append(out, head, sizeof(head) - 1, err));
	WH_TRY(wh_buf_printf(out, err,
			     "{'descr': '%s', 'fortran_order': False, "
			     "'shape': ",
			     npy_descr(tensor->dtype)));
	WH_TRY(write_shape(tensor, out, err));
	/* At least one byte: the newline. */
	for (size = out->size - begin + 1; size % ALIGNMENT; size++)
		WH_TRY(wh_buf_append(out, " ", 1, err));
	WH_TRY(wh_buf_append(out, "\n", 1, err));
	put_le16(out->data + begin + NPY_MAGIC_SIZE + 2,
		 (uint16_t)(out->size - text));
	return WH_OK;
}
