/* publish: a snapshot meets formats and a place. */
#include "publishing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/sha256.h"
#include "base/text.h"
#include "engine.h"
#include "plan_internal.h"
#include "publish/publication.h"
#include "publish/record.h"
#include "ref.h"
#include "run.h"

static const struct wh_publish_options default_publish;
static const char *const default_formats[] = {"h5", NULL};

/* ---- What is published ----------------------------------------------------
 */

struct publishing {
	const struct wh_publish_options *options;
	struct wh_source *source;
	struct publication publication;
	struct wh_plan **plans;
	size_t n_plans;
	struct journal *journal;
	json_t *elsewhere; /* place_settings.elsewhere */
	struct place *place;
	const char **aliases; /* as the place has them; NULL-terminated */
};

/* ---- The run, for tracking servers ----------------------------------------
 */

static bool add_metric(struct publication *publication,
		       const struct wh_snapshot *snapshot,
		       const struct wh_metric *metric)
{
	size_t n = publication->n_metrics;
	struct publish_metric *longer =
		realloc(publication->metrics, (n + 1) * sizeof(*longer));

	if (!longer)
		return false;
	publication->metrics = longer;
	longer[n] = (struct publish_metric){
		.key = strdup(metric->key),
		.value = metric->value,
		.step = snapshot->has_step    ? snapshot->step
			: snapshot->has_epoch ? snapshot->epoch
					      : 0,
		.time = snapshot->time};
	publication->n_metrics += longer[n].key != NULL;
	return longer[n].key != NULL;
}

static bool add_params(struct publication *publication,
		       const struct wh_snapshot *snapshot)
{
	size_t i;

	publication->params =
		calloc(snapshot->n_params + 1, sizeof(*publication->params));
	if (!publication->params)
		return false;
	for (i = 0; i < snapshot->n_params; i++) {
		struct publish_param *param = &publication->params[i];

		param->key = strdup(snapshot->params[i].key);
		param->value = strdup(snapshot->params[i].value);
		publication->n_params++;
		if (!param->key || !param->value)
			return false;
	}
	return true;
}

struct noting {
	struct publication *publication;
	bool failed; /* there was no memory for one of them */
};

/* Newest first: the last one that is seen began the run. */
static int note_of_run(void *arg, const struct wh_snapshot *snapshot)
{
	struct noting *noting = arg;
	struct publication *publication = noting->publication;
	size_t i;

	publication->run_started = snapshot->time;
	noting->failed =
		!publication->params && !add_params(publication, snapshot);
	for (i = 0; i < snapshot->n_metrics && !noting->failed; i++)
		noting->failed = !add_metric(publication, snapshot,
					     &snapshot->metrics[i]);
	return noting->failed;
}

static enum wh_status note_run(struct wh_store *store,
			       struct publication *publication,
			       struct wh_error *err)
{
	struct wh_log_options options = {.all = true,
					 .run = publication->run_name};
	struct noting noting = {.publication = publication};
	char *text wh_free_auto = NULL;
	const char *uuid;
	size_t size;

	WH_TRY(wh_snapshot_text(store, publication->snapshot, &text, &size,
				err));
	uuid = strstr(text, "\nrun ");
	if (uuid)
		snprintf(publication->run_uuid, sizeof(publication->run_uuid),
			 "%.*s", (int)strcspn(uuid + 5, "\n"), uuid + 5);
	WH_TRY(wh_log(store, &options, note_of_run, &noting, err));
	return noting.failed ? wh_fail_memory(err) : WH_OK;
}

static int note_snapshot(void *arg, const struct wh_snapshot *snapshot)
{
	struct publication *publication = arg;

	memcpy(publication->snapshot, snapshot->id, HEX_SIZE);
	memcpy(publication->tree, snapshot->tree, HEX_SIZE);
	publication->snapshot_time = snapshot->time;
	publication->has_step = snapshot->has_step;
	publication->step = snapshot->step;
	publication->has_epoch = snapshot->has_epoch;
	publication->epoch = snapshot->epoch;
	publication->run_name = strdup(snapshot->run);
	return 0;
}

static enum wh_status add_image(struct publication *publication,
				const struct wh_format *format,
				struct wh_plan *plan, uint32_t index,
				struct wh_error *err)
{
	const struct wh_image *image = wh_plan_image(plan, index);
	size_t n = publication->n_files;
	struct publish_file *longer =
		realloc(publication->files, (n + 1) * sizeof(*longer));
	char *base wh_free_auto = NULL, *name wh_free_auto = NULL;

	if (!longer)
		return wh_fail_memory(err);
	publication->files = longer;
	memset(&longer[n], 0, sizeof(longer[n]));
	longer[n].format = format->name;
	longer[n].plan = plan;
	longer[n].image = index;
	longer[n].size = image->size;
	longer[n].commits = image->commits;
	/* As if it was saved to "model.h5"; for tf to "model". */
	if (asprintf(&base, "model%s",
		     format->suffixes[0] ? format->suffixes[0] : "") < 0)
		base = NULL;
	name = base ? wh_image_path(base, image->suffix) : NULL;
	if (!name || asprintf(&longer[n].path, "v/%s/%s", publication->snapshot,
			      name) < 0) {
		longer[n].path = NULL;
		return wh_fail_memory(err);
	}
	publication->n_files++;
	return WH_OK;
}

/* Two formats may leave out the same. */
static enum wh_status tell_warnings(const struct publishing *publishing,
				    const struct wh_format *format,
				    struct wh_plan *plan, struct wh_error *err)
{
	const struct wh_publish_options *options = publishing->options;
	uint32_t i;

	for (i = 0; options->warn && i < wh_plan_n_warnings(plan); i++) {
		char *sentence wh_free_auto = NULL;

		if (asprintf(&sentence, "%s: %s", format->name,
			     wh_plan_warning(plan, i)) < 0) {
			sentence = NULL;
			return wh_fail_memory(err);
		}
		options->warn(options->arg, sentence);
	}
	return WH_OK;
}

static enum wh_status find_format(const struct wh_library *library,
				  const char *name,
				  const struct wh_format **format,
				  struct wh_error *err)
{
	*format = wh_format_by_name(library, name);
	if (!*format)
		return wh_fail(err, WH_EINVAL, "there is no format '%s'", name);
	if ((*format)->missing)
		return wh_fail(err, WH_EUNSUPPORTED, "format %s: %s",
			       (*format)->name, (*format)->missing);
	return WH_OK;
}

/* Its files would be listed twice. */
static enum wh_status check_once(const struct publication *publication,
				 const struct wh_format *format,
				 struct wh_error *err)
{
	size_t i;

	for (i = 0; i < publication->n_files; i++)
		if (strcmp(publication->files[i].format, format->name) == 0)
			return wh_fail(err, WH_EINVAL,
				       "format '%s' is given twice",
				       format->name);
	return WH_OK;
}

static enum wh_status plan_one(struct publishing *publishing, const char *name,
			       struct wh_error *err)
{
	struct publication *publication = &publishing->publication;
	const struct wh_format *format;
	struct wh_plan *plan;
	bool reproduced;
	uint32_t i;

	WH_TRY(find_format(publishing->options->library, name, &format, err));
	WH_TRY(check_once(publication, format, err));
	WH_TRY(wh_plan_for(
		publishing->source, format, &publishing->options->plan,
		publishing->options->canonical, &plan, &reproduced, err));
	publishing->plans[publishing->n_plans++] = plan;
	WH_TRY(plan_check(plan, err));
	WH_TRY(tell_warnings(publishing, format, plan, err));
	for (i = 0; i < wh_plan_n_images(plan); i++)
		WH_TRY(add_image(publication, format, plan, i, err));
	if (strcmp(format->name, "tf") == 0 &&
	    asprintf(&publication->tf_prefix, "v/%s/model",
		     publication->snapshot) < 0) {
		publication->tf_prefix = NULL;
		return wh_fail_memory(err);
	}
	return WH_OK;
}

static enum wh_status plan_all(struct publishing *publishing,
			       struct wh_error *err)
{
	const char *const *formats = publishing->options->formats;
	size_t n = 0;

	formats = formats && *formats ? formats : default_formats;
	while (formats[n])
		n++;
	publishing->plans = calloc(n, sizeof(struct wh_plan *));
	if (!publishing->plans)
		return wh_fail_memory(err);
	for (; *formats; formats++)
		WH_TRY(plan_one(publishing, *formats, err));
	return WH_OK;
}

/* ---- The journal ----------------------------------------------------------
 */

/* A publication is the same if place, snapshot, the files' names and sizes,
 * and what decides on their bytes are. The place by the name that `publish
 * --list` tells, so that its command goes on with this journal. */
static enum wh_status journal_name(const struct publication *publication,
				   bool canonical, const char *url,
				   char name[HEX_SIZE], struct wh_error *err)
{
	char *place wh_free_auto = place_name(url);
	struct wh_buf text wh_buf_auto = {0};
	uint8_t digest[DIGEST_SIZE];
	size_t i;

	if (!place)
		return wh_fail_memory(err);
	WH_TRY(wh_buf_printf(&text, err, "%s\n%s", place,
			     canonical ? "canonical\n" : ""));
	for (i = 0; i < publication->n_files; i++)
		WH_TRY(wh_buf_printf(
			&text, err, "%s %llu\n", publication->files[i].path,
			(unsigned long long)publication->files[i].size));
	WH_TRY(sha256_of(text.data, text.size, digest, err));
	text_hex(digest, 16, name);
	return WH_OK;
}

/* "h5,tf", each once. */
static enum wh_status join_formats(const struct publication *publication,
				   struct wh_buf *text, struct wh_error *err)
{
	const char *last = "";
	size_t i;

	for (i = 0; i < publication->n_files; i++) {
		const char *format = publication->files[i].format;

		if (strcmp(format, last) == 0)
			continue;
		WH_TRY(wh_buf_printf(text, err, "%s%s", *last ? "," : "",
				     format));
		last = format;
	}
	return wh_buf_append(text, "", 1, err);
}

static enum wh_status open_journal(struct publishing *publishing,
				   struct wh_store *store, const char *url,
				   struct wh_error *err)
{
	const char *given = publishing->options->journal_folder;
	char *folder wh_free_auto =
		given ? strdup(given) : journal_folder(wh_store_file(store));
	struct wh_buf formats wh_buf_auto = {0};
	char name[HEX_SIZE];

	WH_TRY(journal_name(&publishing->publication,
			    publishing->options->canonical, url, name, err));
	WH_TRY(journal_open(publishing->options->dry_run ? NULL : folder, name,
			    &publishing->journal, err));
	WH_TRY(join_formats(&publishing->publication, &formats, err));
	return interrupted_note(publishing->journal, &publishing->publication,
				publishing->options, url,
				(const char *)formats.data, err);
}

/* ---- The record -----------------------------------------------------------
 */

static void fill_record_file(const struct publish_file *from,
			     struct wh_publication_file *to, char hex[HEX_SIZE])
{
	text_hex(from->sha256, DIGEST_SIZE, hex);
	*to = (struct wh_publication_file){.path = from->path,
					   .format = from->format,
					   .size = from->size,
					   .sha256 = hex};
}

static enum wh_status record_aliases(const struct publication *publication,
				     struct wh_publication *record,
				     struct wh_publication_alias **aliases,
				     struct wh_error *err)
{
	const char *const *alias = publication->aliases;
	size_t n = 0;

	while (alias[n])
		n++;
	*aliases = calloc(n + 1, sizeof(**aliases));
	if (!*aliases)
		return wh_fail_memory(err);
	for (n = 0; alias[n]; n++)
		(*aliases)[n].alias = alias[n];
	record->aliases = *aliases;
	record->n_aliases = n;
	return WH_OK;
}

static enum wh_status record(struct publishing *publishing,
			     struct wh_store *store, const char *url,
			     struct wh_error *err)
{
	const struct publication *publication = &publishing->publication;
	size_t i, n = publication->n_files;
	struct wh_publication_file *files wh_free_auto =
		calloc(n + 1, sizeof(*files));
	char(*digests)[HEX_SIZE] wh_free_auto = calloc(n + 1, HEX_SIZE);
	struct wh_publication_alias *aliases wh_free_auto = NULL;
	char *place wh_free_auto = place_name(url);
	struct wh_buf formats wh_buf_auto = {0};
	char manifest[HEX_SIZE], who[300], uuid[37];
	struct wh_publication row = {
		.id = uuid,
		.place = place,
		.remote = publishing->options->remote,
		.snapshot = publication->snapshot,
		.tree = publication->tree,
		.manifest = publication->manifest.path,
		.manifest_sha256 = manifest,
		.who = who,
		/* By the clock: grace periods count from here. */
		.time = (int64_t)time(NULL),
		.files = files,
		.n_files = n,
	};

	if (!files || !digests || !place)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++)
		fill_record_file(&publication->files[i], &files[i], digests[i]);
	text_hex(publication->manifest.sha256, DIGEST_SIZE, manifest);
	record_who(who, sizeof(who));
	WH_TRY(run_make_uuid(uuid, err));
	WH_TRY(join_formats(publication, &formats, err));
	row.formats = (const char *)formats.data;
	WH_TRY(record_aliases(publication, &row, &aliases, err));
	return record_publication(store, &row, err);
}

/* What is published is published, whether it could be noted or not. */
static void record_or_warn(struct publishing *publishing,
			   struct wh_store *store, const char *url)
{
	const struct wh_publish_options *options = publishing->options;
	struct wh_error why;
	char *sentence wh_free_auto = NULL;

	if (options->dry_run || !record(publishing, store, url, &why) ||
	    !options->warn)
		return;
	if (asprintf(&sentence, "this publication could not be recorded: %s",
		     why.message) >= 0)
		options->warn(options->arg, sentence);
}

/* ---- What is elsewhere ----------------------------------------------------
 */

static int note_elsewhere(void *arg, const struct wh_publication *publication)
{
	json_t *elsewhere = arg;
	size_t i;

	for (i = 0; i < publication->n_files && !publication->removed; i++)
		json_object_set_new(elsewhere, publication->files[i].sha256,
				    json_string(publication->place));
	return 0;
}

/* Registries alone take files from each other's repositories. */
static enum wh_status find_elsewhere(struct publishing *publishing,
				     struct wh_store *store, const char *url,
				     struct wh_error *err)
{
	if (!text_starts(url, "oci"))
		return WH_OK;
	publishing->elsewhere = json_object();
	if (!publishing->elsewhere)
		return wh_fail_memory(err);
	return record_list(store, NULL, note_elsewhere, publishing->elsewhere,
			   err);
}

/* ---- Publishing -----------------------------------------------------------
 */

static bool forward_progress(void *arg, uint64_t done, uint64_t total)
{
	const struct wh_publish_options *options = arg;

	return !options->progress ||
	       options->progress(options->arg, "publishing", done, total);
}

static void forward_file(void *arg, const struct publish_file *file)
{
	const struct wh_publish_options *options = arg;
	struct wh_published_file told = {.path = file->path,
					 .format = file->format,
					 .size = file->size,
					 .sent = file->state == PUBLISH_SENT};

	if (!options->told)
		return;
	text_hex(file->sha256, DIGEST_SIZE, told.sha256);
	options->told(options->arg, &told);
}

/* Each once, under the name that is protected, and goes on record. */
static enum wh_status name_aliases(struct publishing *publishing,
				   const char *url, struct wh_error *err)
{
	static const char *const latest[] = {"latest", NULL};
	const char *const *alias = publishing->options->aliases;
	size_t n = 0, i, k;

	if (!alias)
		alias = latest;
	while (alias[n])
		n++;
	publishing->aliases = calloc(n + 1, sizeof(*publishing->aliases));
	if (!publishing->aliases)
		return wh_fail_memory(err);
	for (i = 0, n = 0; alias[i]; i++) {
		const char *name = wh_place_alias(url, alias[i]);

		for (k = 0; k < n; k++)
			if (strcmp(publishing->aliases[k], name) == 0)
				break;
		if (k == n)
			publishing->aliases[n++] = name;
	}
	return WH_OK;
}

static enum wh_status publish_all(struct publishing *publishing,
				  struct wh_store *store, const char *url,
				  struct wh_error *err)
{
	const struct wh_publish_options *options = publishing->options;
	struct publication *publication = &publishing->publication;
	struct place_settings settings =
		place_settings_of(url, &options->place);
	struct publication_options running = {
		.dry_run = options->dry_run,
		.force = options->force,
		.verify_full = options->verify_full,
		.progress = forward_progress,
		.told = forward_file,
		.arg = (void *)(uintptr_t)options,
	};

	WH_TRY(plan_all(publishing, err));
	WH_TRY(note_run(store, publication, err));
	WH_TRY(name_aliases(publishing, url, err));
	publication->aliases = publishing->aliases;
	publication->protected = options->protected_aliases;
	publication->now = ref_now();
	WH_TRY(open_journal(publishing, store, url, err));
	WH_TRY(find_elsewhere(publishing, store, url, err));
	settings.journal = publishing->journal;
	settings.elsewhere = publishing->elsewhere;
	WH_TRY(place_open(&settings, &publishing->place, err));
	return publication_run(publication, publishing->place, &running, err);
}

static enum wh_status check_aliases(const char *const *alias,
				    struct wh_error *err)
{
	for (; alias && *alias; alias++)
		if (place_check_path(*alias, NULL) || strchr(*alias, '/') ||
		    strlen(*alias) > 128)
			return wh_fail(err, WH_EINVAL, "'%s' can't be an alias",
				       *alias);
	return WH_OK;
}

static int note_nothing(void *arg, const struct wh_snapshot *snapshot)
{
	(void)arg;
	(void)snapshot;
	return 0;
}

/* What gc took under our hands is no damage. */
static enum wh_status explain_loss(struct wh_store *store,
				   const struct publication *publication,
				   enum wh_status status, struct wh_error *err)
{
	if (status == WH_ECORRUPT &&
	    wh_snapshot_get(store, publication->snapshot, note_nothing, NULL,
			    NULL) == WH_ENOTFOUND)
		return wh_fail(err, WH_ENOTFOUND,
			       "snapshot %.12s was removed from the store "
			       "while it was being published",
			       publication->snapshot);
	return status;
}

enum wh_status wh_publish(struct wh_store *store, const char *revision,
			  const char *url,
			  const struct wh_publish_options *options,
			  struct wh_error *err)
{
	struct publishing publishing = {.options = options ? options
							   : &default_publish};
	enum wh_status status;
	size_t i;

	WH_TRY(check_aliases(publishing.options->aliases, err));
	status = wh_snapshot_get(store, revision, note_snapshot,
				 &publishing.publication, err);
	if (!status && !publishing.publication.run_name)
		status = wh_fail_memory(err);
	if (!status)
		status =
			wh_snapshot_open(store, publishing.publication.snapshot,
					 &publishing.source, err);
	if (!status) {
		status = publish_all(&publishing, store, url, err);
		place_close(publishing.place);
		journal_close(publishing.journal);
		json_decref(publishing.elsewhere);
		if (!status)
			record_or_warn(&publishing, store, url);
		else
			status = explain_loss(store, &publishing.publication,
					      status, err);
	}
	publication_free(&publishing.publication);
	for (i = 0; i < publishing.n_plans; i++)
		wh_plan_free(publishing.plans[i]);
	free(publishing.plans);
	free(publishing.aliases);
	wh_source_close(publishing.source);
	return status;
}
