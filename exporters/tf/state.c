#include "tf/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/temporary.h"
#include "base/text.h"
#include "tf/shards.h"

#define STATE_NAME	"checkpoint"
#define MAX_STATE	((size_t)1 << 20)
#define LATEST		"model_checkpoint_path:"
#define SAVED_VARIABLES "/variables/variables"

static bool is_file(const char *path)
{
	struct stat at;

	return stat(path, &at) == 0 && S_ISREG(at.st_mode);
}

static bool is_folder(const char *path)
{
	struct stat at;

	return stat(path, &at) == 0 && S_ISDIR(at.st_mode);
}

/* ---- Reading the state file
 * --------------------------------------------------- */

static int octal_digit(char c)
{
	return c >= '0' && c <= '7' ? c - '0' : -1;
}

/* One escape of protobuf's text format after its backslash; what is read. */
static size_t unescape_one(const char *at, char *out)
{
	static const char from[] = "abfnrtv\\'\"?",
			  to[] = "\a\b\f\n\r\t\v\\'\"?";
	const char *known = *at ? strchr(from, *at) : NULL;
	size_t n = 0;
	int value = 0;

	if (known) {
		*out = to[known - from];
		return 1;
	}
	while (n < 3 && octal_digit(at[n]) >= 0)
		value = value * 8 + octal_digit(at[n++]);
	*out = (char)value;
	return n;
}

/* A quoted string at `at`, malloc'd; NULL where it isn't one. */
static char *parse_quoted(const char *at)
{
	char *text, *to, quote;

	at += strspn(at, " \t");
	quote = *at;
	if (quote != '"' && quote != '\'')
		return NULL;
	text = to = malloc(strlen(at) + 1);
	for (at++; text && *at && *at != quote && *at != '\n';) {
		size_t n = 1;

		if (*at == '\\') {
			n = unescape_one(at + 1, to++);
			at += 1;
		} else {
			*to++ = *at;
		}
		if (n == 0) {
			free(text);
			return NULL;
		}
		at += n;
	}
	if (text && *at != quote) {
		free(text);
		return NULL;
	}
	if (text)
		*to = '\0';
	return text;
}

static enum wh_status read_text(const char *path, char **text,
				struct wh_error *err)
{
	/* Without blocking on a FIFO that somebody put there. */
	int fd wh_close_auto = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat at;
	ssize_t got;

	if (fd < 0 || fstat(fd, &at))
		return wh_fail_errno(err, errno, "state file '%s'", path);
	if (!S_ISREG(at.st_mode))
		return wh_fail(err, WH_EINVAL,
			       "state file '%s' is no regular file", path);
	*text = calloc(1, MAX_STATE + 1);
	if (!*text)
		return wh_fail_memory(err);
	got = read(fd, *text, MAX_STATE);
	if (got < 0) {
		free(*text);
		return wh_fail_errno(err, errno, "state file '%s'", path);
	}
	return WH_OK;
}

static char *find_latest(const char *text)
{
	const char *line;

	for (line = text; line; line = strchr(line, '\n')) {
		line += strspn(line, " \t\n");
		if (text_starts(line, LATEST))
			return parse_quoted(line + strlen(LATEST));
		if (!*line)
			break;
	}
	return NULL;
}

static enum wh_status join(const char *folder, const char *name, char **out,
			   struct wh_error *err)
{
	size_t len = strlen(folder);
	int made;

	if (*name == '/' || !*folder)
		made = asprintf(out, "%s", name);
	else
		made = asprintf(out, "%s%s%s", folder,
				folder[len - 1] == '/' ? "" : "/", name);
	return made < 0 ? wh_fail_memory(err) : WH_OK;
}

static enum wh_status read_state(const char *folder, char **prefix,
				 struct wh_error *err)
{
	char *path wh_free_auto = NULL, *text wh_free_auto = NULL;
	char *latest wh_free_auto = NULL;

	WH_TRY(join(folder, STATE_NAME, &path, err));
	WH_TRY(read_text(path, &text, err));
	latest = find_latest(text);
	if (!latest || !*latest)
		return wh_fail(err, WH_ECORRUPT,
			       "state file '%s' names no checkpoint", path);
	return join(folder, latest, prefix, err);
}

/* ---- Paths
 * ------------------------------------------------------------------------ */

static enum wh_status resolve_folder(const char *folder, char **prefix,
				     struct wh_error *err)
{
	char *saved wh_free_auto = NULL, *index wh_free_auto = NULL;

	if (asprintf(&saved, "%s" SAVED_VARIABLES, folder) < 0 ||
	    asprintf(&index, "%s" SAVED_VARIABLES ".index", folder) < 0)
		return wh_fail_memory(err);
	if (is_file(index)) {
		*prefix = wh_steal(&saved);
		return WH_OK;
	}
	return read_state(folder, prefix, err);
}

static enum wh_status copy_of(const char *path, size_t len, char **out,
			      struct wh_error *err)
{
	*out = strndup(path, len);
	return *out ? WH_OK : wh_fail_memory(err);
}

enum wh_status tf_resolve(const char *path, char **prefix, struct wh_error *err)
{
	char *index wh_free_auto = NULL;
	size_t len = strlen(path), tail;

	if (asprintf(&index, "%s.index", path) < 0)
		return wh_fail_memory(err);
	if (is_file(index))
		return copy_of(path, len, prefix, err);
	if (text_ends(path, ".index"))
		return copy_of(path, len - strlen(".index"), prefix, err);
	tail = shard_suffix_length(path);
	if (tail)
		return copy_of(path, len - tail, prefix, err);
	if (is_folder(path))
		return resolve_folder(path, prefix, err);
	return copy_of(path, len, prefix, err);
}

/* ---- After a save
 * -------------------------------------------------------------------- */

static enum wh_status split(const char *prefix, char **folder,
			    const char **base, struct wh_error *err)
{
	const char *slash = strrchr(prefix, '/');

	*base = slash ? slash + 1 : prefix;
	*folder = slash ? strndup(prefix, (size_t)(slash - prefix + 1))
			: strdup("");
	return *folder ? WH_OK : wh_fail_memory(err);
}

/* As Python's text_format prints it: UTF-8 stays as it is. */
static enum wh_status append_quoted(struct wh_buf *out, const char *text,
				    struct wh_error *err)
{
	WH_TRY(wh_buf_append(out, "\"", 1, err));
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\' || c == '\'')
			WH_TRY(wh_buf_printf(out, err, "\\%c", c));
		else if (c == '\n')
			WH_TRY(wh_buf_append(out, "\\n", 2, err));
		else if (c == '\r')
			WH_TRY(wh_buf_append(out, "\\r", 2, err));
		else if (c == '\t')
			WH_TRY(wh_buf_append(out, "\\t", 2, err));
		else if (c < 0x20 || c == 0x7f)
			WH_TRY(wh_buf_printf(out, err, "\\%03o", c));
		else
			WH_TRY(wh_buf_append(out, text, 1, err));
	}
	return wh_buf_append(out, "\"\n", 2, err);
}

static enum wh_status write_whole(const char *temporary, const char *path,
				  const struct wh_buf *text,
				  struct wh_error *err)
{
	int fd =
		open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	bool good;

	if (fd < 0)
		return wh_fail_errno(err, errno, "state file '%s'", path);
	good = write(fd, text->data, text->size) == (ssize_t)text->size &&
	       fsync(fd) == 0;
	good = close(fd) == 0 && good;
	if (good && rename(temporary, path) == 0)
		return WH_OK;
	wh_fail_errno(err, errno, "state file '%s'", path);
	unlink(temporary);
	return WH_EIO;
}

static enum wh_status write_state(const char *folder, const char *base,
				  struct wh_error *err)
{
	char *path wh_free_auto = NULL, *temporary wh_free_auto = NULL;
	struct wh_buf text = {0};
	enum wh_status status;

	if (asprintf(&path, "%s" STATE_NAME, folder) < 0)
		return wh_fail_memory(err);
	temporary_remove_stale(path);
	temporary = temporary_name(path, 0);
	if (!temporary)
		return wh_fail_memory(err);
	status = wh_buf_printf(&text, err, LATEST " ");
	if (!status)
		status = append_quoted(&text, base, err);
	if (!status)
		status = wh_buf_printf(&text, err,
				       "all_model_checkpoint_paths: ");
	if (!status)
		status = append_quoted(&text, base, err);
	if (!status)
		status = write_whole(temporary, path, &text, err);
	wh_buf_free(&text);
	return status;
}

/* Shards of this prefix that the new index does not speak of. */
static void remove_surplus(const char *folder, const char *base,
			   uint32_t n_shards)
{
	DIR *listing = opendir(*folder ? folder : ".");
	size_t len = strlen(base);
	struct dirent *at;

	while (listing && (at = readdir(listing))) {
		uint32_t shard, of;

		if (strncmp(at->d_name, base, len) == 0 &&
		    shard_parse_suffix(at->d_name + len, &shard, &of) &&
		    of != n_shards)
			unlinkat(dirfd(listing), at->d_name, 0);
	}
	if (listing)
		closedir(listing);
}

enum wh_status tf_finish(const char *prefix, struct wh_error *err)
{
	char *folder wh_free_auto = NULL;
	const char *base;
	uint32_t n_shards;

	WH_TRY(split(prefix, &folder, &base, err));
	/* Only what this very index says may decide what is deleted. */
	if (shard_count(prefix, &n_shards, NULL) == WH_OK)
		remove_surplus(folder, base, n_shards);
	/* TensorFlow's own words, and as there after the data is written. */
	if (!*folder && strcmp(base, STATE_NAME) == 0)
		return wh_fail(err, WH_EINVAL,
			       "Save path 'checkpoint' conflicts with path "
			       "used for checkpoint state.  Please use a "
			       "different save path.");
	return write_state(folder, base, err);
}
