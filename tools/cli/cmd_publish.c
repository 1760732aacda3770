/* publish: a snapshot where others load it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "place_options.h"

struct telling {
	struct cli *cli;
	json_t *files;
	uint64_t sent_bytes;
	unsigned n_sent, n_present;
};

static json_t *file_json(const struct wh_published_file *file)
{
	json_t *row = json_object();

	json_object_set_new(row, "path", json_text(file->path));
	json_object_set_new(row, "format", json_text(file->format));
	json_object_set_new(row, "size", json_integer((json_int_t)file->size));
	json_object_set_new(row, "sha256", json_text(file->sha256));
	json_object_set_new(row, "sent", json_boolean(file->sent));
	return row;
}

static void tell_file(void *arg, const struct wh_published_file *file)
{
	struct telling *telling = arg;
	json_t *row = file_json(file);

	if (file->sent)
		telling->sent_bytes += file->size;
	*(file->sent ? &telling->n_sent : &telling->n_present) += 1;
	cli_progress_end(telling->cli);
	cli_say(telling->cli, "%-8s %10s  %s",
		file->sent
			? cli_flag(telling->cli, "dry-run") ? "lacks" : "sent"
			: "there",
		cli_size(telling->cli, file->size), cli_escape(file->path));
	json_array_append(telling->files, row);
	if (!cli_json(telling->cli)) {
		json_decref(row);
		return;
	}
	json_object_set_new(row, "event", json_string("file"));
	cli_print_json(row);
}

static bool tell_progress(void *arg, const char *what, uint64_t done,
			  uint64_t total)
{
	struct telling *telling = arg;

	return cli_progress(telling->cli, what, done, total);
}

static void tell_warning(void *arg, const char *sentence)
{
	struct telling *telling = arg;

	cli_warn(telling->cli, sentence);
}

static void tell_end(struct telling *telling, const char *url,
		     const char *const *aliases)
{
	const char *first = wh_place_alias(url, aliases ? *aliases : NULL);
	bool dry_run = cli_flag(telling->cli, "dry-run");

	if (cli_json(telling->cli)) {
		json_t *row = json_object();

		json_object_set_new(row, "done", json_true());
		json_object_set(row, "files", telling->files);
		json_object_set_new(row, "pointer",
				    dry_run ? json_null() : json_text(first));
		cli_print_json(row);
		return;
	}
	cli_say(telling->cli, "%s%u of %s, %s to %s%s%s%s",
		dry_run ? "would send " : "", telling->n_sent,
		cli_count(telling->n_sent + telling->n_present, "file"),
		cli_size(telling->cli, telling->sent_bytes), cli_escape(url),
		dry_run ? "" : "; '", dry_run ? "" : cli_escape(first),
		dry_run ? "" : "' is this snapshot");
}

static void fill_flags(struct cli *cli, struct wh_publish_options *options)
{
	int64_t size;

	options->dry_run = cli_flag(cli, "dry-run");
	options->force = cli_flag(cli, "force");
	options->canonical = cli_flag(cli, "canonical");
	options->verify_full = cli_text(cli, "verify") != NULL;
	if (cli_integer(cli, "max-shard-size", &size) && size > 0)
		options->plan.max_shard_size = (uint64_t)size;
}

static int publish_to(struct cli *cli, const char *revision, const char *url,
		      const struct wh_publish_options *asked)
{
	struct telling telling = {.cli = cli, .files = json_array()};
	struct wh_publish_options options = *asked;
	int code = EXIT_DONE;

	options.progress = tell_progress;
	options.told = tell_file;
	options.warn = tell_warning;
	options.arg = &telling;
	fill_flags(cli, &options);
	if (wh_publish(cli->store, revision, url, &options, &cli->err))
		code = cli_fail(cli);
	else
		tell_end(&telling, url, options.aliases);
	json_decref(telling.files);
	return code;
}

int cli_publish(struct cli *cli, const char *revision, const char *url)
{
	const char *formats = cli_text(cli, "save-format");
	const char *aliases = cli_text(cli, "alias");
	const char *verify = cli_text(cli, "verify");
	char *format_list = formats ? strdup(formats) : NULL;
	char *alias_list = aliases ? strdup(aliases) : NULL;
	const char *format_words[MAX_WORDS], *alias_words[MAX_WORDS];
	struct wh_publish_options options = {.library = cli->library};
	struct protected_aliases protected = {0};
	struct remote remote = {0};
	int code = remote_find(cli, url, &remote);

	if (!code && verify && strcmp(verify, "full") != 0)
		code = cli_usage(cli, "--verify is full, not '%s'", verify);
	/* Without its words it would publish other files, or move "latest". */
	if (!code && ((formats && !format_list) || (aliases && !alias_list)))
		code = cli_no_memory(cli);
	if (!code)
		code = place_options_fill(cli, &remote, &options.place);
	if (!code && protected_load(cli, &remote, &protected))
		code = cli_fail(cli);
	options.remote = *remote.name ? remote.name : NULL;
	options.protected_aliases = protected.words;
	if (!code && format_list) {
		code = split_words(cli, format_list, format_words);
		options.formats = format_words;
	}
	if (!code && alias_list) {
		code = split_words(cli, alias_list, alias_words);
		options.aliases = alias_words;
	}
	if (!code)
		code = publish_to(cli, revision, remote.url, &options);
	remote_free(&remote);
	protected_free(&protected);
	free(format_list);
	free(alias_list);
	return code;
}

/* ---- The list -------------------------------------------------------------
 */

static json_t *publication_json(const struct wh_publication *p)
{
	json_t *aliases = json_array(), *files = json_array();
	size_t i;

	for (i = 0; i < p->n_aliases; i++)
		json_array_append_new(
			aliases,
			json_pack("{s:o,s:b}", "alias",
				  json_text(p->aliases[i].alias), "current",
				  !p->aliases[i].moved && !p->removed));
	for (i = 0; i < p->n_files; i++)
		json_array_append_new(
			files, json_pack("{s:o,s:o,s:I,s:o}", "path",
					 json_text(p->files[i].path), "format",
					 json_text(p->files[i].format), "size",
					 (json_int_t)p->files[i].size, "sha256",
					 json_text(p->files[i].sha256)));
	return json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "time",
		json_text(cli_time_utc(p->time)), "who", json_text(p->who),
		"place", json_text(p->place), "remote", json_text(p->remote),
		"snapshot", json_text(p->snapshot), "tree", json_text(p->tree),
		"formats", json_text(p->formats), "manifest",
		json_text(p->manifest), "sha256", json_text(p->manifest_sha256),
		"state", json_text(p->removed ? "removed" : "published"),
		"aliases", aliases, "files", files);
}

/* "stable,(latest)": what points elsewhere by now is in brackets. */
static void print_aliases(const struct wh_publication *p)
{
	size_t i;

	for (i = 0; i < p->n_aliases; i++)
		printf(p->aliases[i].moved ? "%s(%s)" : "%s%s", i ? "," : "",
		       cli_escape(p->aliases[i].alias));
}

static int print_publication(void *arg, const struct wh_publication *p)
{
	const struct cli *cli = arg;

	if (cli_json(cli)) {
		cli_print_json(publication_json(p));
		return cli_interrupted();
	}
	printf("%s  %.12s  %-12s  ", cli_time(p->time), p->snapshot,
	       cli_escape(p->formats));
	if (p->removed)
		printf("removed");
	else
		print_aliases(p);
	printf("  %s  by %s\n", cli_escape(p->remote ? p->remote : p->place),
	       cli_escape(p->who));
	return cli_interrupted();
}

static void put_option(FILE *out, const char *name, const char *value)
{
	if (!value)
		return;
	fprintf(out, " %s ", name);
	cli_put_word(out, value, strlen(value));
}

/* The command that goes on, malloc'd; options that a URL needs beside it were
 * not kept. */
static char *resume_of(const struct cli *cli, const struct wh_interrupted *cut)
{
	const char *place = cut->remote ? cut->remote : cut->place;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("wh publish", out);
	put_option(out, "-s", cli_text(cli, "store"));
	fprintf(out, " %.12s ", cut->snapshot);
	cli_put_word(out, place, strlen(place));
	put_option(out, "--save-format", cut->formats);
	put_option(out, "--alias", cut->aliases);
	if (cut->max_shard_size)
		fprintf(out, " --max-shard-size %llu",
			(unsigned long long)cut->max_shard_size);
	if (cut->canonical)
		fputs(" --canonical", out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static json_t *interrupted_json(const struct wh_interrupted *cut,
				const char *resume)
{
	json_t *missing = json_array();
	size_t i;

	for (i = 0; i < cut->n_missing; i++)
		json_array_append_new(missing, json_text(cut->missing[i]));
	return json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:I,s:o,s:I,s:o}", "time",
		json_text(cli_time_utc(cut->time)), "place",
		json_text(cut->place), "remote", json_text(cut->remote),
		"snapshot", json_text(cut->snapshot), "formats",
		json_text(cut->formats), "n_files", (json_int_t)cut->n_files,
		"missing", missing, "missing_size",
		(json_int_t)cut->missing_size, "resume", json_text(resume));
}

static int print_interrupted(void *arg, const struct wh_interrupted *cut)
{
	struct cli *cli = arg;
	char *resume wh_free_auto = resume_of(cli, cut);
	json_t *row;

	if (!resume)
		return 1;
	if (cli_json(cli)) {
		row = interrupted_json(cut, resume);
		json_object_set_new(
			row, "state",
			json_text(cut->running ? "running" : "interrupted"));
		cli_print_json(row);
		return cli_interrupted();
	}
	printf("%s  %.12s  %-12s  %s, %zu of %s missing (%s)  %s\n",
	       cli_time(cut->time), cut->snapshot, cli_escape(cut->formats),
	       cut->running ? "running" : "interrupted", cut->n_missing,
	       cli_count(cut->n_files, "file"),
	       cli_size(cli, cut->missing_size),
	       cli_escape(cut->remote ? cut->remote : cut->place));
	if (!cut->running) {
		fputs("    to go on: ", stdout);
		cli_print_text(resume);
		putchar('\n');
	}
	return cli_interrupted();
}

static int list_publications(struct cli *cli)
{
	const char *name = cli->n_args ? cli->args[0] : NULL;
	struct remote remote = {0};
	int code = cli_open(cli, WH_OPEN_READ);

	if (!code && cli->n_args > 1)
		code = cli_usage(cli, "--list takes one URL or REMOTE");
	if (!code && name)
		code = remote_find(cli, name, &remote);
	if (!code && (wh_published_list(cli->store, remote.url,
					print_publication, cli, &cli->err) ||
		      wh_interrupted_list(cli->store, remote.url,
					  print_interrupted, cli, &cli->err)))
		code = cli_fail(cli);
	remote_free(&remote);
	return code;
}

static int check_place(struct cli *cli)
{
	const char *url = cli->n_args ? cli->args[cli->n_args - 1] : NULL;

	if (!url)
		return cli_usage(cli, "it needs URL|REMOTE: where to");
	if (!wh_is_place(url) && !remote_is_path(url))
		return cli_usage(cli,
				 "'%s' is no remote and no URL of a place: "
				 "file:, http:, https:, s3:, oci: and mlflow: "
				 "are",
				 url);
	return EXIT_DONE;
}

int cmd_publish(struct cli *cli)
{
	int code, i;

	if (cli_flag(cli, "list"))
		return list_publications(cli);
	if (cli_flag(cli, "policies"))
		return cli_list_rules(cli);
	code = check_place(cli);
	if (!code && (cli_flag(cli, "save") || cli_flag(cli, "drop")))
		return cli_set_rule(cli);
	if (!code)
		code = cli_open(cli, WH_OPEN_READ);
	if (cli->n_args == 1 && !code)
		return cli_publish(cli, "HEAD", cli->args[0]);
	for (i = 0; i + 1 < cli->n_args && !code; i++)
		code = cli_publish(cli, cli->args[i],
				   cli->args[cli->n_args - 1]);
	return code;
}
