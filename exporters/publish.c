/* publish, pull: snapshots meet formats and places. */
#include <weighhouse/publish.h>

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
#include "publish/pull.h"

static const struct wh_publish_options default_publish;
static const struct wh_pull_options default_pull;
static const char *const default_formats[] = {"h5", NULL};

bool wh_is_place(const char *text)
{
	return place_is_url(text);
}

static struct place_settings settings_of(const char *url,
					 const struct wh_place_options *options)
{
	return (struct place_settings){
		.url = url,
		.profile = options->profile,
		.endpoint = options->endpoint,
		.token_env = options->token_env,
		.token_file = options->token_file,
		.parallel = options->parallel,
		.http = {.ca_file = options->ca_file,
			 .cert_file = options->cert_file,
			 .key_file = options->key_file,
			 .proxy = options->proxy,
			 .allow_http = options->allow_http,
			 .limit_rate = options->limit_rate,
			 .max_tries = options->max_tries,
			 .stall_seconds = options->stall_seconds,
			 .reply_seconds = options->reply_seconds},
	};
}

/* ---- What is published ----------------------------------------------------
 */

struct publishing {
	const struct wh_publish_options *options;
	struct wh_source *source;
	struct publication publication;
	struct wh_plan **plans;
	size_t n_plans;
	struct journal *journal;
	struct place *place;
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

/* Newest first: the last one that is seen began the run. */
static int note_of_run(void *arg, const struct wh_snapshot *snapshot)
{
	struct publication *publication = arg;
	size_t i;

	publication->run_started = snapshot->time;
	if (!publication->params && !add_params(publication, snapshot))
		return 1;
	for (i = 0; i < snapshot->n_metrics; i++)
		if (!add_metric(publication, snapshot, &snapshot->metrics[i]))
			return 1;
	return 0;
}

static enum wh_status note_run(struct wh_store *store,
			       struct publication *publication,
			       struct wh_error *err)
{
	struct wh_log_options options = {.all = true,
					 .run = publication->run_name};
	char *text wh_free_auto = NULL;
	const char *uuid;
	size_t size;

	WH_TRY(wh_snapshot_text(store, publication->snapshot, &text, &size,
				err));
	uuid = strstr(text, "\nrun ");
	if (uuid)
		snprintf(publication->run_uuid, sizeof(publication->run_uuid),
			 "%.*s", (int)strcspn(uuid + 5, "\n"), uuid + 5);
	return wh_log(store, &options, note_of_run, publication, err);
}

static int note_snapshot(void *arg, const struct wh_snapshot *snapshot)
{
	struct publication *publication = arg;

	memcpy(publication->snapshot, snapshot->id, HEX_SIZE);
	memcpy(publication->tree, snapshot->tree, HEX_SIZE);
	publication->snapshot_time = snapshot->time;
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
	bool own_suffix = *image->suffix == '\0';

	if (!longer)
		return wh_fail_memory(err);
	publication->files = longer;
	memset(&longer[n], 0, sizeof(longer[n]));
	longer[n].format = format->name;
	longer[n].plan = plan;
	longer[n].image = index;
	longer[n].size = image->size;
	longer[n].commits = image->commits;
	/* "model.h5"; for tf "model" and what its images add. */
	if (asprintf(&longer[n].path, "v/%s/model%s%s", publication->snapshot,
		     own_suffix && format->suffixes[0] ? format->suffixes[0]
						       : "",
		     image->suffix) < 0) {
		longer[n].path = NULL;
		return wh_fail_memory(err);
	}
	publication->n_files++;
	return WH_OK;
}

static void tell_warnings(const struct publishing *publishing,
			  struct wh_plan *plan)
{
	const struct wh_publish_options *options = publishing->options;
	uint32_t i;

	for (i = 0; options->warn && i < wh_plan_n_warnings(plan); i++)
		options->warn(options->arg, wh_plan_warning(plan, i));
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

static enum wh_status plan_one(struct publishing *publishing, const char *name,
			       struct wh_error *err)
{
	struct publication *publication = &publishing->publication;
	const struct wh_format *format;
	struct wh_plan *plan;
	bool reproduced;
	uint32_t i;

	WH_TRY(find_format(publishing->options->library, name, &format, err));
	WH_TRY(wh_plan_for(
		publishing->source, format, &publishing->options->plan,
		publishing->options->canonical, &plan, &reproduced, err));
	publishing->plans[publishing->n_plans++] = plan;
	WH_TRY(plan_check(plan, err));
	tell_warnings(publishing, plan);
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

/* Beside the store; a store on read-only media has one in the user's state
 * folder. */
static char *journal_folder(struct wh_store *store,
			    const struct wh_publish_options *options)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *beside = NULL, *folder = NULL;
	char *parent wh_free_auto = NULL;

	if (options->journal_folder)
		return strdup(options->journal_folder);
	if (asprintf(&beside, "%s-publish", wh_store_path(store)) < 0)
		return NULL;
	parent = strdup(beside);
	if (parent && strrchr(parent, '/'))
		*strrchr(parent, '/') = '\0';
	else if (parent)
		strcpy(parent, ".");
	if (!parent || access(*parent ? parent : "/", W_OK) == 0)
		return beside;
	free(beside);
	if (state && *state && asprintf(&folder, "%s/weighhouse", state) < 0)
		return NULL;
	if (!folder && home && *home &&
	    asprintf(&folder, "%s/.local/state/weighhouse", home) < 0)
		return NULL;
	return folder;
}

/* A publication is the same if place, snapshot, and the files' names and
 * sizes are. */
static enum wh_status journal_name(const struct publication *publication,
				   const char *url, char name[HEX_SIZE],
				   struct wh_error *err)
{
	struct wh_buf text wh_buf_auto = {0};
	uint8_t digest[DIGEST_SIZE];
	size_t i;

	WH_TRY(wh_buf_printf(&text, err, "%s\n", url));
	for (i = 0; i < publication->n_files; i++)
		WH_TRY(wh_buf_printf(
			&text, err, "%s %llu\n", publication->files[i].path,
			(unsigned long long)publication->files[i].size));
	WH_TRY(sha256_of(text.data, text.size, digest, err));
	text_hex(digest, 16, name);
	return WH_OK;
}

static enum wh_status open_journal(struct publishing *publishing,
				   struct wh_store *store, const char *url,
				   struct wh_error *err)
{
	char *folder wh_free_auto = journal_folder(store, publishing->options);
	char name[HEX_SIZE];

	WH_TRY(journal_name(&publishing->publication, url, name, err));
	return journal_open(publishing->options->dry_run ? NULL : folder, name,
			    &publishing->journal, err);
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

static enum wh_status publish_all(struct publishing *publishing,
				  struct wh_store *store, const char *url,
				  struct wh_error *err)
{
	const struct wh_publish_options *options = publishing->options;
	struct publication *publication = &publishing->publication;
	struct place_settings settings = settings_of(url, &options->place);
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
	publication->aliases = options->aliases;
	publication->now = (int64_t)time(NULL);
	WH_TRY(open_journal(publishing, store, url, err));
	settings.journal = publishing->journal;
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
	WH_TRY(wh_snapshot_get(store, revision, note_snapshot,
			       &publishing.publication, err));
	WH_TRY(wh_snapshot_open(store, publishing.publication.snapshot,
				&publishing.source, err));
	status = publish_all(&publishing, store, url, err);
	place_close(publishing.place);
	journal_close(publishing.journal);
	publication_free(&publishing.publication);
	for (i = 0; i < publishing.n_plans; i++)
		wh_plan_free(publishing.plans[i]);
	free(publishing.plans);
	wh_source_close(publishing.source);
	return status;
}

/* ---- Pulling --------------------------------------------------------------
 */

void wh_pulled_free(struct wh_pulled *pulled)
{
	size_t i;

	for (i = 0; i < pulled->n_files; i++)
		free(pulled->files[i].path);
	free(pulled->files);
	free(pulled->checkpoint);
	memset(pulled, 0, sizeof(*pulled));
}

static enum wh_status fill_file(struct wh_saved_file *to, const char *folder,
				const struct manifest_file *from,
				struct wh_error *err)
{
	if (asprintf(&to->path, "%s/%s", folder, from->path) < 0) {
		to->path = NULL;
		return wh_fail_memory(err);
	}
	to->size = from->size;
	memcpy(to->sha256, from->sha256, sizeof(to->sha256));
	return WH_OK;
}

static enum wh_status fill_pulled(struct wh_pulled *pulled, const char *folder,
				  const struct manifest *manifest,
				  struct wh_error *err)
{
	size_t i;

	memcpy(pulled->snapshot, manifest->snapshot, sizeof(pulled->snapshot));
	memcpy(pulled->tree, manifest->tree, sizeof(pulled->tree));
	pulled->files = calloc(manifest->n_files, sizeof(*pulled->files));
	if (!pulled->files)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_files; i++) {
		WH_TRY(fill_file(&pulled->files[i], folder, &manifest->files[i],
				 err));
		pulled->n_files++;
	}
	pulled->checkpoint = strdup(pulled->files[0].path);
	return pulled->checkpoint ? WH_OK : wh_fail_memory(err);
}

static bool forward_pull(void *arg, uint64_t done, uint64_t total)
{
	const struct wh_pull_options *options = arg;

	return !options->progress ||
	       options->progress(options->arg, "pulling", done, total);
}

enum wh_status wh_pull(const char *url, const char *folder,
		       const struct wh_pull_options *given,
		       struct wh_pulled *pulled, struct wh_error *err)
{
	const struct wh_pull_options *options = given ? given : &default_pull;
	struct place_settings settings = settings_of(url, &options->place);
	struct pull_options pulling = {.alias = options->alias,
				       .snapshot = options->snapshot,
				       .format = options->format,
				       .progress = forward_pull,
				       .arg = (void *)(uintptr_t)options};
	struct wh_pulled made = {0};
	struct manifest manifest;
	struct place *place;
	enum wh_status status;

	WH_TRY(place_open(&settings, &place, err));
	status = pull_run(place, folder, &pulling, &manifest, err);
	place_close(place);
	if (status)
		return status;
	if (pulled)
		status = fill_pulled(&made, folder, &manifest, err);
	manifest_free(&manifest);
	if (status)
		wh_pulled_free(&made);
	else if (pulled)
		*pulled = made;
	return status;
}
