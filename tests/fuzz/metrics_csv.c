/* CSVLogger's file, and the names of the checkpoints beside it: the first line
 * is a pattern as ModelCheckpoint's, the second a name, the rest the file. */
#include "fuzz/fuzz.h"

#include "import.h"

static char *line_of(const uint8_t **bytes, size_t *len)
{
	const uint8_t *end = *len ? memchr(*bytes, '\n', *len) : NULL;
	size_t size = end ? (size_t)(end - *bytes) : *len;
	char *line = input_text(*bytes, size);

	*bytes += size + (end != NULL);
	*len -= size + (end != NULL);
	return line;
}

static void read_all(struct cli *cli, const char *pattern, char *name,
		     const char *csv)
{
	struct import_list list = {.files = calloc(1, sizeof(*list.files)),
				   .n = 1};
	struct wh_metric metrics[IMPORT_MAX_METRICS];

	require(list.files);
	list.files[0].path = name;
	import_name_files(&list);
	import_read_name(&list.files[0], *pattern ? pattern : NULL);
	if (!import_read_csv(cli, &list, csv))
		require(import_metrics(&list, &list.files[0], metrics) <=
			IMPORT_MAX_METRICS);
	import_list_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cli cli = {.verb = verb_find("import")};
	char *pattern = line_of(&bytes, &len), *name = line_of(&bytes, &len);

	read_all(&cli, pattern, name, input_file("metrics.csv", bytes, len));
	free(pattern);
	return 0;
}
