/* What is complete goes into the store, and is told. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <weighhouse/keep.h>

#include "watch.h"

#define STORE_RETRY_MS 5000 /* a full disk, a busy store */

/* ---- Telling ---------------------------------------------------------------
 */

static json_t *metrics_json(const struct wh_metric *metrics, size_t n)
{
	json_t *object = json_object();
	size_t i;

	for (i = 0; i < n; i++)
		json_object_set_new(object, metrics[i].key,
				    number_json(metrics[i].value));
	return object;
}

static json_t *count_json(bool has, int64_t count)
{
	return has ? json_integer(count) : json_null();
}

static void tell_json(const struct watch_file *file,
		      const struct wh_commit_options *options,
		      const struct commit_outcome *outcome, double seconds)
{
	json_t *row = commit_json(outcome, file->name);

	json_object_set_new(row, "event",
			    json_string(outcome->result.there_already
						? "known"
						: "commit"));
	json_object_set_new(row, "step",
			    count_json(options->has_step, options->step));
	json_object_set_new(row, "epoch",
			    count_json(options->has_epoch, options->epoch));
	json_object_set_new(row, "metrics",
			    metrics_json(options->metrics, options->n_metrics));
	json_object_set_new(row, "seconds", json_real(seconds));
	cli_print_json(row);
	fflush(stdout);
}

static void tell_person(const struct watch *watch,
			const struct watch_file *file,
			const struct wh_commit_options *options,
			const struct commit_outcome *outcome, double seconds)
{
	const struct cli *cli = watch->cli;
	size_t i;

	cli_progress_end(NULL);
	fprintf(stderr, "wh %s: %s", cli->verb->name, cli_escape(file->name));
	if (options->has_step)
		fprintf(stderr, "  %s %" PRId64,
			options->has_epoch && options->step == options->epoch
				? "epoch"
				: "step",
			options->step);
	for (i = 0; i < options->n_metrics; i++)
		fprintf(stderr, "  %s=%.6g",
			cli_escape(options->metrics[i].key),
			options->metrics[i].value);
	fprintf(stderr, "  +%s  %.2f s\n",
		cli_size(cli, outcome->result.stored_bytes), seconds);
}

/* ---- After a commit --------------------------------------------------------
 */

static const char *reason(enum watch_deletion how)
{
	switch (how) {
	case WATCH_NOT_REPRODUCIBLE:
		return "it would come back with its values only, not byte for "
		       "byte";
	case WATCH_NOT_FILES:
		return "it is a SavedModel's folder";
	case WATCH_NOT_AS_BEFORE:
		return "it has changed since";
	case WATCH_UNDELETABLE:
		return strerror(errno);
	case WATCH_DELETED:
		break;
	}
	return "";
}

static void delete_sources(struct watch *watch)
{
	const struct cli *cli = watch->cli;
	struct watch_source gone;

	while (watch_sources_next(&watch->sources, &gone)) {
		enum watch_deletion how = watch_source_delete(&gone);

		if (how == WATCH_DELETED && cli_json(cli)) {
			cli_print_json(json_pack("{s:s,s:o,s:s}", "event",
						 "deleted", "file",
						 json_text(gone.path),
						 "snapshot", gone.snapshot));
			fflush(stdout);
		} else if (how != WATCH_DELETED && how != WATCH_NOT_AS_BEFORE) {
			watch_warn(watch, "'%s' is not deleted: %s",
				   cli_escape(gone.path), reason(how));
		}
		free(gone.path);
	}
}

static void note_source(struct watch *watch, const struct watch_file *file,
			const struct checkpoint_state *state,
			const struct commit_outcome *outcome)
{
	struct watch_source source = {.path = file->path,
				      .state = *state,
				      .reproducible = outcome->reproducible};
	struct wh_error err = {0};
	enum wh_status status;

	if (!watch->sources.wanted)
		return;
	memcpy(source.snapshot, outcome->result.snapshot,
	       sizeof(source.snapshot));
	status = watch_source_verify(watch->cli->store, source.snapshot, &err);
	/* What a rule of keep has forgotten is not there to rely on. */
	if (status && status != WH_ENOTFOUND)
		watch_warn(watch, "'%s' is not deleted: %s",
			   cli_escape(file->path), err.message);
	else if (!status)
		watch_sources_add(&watch->sources, &source);
	delete_sources(watch);
}

static void apply_rules(struct watch *watch)
{
	struct wh_keep_options options = {.rules = watch->rules,
					  .run = watch->run};
	struct wh_error err = {0};

	if (watch->rules[0] &&
	    wh_keep(watch->cli->store, &options, NULL, NULL, &err))
		watch_warn(watch, "--keep: %s", err.message);
}

/* ---- One checkpoint --------------------------------------------------------
 */

static size_t fill_metrics(const struct watch_file *file,
			   struct wh_metric metrics[NAME_MAX_METRICS])
{
	size_t i;

	for (i = 0; i < file->said.n; i++)
		metrics[i] = (struct wh_metric){file->said.names[i],
						file->said.values[i]};
	return file->said.n;
}

static void fill_options(const struct watch *watch,
			 const struct watch_file *file,
			 struct wh_commit_options *options)
{
	int64_t threads;

	options->branch = watch->branch;
	options->run = watch->run;
	options->codec = watch->codec;
	options->message = file->name;
	options->has_epoch = file->said.has_epoch;
	options->epoch = file->said.epoch;
	options->has_step = file->said.has_number;
	options->step = file->said.number;
	options->once = options->adopt = true;
	options->progress = watch_progress;
	options->arg = watch->cli;
	if (cli_integer(watch->cli, "threads", &threads) && threads > 0)
		options->threads = (unsigned)threads;
}

static void committed(struct watch *watch, struct watch_file *file,
		      const struct wh_commit_options *options,
		      const struct commit_outcome *outcome, double seconds)
{
	struct checkpoint_state before = file->seen, now;

	watch_took(file, &before);
	if (outcome->result.there_already)
		watch->n_known++;
	else
		watch->n_taken++;
	watch->stored_bytes += outcome->result.stored_bytes;
	if (cli_json(watch->cli))
		tell_json(file, options, outcome, seconds);
	else if (!cli_flag(watch->cli, "quiet") &&
		 !outcome->result.there_already)
		tell_person(watch, file, options, outcome, seconds);
	note_source(watch, file, &before, outcome);
	if (!outcome->result.there_already) {
		apply_rules(watch);
		watch->news = true;
	}
	/* A change while it was read that nobody told of. */
	checkpoint_look(file->path, &now, NULL, NULL);
	watch_look(file, &now, 0, watch_clock_ms());
}

static void left_out(struct watch *watch, const struct watch_file *file,
		     const char *why)
{
	const struct cli *cli = watch->cli;

	watch->n_bad++;
	if (cli_json(cli)) {
		cli_print_json(json_pack("{s:s,s:o,s:o}", "event", "left out",
					 "file", json_text(file->name), "why",
					 json_text(why)));
		fflush(stdout);
	}
	cli_progress_end(NULL);
	fprintf(stderr, "wh %s: %s is left out: %s\n", cli->verb->name,
		cli_escape(file->name), why);
}

/* What the store can't take now is tried again; what the file is to blame for
 * is given up until it changes. */
static int not_committed(struct watch *watch, struct watch_file *file,
			 enum wh_status status, bool opened,
			 enum watch_haste haste)
{
	const struct wh_error *err = &watch->cli->err;
	int64_t now_ms = watch_clock_ms();

	if (status == WH_ECANCELLED || watch_cancelled())
		return EXIT_INTERRUPTED;
	if (status == WH_EMISMATCH && haste == WATCH_PATIENT) {
		watch_again(file, now_ms);
		return EXIT_DONE;
	}
	if (!opened || status == WH_ECORRUPT || status == WH_EMISMATCH ||
	    status == WH_EUNSUPPORTED || status == WH_EINVAL ||
	    status == WH_EALARM) {
		if (watch_failed(&watch->list, file,
				 watch->once ? WATCH_STOPPING : haste, now_ms))
			left_out(watch, file, err->message);
		return EXIT_DONE;
	}
	file->retry_ms = now_ms + STORE_RETRY_MS;
	if (haste != WATCH_PATIENT)
		watch->n_unstored++;
	watch_warn(watch, "%s: %s; it will be tried again",
		   cli_escape(file->name), err->message);
	return EXIT_DONE;
}

static int take(struct watch *watch, struct watch_file *file,
		enum watch_haste haste)
{
	struct wh_commit_options options = {0};
	struct wh_metric metrics[NAME_MAX_METRICS];
	struct commit_outcome outcome = {0};
	int64_t begun_ms = watch_clock_ms();
	enum wh_status status;

	if (watch->pattern && !file->said.has_number && !file->said.n &&
	    !file->said_nothing) {
		file->said_nothing = true;
		watch_warn(watch, "'%s' doesn't fit '%s': it has no step",
			   cli_escape(file->name), watch->pattern);
	}
	fill_options(watch, file, &options);
	options.metrics = metrics;
	options.n_metrics = fill_metrics(file, metrics);
	status = cli_try_commit(watch->cli, file->path, &options, &outcome,
				watch_warn_each, watch);
	if (status)
		return not_committed(watch, file, status, outcome.opened,
				     haste);
	committed(watch, file, &options, &outcome,
		  (double)(watch_clock_ms() - begun_ms) / 1000);
	return EXIT_DONE;
}

/* ---- All that is due -------------------------------------------------------
 */

/* Whether it is there, and not as it was taken. */
static bool is_worth_it(struct watch *watch, struct watch_file *file)
{
	struct checkpoint_state now;

	checkpoint_look(file->path, &now, NULL, NULL);
	if (!now.exists && (file->met || file->seen.exists)) {
		file->met = false;
		left_out(watch, file, "it was deleted before it was read");
	}
	file->seen = now;
	if (now.exists && !checkpoint_same(&now, &file->taken))
		return true;
	file->dirty = false;
	return false;
}

int watch_take(struct watch *watch, enum watch_haste haste,
	       void (*pump)(struct watch *watch))
{
	struct watch_file **due =
		calloc(watch->list.n + 1, sizeof(struct watch_file *));
	int code = EXIT_DONE;
	size_t i, n;

	if (!due)
		return cli_no_memory(watch->cli);
	n = watch_list_due(&watch->list, haste, watch_clock_ms(), due);
	for (i = 0; i < n && !code; i++) {
		if (haste == WATCH_PATIENT && watch_stopping())
			break;
		if (!is_worth_it(watch, due[i]))
			continue;
		code = take(watch, due[i], haste);
		pump(watch);
	}
	free(due);
	return code;
}
