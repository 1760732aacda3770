/* cat: one tensor to stdout, as bytes, as a NumPy file, or as numbers. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/endian.h"
#include "cli.h"
#include "core/number.h"

#define PIECE ((size_t)1 << 20)

/* NumPy's names for dtypes ("format specification" of numpy.lib.format); what
 * it has no name for is written as raw bytes of the width. */
static void npy_descr(const struct wh_tensor *tensor, char *descr, size_t size)
{
	static const struct {
		enum wh_dtype dtype;
		const char *name;
	} names[] = {
		{WH_FLOAT16, "<f2"},   {WH_FLOAT32, "<f4"},
		{WH_FLOAT64, "<f8"},   {WH_INT8, "|i1"},
		{WH_INT16, "<i2"},     {WH_INT32, "<i4"},
		{WH_INT64, "<i8"},     {WH_UINT8, "|u1"},
		{WH_UINT16, "<u2"},    {WH_UINT32, "<u4"},
		{WH_UINT64, "<u8"},    {WH_BOOL, "|b1"},
		{WH_COMPLEX64, "<c8"}, {WH_COMPLEX128, "<c16"},
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].dtype == tensor->dtype) {
			snprintf(descr, size, "%s", names[i].name);
			return;
		}
	snprintf(descr, size, "|V%zu", wh_dtype_size(tensor->dtype));
}

/* Version 1.0: magic, header length, a Python dict, blanks up to a multiple
 * of 64 bytes, a line feed. */
static void write_npy_header(const struct wh_tensor *tensor)
{
	char header[1024], shape[768], descr[16];
	size_t len, total;

	npy_descr(tensor, descr, sizeof(descr));
	shape_text(tensor, shape, sizeof(shape));
	len = (size_t)snprintf(header, sizeof(header),
			       "{'descr': '%s', 'fortran_order': False, "
			       "'shape': %s, }",
			       descr, shape);
	total = (10 + len + 1 + 63) / 64 * 64 - 10;
	fwrite("\x93NUMPY\x01\x00", 1, 8, stdout);
	putchar((int)(total & 0xff));
	putchar((int)(total >> 8));
	fwrite(header, 1, len, stdout);
	for (; len + 1 < total; len++)
		putchar(' ');
	putchar('\n');
}

/* As many digits as give the same bits when read again. */
static void print_number(enum wh_dtype dtype, const uint8_t *at)
{
	double value;

	switch ((int)dtype) {
	case WH_INT64:
		printf("%" PRId64 "\n", (int64_t)get_le64(at));
		return;
	case WH_UINT64:
		printf("%" PRIu64 "\n", get_le64(at));
		return;
	case WH_FLOAT64:
		number_to_double(dtype, at, 1, &value);
		printf("%.17g\n", value);
		return;
	case WH_FLOAT16:
	case WH_BFLOAT16:
	case WH_FLOAT32:
	case WH_FLOAT8_E5M2:
	case WH_FLOAT8_E4M3FN:
	case WH_FLOAT8_E4M3FNUZ:
	case WH_FLOAT8_E4M3B11FNUZ:
	case WH_FLOAT8_E5M2FNUZ:
		number_to_double(dtype, at, 1, &value);
		printf("%.9g\n", value);
		return;
	default:
		number_to_double(dtype, at, 1, &value);
		printf("%.0f\n", value);
	}
}

static void print_numbers(const struct wh_tensor *tensor, const uint8_t *bytes,
			  size_t len)
{
	size_t size = wh_dtype_size(tensor->dtype), i;

	for (i = 0; i + size <= len; i += size)
		print_number(tensor->dtype, bytes + i);
}

typedef void emit_fn(const struct wh_tensor *tensor, const uint8_t *bytes,
		     size_t len);

static void write_raw(const struct wh_tensor *tensor, const uint8_t *bytes,
		      size_t len)
{
	(void)tensor;
	fwrite(bytes, 1, len, stdout);
}

static int emit(struct cli *cli, struct wh_source *source, uint32_t index,
		emit_fn *fn)
{
	const struct wh_tensor *tensor = &source->manifest.tensors[index];
	uint8_t *piece = malloc(PIECE);
	uint64_t offset;
	int code = piece ? EXIT_DONE : cli_no_memory(cli);

	for (offset = 0; !code && offset < tensor->nbytes; offset += PIECE) {
		uint64_t left = tensor->nbytes - offset;
		size_t some = (size_t)(left < PIECE ? left : PIECE);

		if (wh_source_read(source, index, offset, piece, some,
				   &cli->err))
			code = cli_fail(cli);
		else
			fn(tensor, piece, some);
		if (cli_interrupted())
			code = EXIT_INTERRUPTED;
	}
	free(piece);
	return code;
}

static int write_tensor(struct cli *cli, struct wh_source *source,
			uint32_t index)
{
	const struct wh_tensor *tensor = &source->manifest.tensors[index];
	bool terminal = isatty(STDOUT_FILENO);
	bool raw = cli_flag(cli, "raw"), npy = cli_flag(cli, "npy");

	if (npy && wh_dtype_size(tensor->dtype) == 0)
		return cli_usage(cli, "a %s tensor has no NumPy form",
				 wh_dtype_name(tensor->dtype));
	if (terminal && (raw || npy))
		return cli_usage(cli, "binary data is not written to a "
				      "terminal");
	if (npy) {
		write_npy_header(tensor);
		return emit(cli, source, index, write_raw);
	}
	if (!cli_flag(cli, "text") && (raw || !terminal))
		return emit(cli, source, index, write_raw);
	if (!number_is_real(tensor->dtype))
		return cli_usage(cli, "a %s tensor has no text form; use --raw",
				 wh_dtype_name(tensor->dtype));
	return emit(cli, source, index, print_numbers);
}

int cmd_cat(struct cli *cli)
{
	struct wh_source *source;
	uint32_t index;
	int code = cli_source(cli, cli->args[0], &source);

	if (code)
		return code;
	cli->subject = cli->args[1];
	if (wh_manifest_find(&source->manifest, cli->args[1], &index,
			     &cli->err))
		code = cli_fail(cli);
	else
		code = write_tensor(cli, source, index);
	wh_source_close(source);
	return code;
}
