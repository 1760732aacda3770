#include "tf/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/c_locale.h"
#include "base/folder.h"
#include "base/temporary.h"
#include "base/text.h"
#include "base/write.h"

#define MAX_STATE   ((size_t)1 << 20)
#define MAX_ENTRIES 10000u /* of a file: checkpoints, and their timestamps */
#define LATEST	    "model_checkpoint_path:"
#define PATHS	    "all_model_checkpoint_paths:"
#define TIMESTAMPS  "all_model_checkpoint_timestamps:"
#define PRESERVED   "last_preserved_timestamp:"

void state_free(struct state *state)
{
	uint32_t i;

	for (i = 0; i < state->n_entries; i++)
		free(state->entries[i].path);
	free(state->entries);
	free(state->latest);
	*state = (struct state){0};
}

enum wh_status state_add(struct state *state, const char *path,
			 double timestamp, struct wh_error *err)
{
	char *copy;

	WH_TRY(array_grow(&state->entries, state->n_entries, &state->room,
			  sizeof(*state->entries), err));
	copy = strdup(path);
	if (!copy)
		return wh_fail_memory(err);
	state->entries[state->n_entries++] =
		(struct state_entry){copy, timestamp};
	return WH_OK;
}

void state_remove(struct state *state, uint32_t index)
{
	free(state->entries[index].path);
	memmove(&state->entries[index], &state->entries[index + 1],
		(state->n_entries - index - 1) * sizeof(*state->entries));
	state->n_entries--;
}

/* ---- Reading
 * ---------------------------------------------------------------- */

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

static bool parse_number(const char *at, double *value)
{
	char text[64];
	size_t len;

	at += strspn(at, " \t");
	len = strcspn(at, " \t\r\n");
	if (len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, at, len);
	text[len] = '\0';
	return text_to_double(text, value) && isfinite(*value);
}

static enum wh_status take_line(struct state *state, const char *line,
				struct wh_error *err)
{
	double number;

	if (text_starts(line, LATEST)) {
		free(state->latest);
		state->latest = parse_quoted(line + strlen(LATEST));
	} else if (text_starts(line, PATHS)) {
		char *path wh_free_auto = parse_quoted(line + strlen(PATHS));

		if (path && *path && state->n_entries < MAX_ENTRIES)
			return state_add(state, path, 0, err);
	} else if (text_starts(line, TIMESTAMPS)) {
		if (parse_number(line + strlen(TIMESTAMPS), &number) &&
		    state->n_timestamps < state->n_entries)
			state->entries[state->n_timestamps++].timestamp =
				number;
	} else if (text_starts(line, PRESERVED)) {
		state->has_last_preserved = parse_number(
			line + strlen(PRESERVED), &state->last_preserved);
	}
	return WH_OK;
}

static enum wh_status state_path(const char *folder, char **path,
				 struct wh_error *err)
{
	size_t len = strlen(folder);
	bool joins = len && folder[len - 1] != '/';

	if (asprintf(path, "%s%s" STATE_NAME, folder, joins ? "/" : "") < 0)
		return wh_fail_memory(err);
	return WH_OK;
}

enum wh_status state_read(const char *folder, struct state *state,
			  struct wh_error *err)
{
	char *path wh_free_auto = NULL, *text wh_free_auto = NULL;
	const char *line;

	WH_TRY(state_path(folder, &path, err));
	WH_TRY(read_text(path, &text, err));
	for (line = text; line && *line; line = strchr(line, '\n')) {
		line += strspn(line, " \t\n");
		WH_TRY(take_line(state, line, err));
	}
	if (!state->latest || !*state->latest)
		return wh_fail(err, WH_ECORRUPT,
			       "state file '%s' names no checkpoint", path);
	return WH_OK;
}

/* ---- Writing
 * ---------------------------------------------------------------- */

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

static enum wh_status write_whole(const char *path, const struct wh_buf *text,
				  struct wh_error *err)
{
	char *temporary wh_free_auto = NULL;
	int fd = temporary_open(path, &temporary);
	enum wh_status status;
	bool good;

	if (fd < 0)
		return wh_fail_errno(err, errno, "state file '%s'", path);
	good = write_on(fd, text->data, text->size) && fsync(fd) == 0;
	good = close(fd) == 0 && good;
	if (good && rename(temporary, path) == 0)
		return sync_folder(path, err);
	status = wh_fail_errno(err, errno, "state file '%s'", path);
	unlink(temporary);
	return status;
}

static bool same_bits(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0; /* NOLINT: NaN, -0.0 */
}

/* The shortest decimal that reads back as the same double, as Python's. */
static void print_number(double value, char text[64])
{
	USE_C_LOCALE;
	double back;
	int digits;

	for (digits = 1; digits <= 17; digits++) {
		snprintf(text, 64, "%.*f", digits, value);
		if (text_to_double(text, &back) && same_bits(back, value))
			return;
	}
}

static enum wh_status put_text(struct wh_buf *out, const char *field,
			       const char *text, struct wh_error *err)
{
	WH_TRY(wh_buf_printf(out, err, "%s ", field));
	return append_quoted(out, text, err);
}

static enum wh_status put_number(struct wh_buf *out, const char *field,
				 double number, struct wh_error *err)
{
	char text[64];

	/* What no clock says would not fit, and is not asked for. */
	print_number(number < 1e12 && number > -1e12 ? number : 0, text);
	return wh_buf_printf(out, err, "%s %s\n", field, text);
}

static enum wh_status put_state(struct wh_buf *out, const struct state *state,
				struct wh_error *err)
{
	uint32_t i;

	WH_TRY(put_text(out, LATEST, state->latest, err));
	for (i = 0; i < state->n_entries; i++)
		WH_TRY(put_text(out, PATHS, state->entries[i].path, err));
	for (i = 0; i < state->n_timestamps && i < state->n_entries; i++)
		WH_TRY(put_number(out, TIMESTAMPS, state->entries[i].timestamp,
				  err));
	if (state->has_last_preserved)
		WH_TRY(put_number(out, PRESERVED, state->last_preserved, err));
	return WH_OK;
}

enum wh_status state_write(const char *folder, const struct state *state,
			   struct wh_error *err)
{
	char *path wh_free_auto = NULL;
	struct wh_buf text = {0};
	enum wh_status status;

	WH_TRY(state_path(folder, &path, err));
	status = put_state(&text, state, err);
	if (!status)
		status = write_whole(path, &text, err);
	wh_buf_free(&text);
	return status;
}
