/* keep: which snapshots stay. */
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include <weighhouse/keep.h>

#include "base/auto.h"
#include "cli.h"

#define MAX_RULES 64

static const char *const rule_options[] = {"last", "best", "every", "tag",
					   "within"};

struct rules {
	char *texts[MAX_RULES + 1]; /* "last=5"; NULL-terminated */
	int n;
};

static void rules_free(struct rules *rules)
{
	while (rules->n)
		free(rules->texts[--rules->n]);
}

static bool is_rule(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(rule_options) / sizeof(rule_options[0]); i++)
		if (strcmp(rule_options[i], name) == 0)
			return true;
	return false;
}

/* In the order in which they were given. */
static int take_rules(struct cli *cli, struct rules *rules)
{
	int i;

	for (i = 0; i < cli->n_given; i++) {
		const struct given *given = &cli->given[i];

		if (!is_rule(given->option->name))
			continue;
		if (rules->n == MAX_RULES)
			return cli_usage(cli, "there are too many rules");
		if (asprintf(&rules->texts[rules->n], "%s=%s",
			     given->option->name, given->value) < 0)
			return cli_no_memory(cli);
		rules->n++;
	}
	rules->texts[rules->n] = NULL;
	return EXIT_DONE;
}

struct listing {
	struct cli *cli;
	const char *const *rules;
	bool holds[MAX_RULES]; /* of each: any snapshot */
	uint64_t n_kept, n_gone, frees;
};

static void print_json(const struct wh_kept *kept)
{
	json_t *why = json_array();
	size_t i;

	for (i = 0; kept->why[i]; i++)
		json_array_append_new(why, json_text(kept->why[i]));
	cli_print_json(json_pack("{s:o,s:b,s:o,s:I}", "snapshot",
				 json_text(kept->snapshot->id), "keep",
				 kept->keep, "why", why, "frees",
				 (json_int_t)kept->frees));
}

static void print_line(const struct cli *cli, const struct wh_kept *kept)
{
	const struct wh_snapshot *s = kept->snapshot;
	char place[48] = "";
	size_t i;

	if (s->has_epoch)
		snprintf(place, sizeof(place), "epoch %" PRId64, s->epoch);
	else if (s->has_step)
		snprintf(place, sizeof(place), "step %" PRId64, s->step);
	printf("%.12s  %s  %-12s %-7s %10s", s->id, cli_time(s->time), place,
	       kept->keep ? "keep" : "forget",
	       kept->keep ? "" : cli_size(cli, kept->frees));
	for (i = 0; kept->why[i]; i++)
		printf("%s%s", i ? ", " : "  ", cli_escape(kept->why[i]));
	putchar('\n');
}

/* "best 3:loss" is told of the rule "best=3:loss". */
static void note_rules(struct listing *listing, const char *why)
{
	size_t i, name = strcspn(why, " ");

	for (i = 0; why[name] && listing->rules[i]; i++)
		if (strncmp(listing->rules[i], why, name) == 0 &&
		    strcmp(listing->rules[i] + name + 1, why + name + 1) == 0)
			listing->holds[i] = true;
}

/* A mistyped metric forgets the best ones. */
static void warn_of_metrics(const struct listing *listing)
{
	char sentence[300];
	size_t i;

	for (i = 0; listing->n_gone && listing->rules[i]; i++) {
		if (listing->holds[i] ||
		    strncmp(listing->rules[i], "best=", 5) != 0)
			continue;
		snprintf(sentence, sizeof(sentence),
			 "--best %.200s holds nothing: no snapshot has a "
			 "value of it",
			 listing->rules[i] + 5);
		cli_warn(listing->cli, sentence);
	}
}

static int tell(void *arg, const struct wh_kept *kept)
{
	struct listing *listing = arg;
	size_t i;

	for (i = 0; kept->why[i]; i++)
		note_rules(listing, kept->why[i]);
	listing->n_kept += kept->keep;
	listing->n_gone += !kept->keep;
	listing->frees += kept->frees;
	if (cli_json(listing->cli))
		print_json(kept);
	else if (!cli_flag(listing->cli, "quiet"))
		print_line(listing->cli, kept);
	return cli_interrupted();
}

static int run_keep(struct cli *cli, const struct wh_keep_options *options)
{
	struct listing listing = {.cli = cli, .rules = options->rules};

	if (wh_keep(cli->store, options, tell, &listing, &cli->err))
		return cli_fail(cli);
	warn_of_metrics(&listing);
	cli_say(cli, "%" PRIu64 " kept, %" PRIu64 " %s; gc will free %s%s",
		listing.n_kept, listing.n_gone,
		options->dry_run ? "would be forgotten" : "forgotten",
		cli_size(cli, listing.frees),
		options->dry_run ? "" : " after the grace period");
	return EXIT_DONE;
}

static int run_undo(struct cli *cli)
{
	uint64_t n;

	if (wh_keep_undo(cli->store, cli_text(cli, "branch"),
			 cli_text(cli, "run"), &n, &cli->err))
		return cli_fail(cli);
	if (cli_json(cli))
		cli_print_json(
			json_pack("{s:I}", "brought_back", (json_int_t)n));
	cli_say(cli, "%s brought back", cli_count(n, "snapshot"));
	return EXIT_DONE;
}

static int print_policy(void *arg, const struct wh_policy *policy)
{
	const struct cli *cli = arg;
	json_t *rules = json_array();
	size_t i;

	for (i = 0; policy->rules[i]; i++)
		json_array_append_new(rules, json_text(policy->rules[i]));
	if (cli_json(cli)) {
		cli_print_json(json_pack(
			"{s:o,s:o,s:o}", "branch", json_text(policy->branch),
			"run", json_text(policy->run), "rules", rules));
		return 0;
	}
	json_decref(rules);
	printf("%-7s %-20s",
	       policy->run	? "run"
	       : policy->branch ? "branch"
				: "store",
	       cli_escape(policy->run	   ? policy->run
			  : policy->branch ? policy->branch
					   : ""));
	for (i = 0; policy->rules[i]; i++)
		printf(" %s", cli_escape(policy->rules[i]));
	putchar('\n');
	return 0;
}

static int set_policy(struct cli *cli, const struct rules *rules)
{
	if (wh_policy_set(cli->store, cli_text(cli, "branch"),
			  cli_text(cli, "run"),
			  (const char *const *)rules->texts, &cli->err))
		return cli_fail(cli);
	cli_say(cli, rules->n ? "the rules are applied after each commit"
			      : "there is no policy any more");
	return EXIT_DONE;
}

static int take_grace(struct cli *cli, int64_t *seconds)
{
	const char *text = cli_text(cli, "grace");

	if (text && !wh_duration_parse(text, seconds))
		return cli_usage(cli, "--grace: '%s' is no duration as 14d",
				 text);
	return EXIT_DONE;
}

static int dispatch(struct cli *cli, const struct rules *rules)
{
	struct wh_keep_options options = {
		.rules = (const char *const *)rules->texts,
		.branch = cli_text(cli, "branch"),
		.run = cli_text(cli, "run"),
		.dry_run = cli_flag(cli, "dry-run"),
	};
	bool reads = options.dry_run || cli_flag(cli, "policies");
	int code = take_grace(cli, &options.grace_s);

	options.policies = cli_flag(cli, "apply");
	if (!code && options.policies && rules->n)
		code = cli_usage(cli, "--apply is for the stored rules alone");
	if (!code && cli_flag(cli, "drop") && rules->n)
		code = cli_usage(cli, "--drop takes no rules: it drops all of "
				      "the branch's, the run's or the store's");
	if (!code && rules->n == 0 && !cli_flag(cli, "undo") &&
	    !cli_flag(cli, "policies") && !cli_flag(cli, "drop") &&
	    !options.policies)
		code = cli_usage(cli, "say which snapshots to keep: --last, "
				      "--best, --every, --tag, --within");
	if (!code)
		code = cli_open(cli, reads ? WH_OPEN_READ : WH_OPEN_WRITE);
	if (code)
		return code;
	if (cli_flag(cli, "policies"))
		return wh_policy_list(cli->store, print_policy, cli, &cli->err)
			       ? cli_fail(cli)
			       : EXIT_DONE;
	if (cli_flag(cli, "undo"))
		return run_undo(cli);
	if (cli_flag(cli, "save") || cli_flag(cli, "drop"))
		return set_policy(cli, rules);
	return run_keep(cli, &options);
}

int cmd_keep(struct cli *cli)
{
	struct rules rules = {.n = 0};
	int code = take_rules(cli, &rules);

	if (!code)
		code = dispatch(cli, &rules);
	rules_free(&rules);
	return code;
}

/* ---- gc, backup ------------------------------------------------------------
 */

/* Compacting copies through a file as large as the store, for which /var/tmp
 * has no room as a rule. SQLite asks for the variable when it is first used. */
static void copy_beside(const char *store)
{
	char *whole wh_free_auto = realpath(store, NULL);

	if (whole && !getenv("SQLITE_TMPDIR") && !getenv("TMPDIR"))
		setenv("SQLITE_TMPDIR", dirname(whole), 0);
}

int cmd_gc(struct cli *cli)
{
	struct wh_gc_options options = {
		.has_grace = cli_flag(cli, "grace"),
		.dry_run = cli_flag(cli, "dry-run"),
		.compact = cli_flag(cli, "compact"),
		.deep = cli_flag(cli, "deep"),
		.codec = cli_text(cli, "codec"),
		.progress = cli_progress,
		.arg = cli,
	};
	struct wh_gc_result r;
	int code = take_grace(cli, &options.grace_s);

	if (!code && options.codec && !options.deep)
		code = cli_usage(cli, "--codec goes with --deep");
	if (options.compact)
		copy_beside(cli_store_path(cli));
	if (!code)
		code = cli_open(cli,
				options.dry_run ? WH_OPEN_READ : WH_OPEN_WRITE);
	if (code)
		return code;
	if (wh_gc(cli->store, &options, &r, &cli->err))
		return cli_fail(cli);
	cli_progress_end(cli);
	if (cli_json(cli))
		cli_print_json(
			json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
				  "snapshots", (json_int_t)r.n_snapshots,
				  "tensors", (json_int_t)r.n_tensors,
				  "freed_bytes", (json_int_t)r.freed_bytes,
				  "file_bytes", (json_int_t)r.file_bytes,
				  "waiting", (json_int_t)r.n_waiting, "recoded",
				  (json_int_t)r.n_recoded, "recoded_before",
				  (json_int_t)r.recoded_before, "recoded_after",
				  (json_int_t)r.recoded_after));
	if (options.deep)
		cli_say(cli, "%s %s from %s to %s",
			cli_count(r.n_recoded, "tensor"),
			options.dry_run ? "would shrink" : "recoded",
			cli_size(cli, r.recoded_before),
			cli_size(cli, r.recoded_after));
	cli_say(cli, "%s and %s %s, %s; the store has %s",
		cli_count(r.n_snapshots, "snapshot"),
		cli_count(r.n_tensors, "tensor"),
		options.dry_run ? "would go" : "gone",
		cli_size(cli, r.freed_bytes), cli_size(cli, r.file_bytes));
	if (r.n_waiting)
		cli_say(cli,
			"%s in the grace period; with --grace 0 gc waits "
			"for none",
			cli_count(r.n_waiting, "forgotten snapshot"));
	return EXIT_DONE;
}

int cmd_backup(struct cli *cli)
{
	const char *path = cli->args[0];
	int code;

	if (strcmp(path, "-") == 0)
		return cli_usage(cli, "a store can't be written to stdout");
	code = cli_open(cli, WH_OPEN_READ);
	if (code)
		return code;
	cli->subject = path;
	if (wh_backup(cli->store, path, &cli->err))
		return cli_fail(cli);
	if (cli_json(cli))
		cli_print_json(json_pack("{s:o}", "backup", json_text(path)));
	cli_say(cli, "copied to %s", cli_escape(path));
	return EXIT_DONE;
}
