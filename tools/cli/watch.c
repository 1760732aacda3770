#include "watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/text.h"

#define MAX_DEPTH     32
#define MAX_WARNINGS  (sizeof((struct watch){0}.said) / sizeof(char *))
#define LOOK_EACH     10 /* times the short silence: without notices */
#define LOOK_LEAST_MS 50
#define MISSING_MS    200  /* a folder that isn't there yet */
#define CSV_MS	      1000 /* one that nothing is heard of, or was not stored */
#define NS_OF_MS      1000000

/* ---- Warnings --------------------------------------------------------------
 */

void watch_warn_each(void *arg, const char *sentence)
{
	struct watch *watch = arg;
	size_t i;

	for (i = 0; i < watch->n_said; i++)
		if (strcmp(watch->said[i], sentence) == 0)
			return;
	if (watch->n_said < MAX_WARNINGS)
		watch->said[watch->n_said++] = strdup(sentence);
	if (watch->n_said && !watch->said[watch->n_said - 1])
		watch->n_said--;
	cli_warn(watch->cli, sentence);
}

void watch_warn(struct watch *watch, const char *format, ...)
{
	char text[WH_ERROR_SIZE + 4096];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	watch_warn_each(watch, text);
}

void watch_free(struct watch *watch)
{
	while (watch->n_said)
		free(watch->said[--watch->n_said]);
	while (watch->n_folders)
		free(watch->folders[--watch->n_folders].path);
	watch_list_free(&watch->list);
	watch_csvs_free(&watch->csvs);
	watch_sources_free(&watch->sources);
	notify_close(watch->notify);
	watch->notify = NULL;
}

/* ---- Files -----------------------------------------------------------------
 */

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_csv(const struct watch *watch, const char *path)
{
	return !watch->csv_path && text_ends(path, ".csv") &&
	       base_of(path)[0] != '.';
}

/* Where a file's name begins: behind its folder, if there is only one. */
static size_t root_of(const struct watch *watch, const char *path)
{
	const char *folder = watch->folders[0].path;
	size_t len = strlen(folder);

	if (watch->n_folders > 1 || strncmp(path, folder, len) != 0)
		return 0;
	return path[len] == '/' ? len + 1 : len;
}

static struct watch_file *file_of(struct watch *watch, const char *path)
{
	const char *name = base_of(path);
	struct watch_file *file;
	size_t n = watch->list.n;
	char *checkpoint;

	if (checkpoint_name_is_temporary(name) ||
	    (!checkpoint_name(watch->cli->library, name) &&
	     !checkpoint_name_is_data(name)))
		return NULL;
	checkpoint = checkpoint_of(path);
	if (!checkpoint)
		return NULL;
	file = watch_list_get(&watch->list, checkpoint,
			      root_of(watch, checkpoint));
	free(checkpoint);
	if (!file || watch->list.n == n)
		return file;
	if (watch->pattern)
		name_match(file->path, watch->pattern, &file->said);
	else
		name_guess(file->name, &file->said);
	return file;
}

static int64_t wall_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void find_csv(struct watch *watch, const char *path, int64_t mtime_ns)
{
	struct watch_csv *csv = watch_csv_get(&watch->csvs, path);

	if (!csv)
		return;
	csv->changed = true;
	if (!watch->looked && mtime_ns < watch->since_ns)
		watch_csv_skip(csv);
}

static void find_file(struct watch *watch, const char *path,
		      const struct stat *at)
{
	int64_t mtime_ns =
		(int64_t)at->st_mtim.tv_sec * 1000000000 + at->st_mtim.tv_nsec;
	struct checkpoint_state state;
	struct watch_file *file;

	if (is_csv(watch, path)) {
		find_csv(watch, path, mtime_ns);
		return;
	}
	file = file_of(watch, path);
	if (!file)
		return;
	checkpoint_look(file->path, &state, NULL, NULL);
	if (!watch->looked && state.exists && state.mtime_ns < watch->since_ns)
		watch_took(file, &state);
	else
		watch_look(file, &state,
			   (wall_clock_ns() - state.mtime_ns) / NS_OF_MS,
			   watch_clock_ms());
}

/* ---- Folders ---------------------------------------------------------------
 */

static bool find_folder(struct watch *watch, const char *folder, int depth);

static void stop_listening(struct watch *watch, const struct wh_error *err)
{
	watch_warn(watch, "%s; looking from time to time instead",
		   err->message);
	notify_close(watch->notify);
	watch->notify = NULL;
}

/* False for one that isn't there (now). */
static bool listen_to(struct watch *watch, const char *folder)
{
	struct wh_error err = {0};
	enum wh_status status;

	if (!watch->notify)
		return true;
	status = notify_add(watch->notify, folder, &err);
	if (status == WH_ENOMEM)
		stop_listening(watch, &err);
	else if (status == WH_EIO)
		watch_warn(watch, "%s", err.message);
	return status != WH_ENOTFOUND;
}

static void find_entry(struct watch *watch, const char *folder,
		       const char *name, int depth)
{
	char path[PATH_MAX];
	struct stat file;

	if (name[0] == '.' ||
	    snprintf(path, sizeof(path), "%s/%s", folder, name) >=
		    (int)sizeof(path) ||
	    lstat(path, &file))
		return;
	/* Links to folders may lead in circles. */
	if (S_ISLNK(file.st_mode) &&
	    (stat(path, &file) || S_ISDIR(file.st_mode)))
		return;
	if (S_ISREG(file.st_mode))
		find_file(watch, path, &file);
	else if (S_ISDIR(file.st_mode) && depth < MAX_DEPTH &&
		 !checkpoint_name_is_temporary(name))
		find_folder(watch, path, depth + 1);
}

/* Listens first, then looks: what comes between is met twice, not missed. */
static bool find_folder(struct watch *watch, const char *folder, int depth)
{
	struct dirent *at;
	DIR *listing;

	if (!listen_to(watch, folder))
		return false;
	listing = opendir(folder);
	if (!listing)
		return false;
	while ((at = readdir(listing)))
		find_entry(watch, folder, at->d_name, depth);
	closedir(listing);
	return true;
}

static void look(struct watch *watch)
{
	size_t i;

	for (i = 0; i < watch->n_folders; i++)
		watch->folders[i].there =
			find_folder(watch, watch->folders[i].path, 0);
	watch->looked = true;
	watch->looked_ms = watch_clock_ms();
}

static void look_for_missing(struct watch *watch)
{
	size_t i;

	for (i = 0; i < watch->n_folders; i++)
		if (!watch->folders[i].there)
			watch->folders[i].there =
				find_folder(watch, watch->folders[i].path, 0);
}

static bool some_missing(const struct watch *watch)
{
	size_t i;

	for (i = 0; i < watch->n_folders; i++)
		if (!watch->folders[i].there)
			return true;
	return false;
}

/* ---- What the system tells -------------------------------------------------
 */

static void lose_folder(struct watch *watch, const char *path)
{
	size_t i;

	for (i = 0; i < watch->n_folders; i++)
		if (strcmp(watch->folders[i].path, path) == 0)
			watch->folders[i].there = false;
}

static void hear_of_file(struct watch *watch, enum notify_kind kind,
			 const char *path)
{
	struct watch_file *file;
	struct watch_csv *csv;
	bool is_main;

	if (is_csv(watch, path)) {
		csv = watch_csv_get(&watch->csvs, path);
		if (csv)
			csv->changed = true;
		return;
	}
	file = file_of(watch, path);
	if (!file)
		return;
	/* Of several files the main one comes last, and decides. */
	is_main = strcmp(path, file->path) == 0 || text_ends(path, ".index");
	file->met |= is_main && kind != NOTIFY_CHANGED;
	watch_note(file,
		   kind == NOTIFY_CHANGED	     ? WATCH_CHANGED
		   : kind == NOTIFY_MOVED && is_main ? WATCH_MOVED
						     : WATCH_CLOSED,
		   watch_clock_ms());
}

static void hear(void *arg, enum notify_kind kind, const char *path)
{
	struct watch *watch = arg;

	switch (kind) {
	case NOTIFY_FOLDER:
		if (!checkpoint_name_is_temporary(base_of(path)))
			find_folder(watch, path, 1);
		break;
	case NOTIFY_GONE:
		lose_folder(watch, path);
		break;
	case NOTIFY_LOST:
		look(watch);
		break;
	case NOTIFY_CHANGED:
	case NOTIFY_CLOSED:
	case NOTIFY_MOVED:
		hear_of_file(watch, kind, path);
		break;
	}
}

/* Without notices. */
static int64_t look_each_ms(const struct watch *watch)
{
	int64_t each_ms = LOOK_EACH * watch->list.settle_ms;

	return each_ms < LOOK_LEAST_MS ? LOOK_LEAST_MS : each_ms;
}

static bool look_is_due(const struct watch *watch)
{
	return !watch->notify &&
	       watch_clock_ms() - watch->looked_ms >= look_each_ms(watch);
}

static void pump(struct watch *watch)
{
	struct wh_error err = {0};

	if (watch->notify && notify_read(watch->notify, hear, watch, &err))
		stop_listening(watch, &err);
	if (look_is_due(watch))
		look(watch);
	else if (some_missing(watch))
		look_for_missing(watch);
}

/* ---- Figures ---------------------------------------------------------------
 */

static void read_csv(struct watch *watch, struct watch_csv *csv)
{
	struct cli *cli = watch->cli;
	struct wh_error err = {0};
	uint64_t rows, n_bad = csv->n_bad;
	enum wh_status status = watch_csv_read(&watch->csvs, csv, cli->store,
					       watch->run, &rows, &err);

	if (status == WH_ENOTFOUND)
		csv->changed = false;
	else if (status)
		watch_warn(watch, "%s; it will be tried again", err.message);
	if (csv->n_bad > n_bad)
		watch_warn(watch,
			   "'%s' has lines that are not as its head "
			   "says: they are left out",
			   cli_escape(csv->path));
	watch->news |= rows > 0;
	if (rows && cli_json(cli)) {
		cli_print_json(json_pack("{s:s,s:o,s:I}", "event", "metrics",
					 "file", json_text(csv->path), "rows",
					 (json_int_t)rows));
		fflush(stdout);
	}
}

static void read_csvs(struct watch *watch)
{
	size_t i;

	for (i = 0; i < watch->csvs.n; i++)
		if (watch->csvs.files[i].changed)
			read_csv(watch, &watch->csvs.files[i]);
}

/* ---- The loop --------------------------------------------------------------
 */

/* One that was named may lie anywhere, where nothing is heard. */
static void find_named_csv(struct watch *watch)
{
	struct stat at;

	if (watch->csv_path && stat(watch->csv_path, &at) == 0)
		find_csv(watch, watch->csv_path,
			 (int64_t)at.st_mtim.tv_sec * 1000000000 +
				 at.st_mtim.tv_nsec);
}

static void tell_beginning(const struct watch *watch)
{
	const char *how = watch->notify ? "inotify" : "poll";
	json_t *folders = json_array();
	size_t i;

	for (i = 0; i < watch->n_folders; i++)
		json_array_append_new(folders,
				      json_text(watch->folders[i].path));
	if (cli_json(watch->cli)) {
		cli_print_json(json_pack("{s:s,s:O,s:s}", "event", "watching",
					 "folders", folders, "how", how));
		fflush(stdout);
	}
	json_decref(folders);
}

void watch_begin(struct watch *watch)
{
	struct wh_error err = {0};
	bool remote = watch->poll;
	size_t i;

	for (i = 0; i < watch->n_folders; i++)
		remote |= notify_is_remote(watch->folders[i].path);
	if (!remote && notify_open(&watch->notify, &err))
		watch_warn(watch, "%s; looking from time to time instead",
			   err.message);
	find_named_csv(watch);
	look(watch);
	tell_beginning(watch);
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int64_t time_to_wait(const struct watch *watch, int64_t until_ms)
{
	int64_t now_ms = watch_clock_ms();
	int64_t wait_ms = watch_list_wait(&watch->list, WATCH_PATIENT, now_ms);
	size_t i;

	if (!watch->notify)
		wait_ms = sooner(wait_ms, look_each_ms(watch));
	if (some_missing(watch))
		wait_ms = sooner(wait_ms, MISSING_MS);
	if (watch->csv_path)
		wait_ms = sooner(wait_ms, CSV_MS);
	for (i = 0; i < watch->csvs.n; i++)
		if (watch->csvs.files[i].changed)
			wait_ms = sooner(wait_ms, CSV_MS);
	if (watch->once)
		wait_ms = sooner(wait_ms,
				 until_ms > now_ms ? until_ms - now_ms : 0);
	return wait_ms;
}

static enum watch_haste haste_of(const struct watch *watch, bool over,
				 bool stopping, int64_t until_ms)
{
	int64_t now_ms = watch_clock_ms();

	if (over)
		return WATCH_ENDED;
	if (stopping)
		return WATCH_STOPPING;
	if (watch->once &&
	    (now_ms >= until_ms ||
	     watch_list_wait(&watch->list, WATCH_PATIENT, now_ms) < 0))
		return WATCH_STOPPING;
	return WATCH_PATIENT;
}

/* What stays dirty at the end was still being written, or couldn't be stored
 * and was told. */
static int finish(struct watch *watch, enum watch_haste haste)
{
	size_t i;

	for (i = 0; i < watch->list.n && haste == WATCH_STOPPING; i++)
		if (watch->list.files[i]->dirty &&
		    watch->list.files[i]->retry_ms == 0 &&
		    watch->list.files[i]->seen.exists)
			watch_warn(watch,
				   "'%s' is still being written: it is "
				   "left out",
				   cli_escape(watch->list.files[i]->name));
	return watch->n_unstored ? EXIT_FAILED : EXIT_DONE;
}

/* At the end, or where no process can be had for it. Meanwhile nothing is
 * taken, so a signal cuts it short; what it cut is tried once more, unless the
 * watch was to stop. */
static void publish_here(struct watch *watch)
{
	if (!watch->news)
		return;
	watch_signals_count();
	cli_apply_publish_rules(watch->cli, watch_publish_progress);
	watch->news = watch_signals_came() && !watch_stopping();
}

static void publish_news(struct watch *watch, enum watch_haste haste)
{
	if (haste == WATCH_PATIENT && watch_publish_begin(watch))
		return;
	watch_publish_end(watch);
	publish_here(watch);
}

static int go_on(struct watch *watch, watch_over_fn *over, void *arg)
{
	int64_t until_ms =
		watch_clock_ms() + WATCH_LONG * watch->list.settle_ms;
	int code;

	for (;;) {
		bool ended = over && over(arg), stopping = watch_stopping();
		enum watch_haste haste;

		/* All that the writer did before it ended, or before the
		 * signal, is heard now. */
		pump(watch);
		find_named_csv(watch);
		haste = haste_of(watch, ended, stopping, until_ms);
		if (ended || (haste != WATCH_PATIENT && !watch->notify))
			look(watch);
		read_csvs(watch);
		code = watch_take(watch, haste, pump);
		if (code)
			return code;
		if (haste != WATCH_PATIENT)
			read_csvs(watch);
		publish_news(watch, haste);
		if (haste != WATCH_PATIENT)
			return finish(watch, haste);
		watch_wait(watch->notify ? notify_descriptor(watch->notify)
					 : -1,
			   time_to_wait(watch, until_ms));
	}
}

int watch_run(struct watch *watch, watch_over_fn *over, void *arg)
{
	int code;

	if (!watch->looked)
		watch_begin(watch);
	code = go_on(watch, over, arg);
	watch_publish_end(watch);
	return code;
}
