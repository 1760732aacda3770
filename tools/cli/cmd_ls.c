#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli.h"

static const char *const roles[] = {"weight", "optimizer", "other"};

struct row {
	const struct wh_layer *layer;
	const struct wh_variable *variable;
};

/* Each tensor's owner, found once for all. */
static struct row *find_owners(const struct wh_manifest *manifest)
{
	struct row *rows =
		calloc((size_t)manifest->n_tensors + 1, sizeof(*rows));
	uint32_t i, k;

	for (i = 0; rows && i < manifest->n_layers; i++)
		for (k = 0; k < manifest->layers[i].n_variables; k++) {
			const struct wh_variable *v =
				&manifest->layers[i].variables[k];

			rows[v->tensor].layer = &manifest->layers[i];
			rows[v->tensor].variable = v;
		}
	return rows;
}

static const char *weight_of(const struct row *row)
{
	return row->variable->object_path ? row->variable->object_path
					  : row->variable->name;
}

static bool is_wanted(const struct cli *cli, int first, const struct row *row,
		      const struct wh_tensor *tensor)
{
	int i;

	if (cli->n_args <= first)
		return true;
	for (i = first; i < cli->n_args; i++)
		if (text_glob(cli->args[i], tensor->key) ||
		    cli_glob_weight(cli->args[i], row->layer->name,
				    row->variable->name))
			return true;
	return false;
}

static void print_json(const struct cli *cli, const struct row *row,
		       const struct wh_tensor *tensor)
{
	json_t *out = json_object();
	char hex[WH_ID_SIZE];

	text_hex(tensor->sha256, sizeof(tensor->sha256), hex);
	json_object_set_new(out, "layer", json_text(row->layer->name));
	json_object_set_new(out, "weight", json_text(weight_of(row)));
	json_object_set_new(out, "name", json_text(row->variable->name));
	json_object_set_new(out, "dtype",
			    json_text(wh_dtype_name(tensor->dtype)));
	json_object_set_new(out, "shape", json_shape(tensor));
	json_object_set_new(out, "nbytes",
			    json_integer((json_int_t)tensor->nbytes));
	json_object_set_new(out, "sha256", json_text(hex));
	json_object_set_new(out, "role", json_text(roles[row->variable->role]));
	if (cli_flag(cli, "stats") && tensor->has_statistics)
		json_object_set_new(out, "stats", statistics_json(tensor));
	cli_print_json(out);
}

static void print_line(const struct cli *cli, const struct row *row,
		       const struct wh_tensor *tensor)
{
	char shape[256], hex[WH_ID_SIZE];

	shape_text(tensor, shape, sizeof(shape));
	printf("%-48s %-9s %-18s", cli_escape(tensor->key),
	       wh_dtype_name(tensor->dtype), shape);
	if (cli_flag(cli, "long")) {
		text_hex(tensor->sha256, sizeof(tensor->sha256), hex);
		printf(" %10s  %.12s  %s", cli_size(cli, tensor->nbytes), hex,
		       roles[row->variable->role]);
	}
	if (cli_flag(cli, "stats") && tensor->has_statistics)
		printf("  min %.4g max %.4g mean %.4g std %.4g",
		       tensor->statistics.min, tensor->statistics.max,
		       tensor->statistics.mean, tensor->statistics.std);
	putchar('\n');
}

static int list(struct cli *cli, struct wh_source *source, int first)
{
	const struct wh_manifest *manifest = &source->manifest;
	struct row *rows = find_owners(manifest);
	bool found = cli->n_args <= first;
	uint32_t i;

	if (!rows)
		return cli_no_memory(cli);
	for (i = 0; i < manifest->n_tensors && !cli_interrupted(); i++) {
		if (!is_wanted(cli, first, &rows[i], &manifest->tensors[i]))
			continue;
		found = true;
		if (cli_json(cli))
			print_json(cli, &rows[i], &manifest->tensors[i]);
		else
			print_line(cli, &rows[i], &manifest->tensors[i]);
	}
	free(rows);
	if (!found && !cli_interrupted())
		return cli_no_tensor(cli, cli->args[first]);
	return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}

/* The first argument is a revision if it resolves to one, or begins as a
 * file; else it is a glob for HEAD's tensors. */
static bool names_revision(struct cli *cli)
{
	char id[WH_ID_SIZE];

	if (!cli->n_args)
		return false;
	if (strncmp(cli->args[0], "file:", 5) == 0 ||
	    !strpbrk(cli->args[0], "*?["))
		return true;
	return wh_revision_parse(cli->store, cli->args[0], id, NULL) == WH_OK;
}

int cmd_ls(struct cli *cli)
{
	bool from_file = cli->n_args && strncmp(cli->args[0], "file:", 5) == 0;
	struct wh_source *source;
	bool named;
	int code;

	code = from_file ? EXIT_DONE : cli_open(cli, WH_OPEN_READ);
	if (code)
		return code;
	named = from_file || names_revision(cli);
	code = cli_source(cli, named ? cli->args[0] : "HEAD", &source);
	if (code)
		return code;
	if (wh_source_weigh(source, WH_SHA256 | WH_STATISTICS, 0, cli_progress,
			    cli, &cli->err))
		code = cli_fail(cli);
	else
		code = list(cli, source, named);
	wh_source_close(source);
	return code;
}
