/* verify: is all of it there, what is lost, what can be had back. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weighhouse/keep.h>

#include "base/auto.h"
#include "base/error.h"
#include "base/text.h"
#include "place_options.h"

#define MAX_COPIES 64

/* ---- Where sound copies may be ---------------------------------------------
 */

struct copies {
	struct wh_repair_from from[MAX_COPIES];
	size_t n;
	struct wh_pulled pulled[MAX_COPIES];
	char *folders[MAX_COPIES]; /* that were pulled into, or NULL */
};

static void copies_free(struct copies *copies)
{
	size_t i, k;

	for (i = 0; i < copies->n; i++) {
		struct wh_pulled *pulled = &copies->pulled[i];

		wh_source_close(copies->from[i].source);
		wh_store_close(copies->from[i].store);
		for (k = 0; copies->folders[i] && k < pulled->n_files; k++)
			unlink(pulled->files[k].path);
		if (copies->folders[i])
			rmdir(copies->folders[i]);
		free(copies->folders[i]);
		wh_pulled_free(pulled);
	}
}

static bool is_database(const char *path)
{
	static const char magic[] = "SQLite format 3";
	char head[sizeof(magic)] = "";
	FILE *file = fopen(path, "rbe");
	bool found = file && fread(head, sizeof(magic), 1, file) == 1 &&
		     memcmp(head, magic, sizeof(magic)) == 0;

	if (file)
		fclose(file);
	return found;
}

static int open_file(struct cli *cli, struct copies *copies, const char *path)
{
	struct wh_load_options load = cli_load_options(cli);
	struct wh_repair_from *from = &copies->from[copies->n];
	bool reproducible;

	cli->subject = path;
	if (is_database(path)) {
		if (wh_store_open(path, WH_OPEN_READ, &from->store, &cli->err))
			return cli_fail(cli);
		return EXIT_DONE;
	}
	/* What stands between the weights is as the commit saw it. */
	if (wh_checkpoint_open(path, NULL, &load, &from->source, &cli->err) ||
	    wh_checkpoint_prove(from->source, path, cli->library, &reproducible,
				&cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

static int fetch(struct cli *cli, const char *place, const char *folder,
		 struct wh_pulled *pulled)
{
	struct wh_pull_options options = {.progress = cli_progress, .arg = cli};
	struct remote remote = {0};
	int code = remote_find(cli, place, &remote);

	if (!code)
		code = place_options_fill(cli, &remote, &options.place);
	if (!code && wh_pull(remote.url, folder, &options, pulled, &cli->err))
		code = cli_fail(cli);
	remote_free(&remote);
	return code;
}

static int open_place(struct cli *cli, struct copies *copies, const char *place)
{
	size_t i = copies->n;
	char *folder = NULL;
	int code;

	if (asprintf(&folder, "%s-repair-%zu", wh_store_path(cli->store), i) <
	    0)
		return cli_no_memory(cli);
	copies->folders[i] = folder;
	if (mkdir(folder, 0777) && errno != EEXIST) {
		wh_fail(&cli->err, WH_EIO, "folder '%s': %s", folder,
			strerror(errno));
		return cli_fail(cli);
	}
	code = fetch(cli, place, folder, &copies->pulled[i]);
	return code ? code
		    : open_file(cli, copies, copies->pulled[i].checkpoint);
}

static int open_copies(struct cli *cli, struct copies *copies)
{
	const char *name;
	int at = 0, code = EXIT_DONE;

	while (!code && (name = cli_next(cli, "repair-from", &at)) != NULL) {
		if (copies->n == MAX_COPIES)
			return cli_usage(cli, "--repair-from: at most %d",
					 MAX_COPIES);
		code = wh_is_place(name) || (remote_is_name(name) &&
					     access(name, F_OK) != 0)
			       ? open_place(cli, copies, name)
			       : open_file(cli, copies, name);
		copies->n++;
	}
	cli->subject = NULL;
	return code;
}

/* ---- What was found --------------------------------------------------------
 */

struct findings {
	struct cli *cli;
	json_t *errors, *damaged, *unchecked;
	bool any_page; /* of the file is damaged */
};

static int note_error(void *arg, const char *sentence)
{
	struct findings *findings = arg;

	json_array_append_new(findings->errors,
			      json_text(cli_escape(sentence)));
	if (!cli_json(findings->cli))
		printf("damaged: %s\n", cli_escape(sentence));
	return 0;
}

/* SQLite's words say where; what it means is said once, before them. */
static void note_page(void *arg, const char *line)
{
	struct findings *findings = arg;
	bool first = !findings->any_page;

	findings->any_page = true;
	json_array_append_new(
		findings->errors,
		json_sprintf("the file's pages: %s", cli_escape(line)));
	if (cli_json(findings->cli))
		return;
	if (first)
		puts("damaged: pages of the store's file, so snapshots may be "
		     "lost; commit nothing\nto it any more. 'wh help backup' "
		     "says how a backup takes its place; without\none, "
		     "'wh save-weights' still gives what can be read. SQLite "
		     "says:");
	printf("    %s\n", cli_escape(line));
}

static void note_unchecked(void *arg, const char *sentence)
{
	struct findings *findings = arg;

	json_array_append_new(findings->unchecked,
			      json_text(cli_escape(sentence)));
	if (!cli_json(findings->cli))
		printf("not checked: %s\n", cli_escape(sentence));
}

static void say_damage(const struct wh_damage *damage)
{
	const char *what = damage->repaired ? "restored" : "lost";

	printf("%s: tensor %.12s", what, damage->tensor);
	if (damage->n_snapshots)
		printf(", %s%s%s of %s, %.12s", cli_escape(damage->layer),
		       *damage->layer ? "/" : "", cli_escape(damage->weight),
		       cli_count(damage->n_snapshots, "snapshot"),
		       damage->oldest);
	if (damage->n_snapshots > 1)
		printf(" to %.12s", damage->newest);
	putchar('\n');
}

static int note_damage(void *arg, const struct wh_damage *damage)
{
	struct findings *findings = arg;

	json_array_append_new(findings->damaged,
			      json_pack("{s:s,s:o,s:o,s:I,s:o,s:o,s:b}",
					"tensor", damage->tensor, "layer",
					json_text(damage->layer), "weight",
					json_text(damage->weight), "snapshots",
					(json_int_t)damage->n_snapshots,
					"oldest", json_text(damage->oldest),
					"newest", json_text(damage->newest),
					"repaired", damage->repaired));
	if (!cli_json(findings->cli))
		say_damage(damage);
	return 0;
}

static bool pass_progress(void *arg, const char *what, uint64_t done,
			  uint64_t total)
{
	struct findings *findings = arg;

	return cli_progress(findings->cli, what, done, total);
}

static void tell_verified(struct findings *findings,
			  const struct wh_verify_result *r)
{
	struct cli *cli = findings->cli;
	uint64_t n_errors = json_array_size(findings->errors);
	uint64_t n_unchecked = json_array_size(findings->unchecked);

	cli_progress_end(cli);
	if (cli_json(cli)) {
		cli_print_json(json_pack(
			"{s:I,s:I,s:I,s:O,s:O,s:O,s:I,s:I,s:b}", "snapshots",
			(json_int_t)r->n_snapshots, "tensors",
			(json_int_t)r->n_tensors, "checked_bytes",
			(json_int_t)r->checked_bytes, "errors",
			findings->errors, "damaged", findings->damaged,
			"unchecked", findings->unchecked, "repaired",
			(json_int_t)r->n_repaired, "incomplete",
			(json_int_t)r->n_incomplete, "complete", r->complete));
		return;
	}
	if (r->n_damaged)
		cli_say(cli,
			"%" PRIu64 " of %s restored; %s can't be saved whole, "
			"all others can",
			r->n_repaired,
			cli_count(r->n_damaged, "damaged tensor"),
			cli_count(r->n_incomplete, "snapshot"));
	if (n_unchecked)
		cli_say(cli,
			"%" PRIu64 " not checked: a newer version of wh can",
			n_unchecked);
	cli_say(cli, "%s, %s, %s read: %s%s",
		cli_count(r->n_snapshots, "snapshot"),
		cli_count(r->n_tensors, "tensor"),
		cli_size(cli, r->checked_bytes), cli_count(n_errors, "error"),
		r->complete ? "" : "; wh verify --continue goes on from here");
}

/* ---- The verb --------------------------------------------------------------
 */

static int take_sample(struct cli *cli, double *share)
{
	const char *text = cli_text(cli, "sample");
	char number[32];
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return EXIT_DONE;
	snprintf(number, sizeof(number), "%.*s",
		 (int)(len - (len && text[len - 1] == '%')), text);
	if (!text_to_double(number, share) || !(*share > 0 && *share <= 100))
		return cli_usage(cli, "--sample: '%s' is no share as 5%%",
				 text);
	*share /= 100;
	return EXIT_DONE;
}

static int take_time(struct cli *cli, unsigned *seconds)
{
	const char *text = cli_text(cli, "for");
	int64_t given;

	if (!text)
		return EXIT_DONE;
	if (!wh_duration_parse(text, &given) || given < 1 || given > 1000000)
		return cli_usage(cli, "--for: '%s' is no duration as 10m",
				 text);
	*seconds = (unsigned)given;
	return EXIT_DONE;
}

/* What was damaged and is restored is no error any more: the store is asked
 * again, but for payloads, which were read back one by one. */
static int verify_again(struct findings *findings,
			const struct wh_verify_result *first)
{
	struct wh_verify_options again = {
		.page = note_page, .progress = pass_progress, .arg = findings};
	struct cli *cli = findings->cli;
	struct wh_verify_result result;
	uint64_t lost = first->n_damaged - first->n_repaired;

	json_array_clear(findings->errors);
	if (wh_verify(cli->store, &again, note_error, &result, &cli->err))
		return cli_fail(cli);
	for (; lost; lost--)
		json_array_append_new(findings->errors,
				      json_string("a damaged tensor is left"));
	return EXIT_DONE;
}

static int run(struct cli *cli, struct wh_verify_options *options,
	       struct findings *findings)
{
	struct wh_verify_result result = {0};
	int code = EXIT_DONE;

	if (wh_verify(cli->store, options, note_error, &result, &cli->err))
		return cli_fail(cli);
	if (result.n_repaired)
		code = verify_again(findings, &result);
	if (code)
		return code;
	tell_verified(findings, &result);
	if (json_array_size(findings->errors))
		return EXIT_DIFFERS;
	return json_array_size(findings->unchecked) ? EXIT_MISSING : EXIT_DONE;
}

static int fill_options(struct cli *cli, struct wh_verify_options *options,
			enum wh_open *mode)
{
	int code = take_sample(cli, &options->sample);

	if (!code)
		code = take_time(cli, &options->time_limit_s);
	options->revision = cli->n_args ? cli->args[0] : NULL;
	options->resume = cli_flag(cli, "continue");
	/* What is looked for in parts, or restored, is payload. */
	options->read_data = cli_flag(cli, "read-data") || options->resume ||
			     options->time_limit_s || options->sample > 0 ||
			     cli_flag(cli, "repair-from");
	*mode = options->resume || options->time_limit_s ||
				cli_flag(cli, "repair-from")
			? WH_OPEN_WRITE
			: WH_OPEN_READ;
	return code;
}

int cmd_verify(struct cli *cli)
{
	struct findings findings = {.cli = cli,
				    .errors = json_array(),
				    .damaged = json_array(),
				    .unchecked = json_array()};
	struct wh_verify_options options = {.progress = pass_progress,
					    .damage = note_damage,
					    .unchecked = note_unchecked,
					    .page = note_page,
					    .arg = &findings};
	struct copies *copies = calloc(1, sizeof(*copies));
	enum wh_open mode;
	int code = fill_options(cli, &options, &mode);

	if (!code && !copies)
		code = cli_no_memory(cli);
	if (!code)
		code = cli_open(cli, mode);
	if (!code)
		code = open_copies(cli, copies);
	if (!code) {
		options.repair_from = copies->from;
		options.n_repair_from = copies->n;
		code = run(cli, &options, &findings);
	}
	if (copies)
		copies_free(copies);
	free(copies);
	json_decref(findings.errors);
	json_decref(findings.damaged);
	json_decref(findings.unchecked);
	return code;
}
