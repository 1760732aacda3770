#include "publish/record.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/folder.h"
#include "base/json_put.h"
#include "base/json_scan.h"
#include "base/sha256.h"
#include "base/text.h"
#include "publish/journal.h"

#define MAX_RECORDS ((off_t)64 << 20) /* bytes of a file */

void record_who(char *who, size_t size)
{
	char host[256] = "", buffer[4096];
	struct passwd entry, *found = NULL;

	if (gethostname(host, sizeof(host) - 1))
		strcpy(host, "?");
	if (getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) ||
	    !found)
		snprintf(who, size, "%u@%s", (unsigned)geteuid(), host);
	else
		snprintf(who, size, "%s@%s", entry.pw_name, host);
}

/* ---- Lines ----------------------------------------------------------------
 */

static json_t *files_json(const struct wh_publication *p)
{
	json_t *files = json_array();
	size_t i;

	for (i = 0; i < p->n_files; i++)
		json_add(&files, json_pack("{s:s,s:s,s:I,s:s}", "path",
					   p->files[i].path, "format",
					   p->files[i].format, "size",
					   (json_int_t)p->files[i].size,
					   "sha256", p->files[i].sha256));
	return files;
}

static json_t *publication_json(const struct wh_publication *p)
{
	json_t *aliases = json_array();
	size_t i;

	for (i = 0; i < p->n_aliases; i++)
		json_add(&aliases, json_string(p->aliases[i].alias));
	return json_pack("{s:s,s:s,s:s?,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:o,s:o}",
			 "id", p->id, "place", p->place, "remote", p->remote,
			 "snapshot", p->snapshot, "tree", p->tree, "formats",
			 p->formats, "manifest", p->manifest, "manifest_sha256",
			 p->manifest_sha256, "who", p->who, "time",
			 (json_int_t)p->time, "files", files_json(p), "aliases",
			 aliases);
}

static const char *text_of(json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

/* A line as a publication. Its texts are the line's; its arrays are freed by
 * free_parsed. */
struct parsed {
	struct wh_publication publication;
	struct wh_publication_file *files;
	struct wh_publication_alias *aliases;
};

static enum wh_status fail_row(struct wh_error *err)
{
	return wh_fail(err, WH_EINVAL, "a line that is no publication");
}

static void free_parsed(struct parsed *parsed)
{
	free(parsed->files);
	free(parsed->aliases);
}

static enum wh_status parse_files(json_t *rows, struct parsed *parsed,
				  struct wh_error *err)
{
	json_t *row;
	size_t i;

	parsed->files =
		calloc(json_array_size(rows) + 1, sizeof(*parsed->files));
	if (!parsed->files)
		return wh_fail_memory(err);
	json_array_foreach(rows, i, row)
	{
		struct wh_publication_file *file = &parsed->files[i];

		file->path = text_of(row, "path");
		file->format = text_of(row, "format");
		file->sha256 = text_of(row, "sha256");
		file->size = (uint64_t)json_integer_value(
			json_object_get(row, "size"));
		if (!file->path || !file->format || !file->sha256)
			return fail_row(err);
	}
	parsed->publication.files = parsed->files;
	parsed->publication.n_files = json_array_size(rows);
	return WH_OK;
}

static enum wh_status parse_aliases(json_t *rows, struct parsed *parsed,
				    struct wh_error *err)
{
	size_t i, n = json_array_size(rows);

	parsed->aliases = calloc(n + 1, sizeof(*parsed->aliases));
	if (!parsed->aliases)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++) {
		parsed->aliases[i].alias =
			json_string_value(json_array_get(rows, i));
		if (!parsed->aliases[i].alias)
			return fail_row(err);
	}
	parsed->publication.aliases = parsed->aliases;
	parsed->publication.n_aliases = n;
	return WH_OK;
}

/* WH_EINVAL for what is no publication. */
static enum wh_status parse(json_t *row, struct parsed *parsed,
			    struct wh_error *err)
{
	struct wh_publication *p = &parsed->publication;

	*p = (struct wh_publication){
		.id = text_of(row, "id"),
		.place = text_of(row, "place"),
		.remote = text_of(row, "remote"),
		.snapshot = text_of(row, "snapshot"),
		.tree = text_of(row, "tree"),
		.formats = text_of(row, "formats"),
		.manifest = text_of(row, "manifest"),
		.manifest_sha256 = text_of(row, "manifest_sha256"),
		.who = text_of(row, "who"),
		.time = json_integer_value(json_object_get(row, "time"))};
	if (!p->id || !p->place || !p->snapshot || !p->tree || !p->formats ||
	    !p->manifest || !p->manifest_sha256 || !p->who)
		return fail_row(err);
	WH_TRY(parse_files(json_object_get(row, "files"), parsed, err));
	return parse_aliases(json_object_get(row, "aliases"), parsed, err);
}

/* ---- The files ------------------------------------------------------------
 */

static char *name_beside(const char *store)
{
	char *folder wh_free_auto = journal_folder_beside(store);
	char *name = NULL;

	return folder && asprintf(&name, "%s/published.jsonl", folder) >= 0
		       ? name
		       : NULL;
}

/* The state folder is of many stores: theirs are told apart by their paths. */
static char *name_of_user(const char *store)
{
	char *folder wh_free_auto = journal_folder_of_user();
	char *whole wh_free_auto = realpath(store, NULL);
	uint8_t digest[32];
	char hex[65], *name = NULL;

	if (!folder || !whole || sha256_of(whole, strlen(whole), digest, NULL))
		return NULL;
	text_hex(digest, sizeof(digest), hex);
	return asprintf(&name, "%s/published-%.16s.jsonl", folder, hex) < 0
		       ? NULL
		       : name;
}

/* False where there are no locks. */
static bool hold(int fd)
{
	int failed;

	do
		failed = flock(fd, LOCK_EX);
	while (failed && errno == EINTR);
	return !failed;
}

/* Who takes the lines into the store removes the file under its lock, so one
 * that was locked must still be the one that has the name. */
static int open_locked(const char *name, int flags)
{
	struct stat opened, named;
	int fd;

	for (;;) {
		fd = open(name, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 || !hold(fd))
			return fd;
		if (!fstat(fd, &opened) && !stat(name, &named) &&
		    opened.st_ino == named.st_ino)
			return fd;
		close(fd);
	}
}

static void remove_folder_of(const char *name)
{
	char *folder wh_free_auto =
		strndup(name, (size_t)(strrchr(name, '/') - name));

	if (folder)
		rmdir(folder); /* goes if it is empty */
}

/* Whether memory alone may have kept a line from being read. */
static bool is_json(const char *line, size_t len)
{
	struct scan scan;

	if (!text_is_name(line, len))
		return false;
	scan_begin(&scan, line, len);
	return scan_skip(&scan) && scan_end(&scan);
}

/* The rows of a file, in order, after those of `rows`. False unless the file
 * could be read to its end: it must stay then. */
static bool read_rows(int fd, json_t *rows)
{
	struct stat at;
	char *text wh_free_auto = NULL, *line, *end, *last;
	json_t *row;

	if (fstat(fd, &at) || at.st_size > MAX_RECORDS)
		return false;
	text = malloc((size_t)at.st_size + 1);
	if (!text || pread(fd, text, (size_t)at.st_size, 0) != at.st_size)
		return false;
	last = text + at.st_size;
	for (line = text; line < last; line = end + 1) {
		end = memchr(line, '\n', (size_t)(last - line));
		if (!end)
			break;
		*end = '\0';
		row = json_of_text(line, (size_t)(end - line), 0, NULL);
		if (row ? json_array_append_new(rows, row) != 0
			: is_json(line, (size_t)(end - line)))
			return false;
	}
	return true;
}

/* ---- Into the store -------------------------------------------------------
 */

static enum wh_status take_row(struct wh_store *store, json_t *row,
			       struct wh_error *err)
{
	const char *place = text_of(row, "place");
	struct parsed parsed = {0};
	enum wh_status status;

	if (json_is_true(json_object_get(row, "ended")) && place)
		return wh_publication_end(
			store, place, text_of(row, "alias"),
			text_of(row, "snapshot"),
			json_integer_value(json_object_get(row, "time")), err);
	status = parse(row, &parsed, err);
	if (!status)
		status = wh_publication_record(store, &parsed.publication, err);
	free_parsed(&parsed);
	return status == WH_EINVAL ? WH_OK : status; /* no line of ours */
}

static enum wh_status take_file(struct wh_store *store, const char *name,
				struct wh_error *err)
{
	int fd wh_close_auto = name ? open_locked(name, 0) : -1;
	enum wh_status status = WH_OK;
	json_t *rows, *row;
	size_t i;

	if (fd < 0)
		return WH_OK;
	rows = json_array();
	if (!rows || !read_rows(fd, rows))
		status = wh_fail(err, WH_EIO, "'%s' can't be read", name);
	json_array_foreach(rows, i, row) if (!status) status =
		take_row(store, row, err);
	json_decref(rows);
	if (!status && !unlink(name))
		remove_folder_of(name);
	return status;
}

/* Earlier ones come first, so that they end as they did. */
static enum wh_status take_files(struct wh_store *store, struct wh_error *err)
{
	char *beside wh_free_auto = name_beside(wh_store_file(store));
	char *users wh_free_auto = name_of_user(wh_store_file(store));

	WH_TRY(take_file(store, users, err));
	return take_file(store, beside, err);
}

static enum wh_status append(int fd, const char *name,
			     const struct wh_buf *line, struct wh_error *err)
{
	off_t end = lseek(fd, 0, SEEK_END);

	if (end >= 0 &&
	    write(fd, line->data, line->size) == (ssize_t)line->size &&
	    !fsync(fd))
		return WH_OK;
	wh_fail_errno(err, errno, "'%s'", name);
	if (end >= 0 && ftruncate(fd, end)) { /* a torn line is skipped */
	}
	return WH_EIO;
}

/* Takes the row. */
static enum wh_status note_row(struct wh_store *store, json_t *row,
			       struct wh_error *err)
{
	const char *path = wh_store_file(store);
	char *folder wh_free_auto = journal_folder(path);
	char *beside wh_free_auto = journal_folder_beside(path);
	char *printed wh_free_auto = json_to_text(row, JSON_COMPACT);
	char *name wh_free_auto = NULL;
	struct wh_buf line wh_buf_auto = {0};
	int fd wh_close_auto = -1;

	json_decref(row);
	if (!printed || !beside)
		return wh_fail_memory(err);
	if (!folder)
		return wh_fail(err, WH_EIO,
			       "'%s' can't be written, and there is no home "
			       "folder",
			       beside);
	name = strcmp(folder, beside) == 0 ? name_beside(path)
					   : name_of_user(path);
	if (!name)
		return wh_fail_memory(err);
	WH_TRY(wh_buf_printf(&line, err, "%s\n", printed));
	WH_TRY(make_folders(folder, err));
	/* Who published what is nobody else's business. */
	if (mkdir(folder, 0700) && errno != EEXIST)
		return wh_fail_errno(err, errno, "'%s'", folder);
	fd = open_locked(name, O_CREAT);
	if (fd < 0)
		return wh_fail_errno(err, errno, "'%s'", name);
	return append(fd, name, &line, err);
}

enum wh_status record_publication(struct wh_store *store,
				  const struct wh_publication *publication,
				  struct wh_error *err)
{
	if (!take_files(store, NULL) &&
	    !wh_publication_record(store, publication, NULL))
		return WH_OK;
	return note_row(store, publication_json(publication), err);
}

enum wh_status record_end(struct wh_store *store, const char *place,
			  const char *alias, const char *snapshot, int64_t time,
			  struct wh_error *err)
{
	if (!take_files(store, NULL) &&
	    !wh_publication_end(store, place, alias, snapshot, time, NULL))
		return WH_OK;
	return note_row(store,
			json_pack("{s:b,s:s,s:s?,s:s?,s:I}", "ended", 1,
				  "place", place, "alias", alias, "snapshot",
				  snapshot, "time", (json_int_t)time),
			err);
}

/* ---- Listing --------------------------------------------------------------
 */

struct listing {
	json_t *rows;  /* of the files */
	size_t n_told; /* of them: only later ones change what is told */
	const char *place;
	wh_publication_fn *fn;
	void *arg;
	int stopped;
	bool no_memory;
};

static bool aliases_have(json_t *row, const char *alias)
{
	json_t *aliases = json_object_get(row, "aliases"), *one;
	const char *ended = text_of(row, "alias");
	size_t i;

	json_array_foreach(aliases, i,
			   one) if (strcmp(json_string_value(one)
						   ? json_string_value(one)
						   : "",
					   alias) == 0) return true;
	return ended && strcmp(ended, alias) == 0;
}

/* What a later row of the files says of an alias of `p`. */
static void apply_row(json_t *row, const struct wh_publication *p,
		      struct wh_publication_alias *alias, bool *removed)
{
	const char *place = text_of(row, "place");
	const char *snapshot = text_of(row, "snapshot");
	const char *id = text_of(row, "id");
	int64_t time = json_integer_value(json_object_get(row, "time"));

	if (!place || strcmp(place, p->place) != 0 || time < p->time)
		return;
	if (aliases_have(row, alias->alias)) {
		alias->moved = true;
		alias->ended = time;
	}
	if (!id && snapshot && strcmp(snapshot, p->snapshot) == 0)
		*removed = true;
}

static int tell_row(void *arg, const struct wh_publication *publication)
{
	struct listing *listing = arg;
	struct wh_publication told = *publication;
	struct wh_publication_alias *aliases =
		calloc(told.n_aliases + 1, sizeof(*aliases));
	json_t *row;
	size_t i, k;

	if (!aliases) {
		listing->no_memory = true;
		return 1;
	}
	for (i = 0; i < told.n_aliases; i++) {
		aliases[i] = told.aliases[i];
		json_array_foreach(listing->rows, k, row)
		{
			if (k >= listing->n_told)
				apply_row(row, publication, &aliases[i],
					  &told.removed);
		}
	}
	told.aliases = aliases;
	listing->stopped = listing->fn(listing->arg, &told);
	free(aliases);
	return listing->stopped;
}

static void tell_noted(struct listing *listing)
{
	json_t *row;
	size_t i;

	json_array_foreach(listing->rows, i, row)
	{
		struct parsed parsed = {0};
		enum wh_status status = WH_EINVAL;

		listing->n_told = i + 1;
		if (!listing->stopped && !listing->no_memory)
			status = parse(row, &parsed, NULL);
		listing->no_memory |= status == WH_ENOMEM;
		if (!status &&
		    (!listing->place ||
		     strcmp(listing->place, parsed.publication.place) == 0))
			tell_row(listing, &parsed.publication);
		free_parsed(&parsed);
	}
}

/* One that isn't there, or isn't ours to read, has none. */
static enum wh_status add_rows(json_t *rows, const char *name,
			       struct wh_error *err)
{
	int fd wh_close_auto =
		name ? open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;

	if (fd < 0 || read_rows(fd, rows))
		return WH_OK;
	return wh_fail(err, WH_EIO, "'%s' can't be read", name);
}

enum wh_status record_list(struct wh_store *store, const char *place,
			   wh_publication_fn *fn, void *arg,
			   struct wh_error *err)
{
	struct listing listing = {
		.rows = json_array(), .place = place, .fn = fn, .arg = arg};
	char *beside wh_free_auto = name_beside(wh_store_file(store));
	char *users wh_free_auto = name_of_user(wh_store_file(store));
	enum wh_status status = WH_OK;

	if (!listing.rows || !beside)
		status = wh_fail_memory(err);
	if (!status)
		status = add_rows(listing.rows, users, err);
	if (!status)
		status = add_rows(listing.rows, beside, err);
	if (!status)
		status = wh_publication_list(store, place, tell_row, &listing,
					     err);
	if (!status)
		tell_noted(&listing);
	json_decref(listing.rows);
	return listing.no_memory ? wh_fail_memory(err) : status;
}
