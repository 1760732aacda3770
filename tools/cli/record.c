#include "record.h"

#include <ctype.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weighhouse/version.h>

#include "base/text.h"
#include "cli.h"

#define MAX_COMMAND 65536

/* ---- Command line ----------------------------------------------------------
 */

static bool speaks_of_secret(const char *name, size_t len)
{
	static const char *const words[] = {
		"key",	      "token", "password",   "passwd", "secret",
		"credential", "auth",  "passphrase", "cookie"};
	size_t i, at;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (at = 0; at + strlen(words[i]) <= len; at++)
			if (strncasecmp(name + at, words[i],
					strlen(words[i])) == 0)
				return true;
	return false;
}

/* "user:password@" of an URL. */
static const char *after_login(const char *word)
{
	const char *scheme = strstr(word, "://");
	size_t len = scheme ? strcspn(scheme + 3, "/@") : 0;

	return scheme && scheme[3 + len] == '@' ? scheme + 3 + len : NULL;
}

/* Whether the next word is a secret's value. */
static bool put_redacted(FILE *out, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const char *host = after_login(word);

	if (equals && speaks_of_secret(word, len)) {
		cli_put_word(out, word, len);
		fputs("=***", out);
		return false;
	}
	if (host) {
		cli_put_word(out, word,
			     (size_t)(strstr(word, "://") + 3 - word));
		fputs("***", out);
		cli_put_word(out, host, strlen(host));
		return false;
	}
	cli_put_word(out, word, strlen(word));
	return !equals && word[0] == '-' && speaks_of_secret(word, len);
}

char *record_command(int n_words, char *const *words)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool secret = false;
	int i;

	if (!out)
		return NULL;
	for (i = 0; i < n_words && ftell(out) < MAX_COMMAND; i++) {
		if (i)
			putc(' ', out);
		if (secret && words[i][0] != '-') {
			fputs("***", out);
			secret = false;
		} else {
			secret = put_redacted(out, words[i]);
		}
	}
	if (fclose(out) || !text || !text_is_name(text, strlen(text))) {
		free(text);
		return NULL;
	}
	return text;
}

char *record_own_command(void)
{
	static char bytes[MAX_COMMAND];
	char *words[1024];
	ssize_t len, at = 0;
	int n = 0, fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

	len = fd < 0 ? 0 : read(fd, bytes, sizeof(bytes) - 1);
	if (fd >= 0)
		close(fd);
	while (at < len && n < 1024) {
		words[n++] = bytes + at;
		at += (ssize_t)strlen(bytes + at) + 1;
	}
	return record_command(n, words);
}

/* ---- Git -------------------------------------------------------------------
 */

/* What a program prints, cut at `size`; its exit code, or -1. Words are
 * parted by single blanks. */
static int ask(const char *command, char *out, size_t size)
{
	char text[128], *words[16] = {NULL}, *rest = NULL, *word;
	int n = 0;
	posix_spawn_file_actions_t actions;
	int ends[2], status = -1;
	size_t used = 0;
	ssize_t got;
	pid_t child;

	snprintf(text, sizeof(text), "%s", command);
	for (word = strtok_r(text, " ", &rest); word && n < 15;
	     word = strtok_r(NULL, " ", &rest))
		words[n++] = word;
	out[0] = '\0';
	if (!words[0] || pipe2(ends, O_CLOEXEC))
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&child, words[0], &actions, NULL, words, environ))
		child = -1;
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while (child > 0 && used < size - 1 &&
	       (got = read(ends[0], out + used, size - 1 - used)) > 0)
		used += (size_t)got;
	out[used] = '\0';
	close(ends[0]);
	if (child > 0 && waitpid(child, &status, 0) == child &&
	    WIFEXITED(status))
		return WEXITSTATUS(status);
	/* It may still have been writing; what was read is enough. */
	return child > 0 && used == size - 1 ? 0 : -1;
}

static bool is_commit(const char *text)
{
	size_t len = strspn(text, "0123456789abcdef");

	return (len == 40 || len == 64) && !text[len];
}

static bool read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool read = file && fgets(line, (int)size, file);

	if (file)
		fclose(file);
	if (read)
		line[strcspn(line, "\n")] = '\0';
	return read;
}

/* Without the program: HEAD, and the file of the branch that it names. */
static void read_git_folder(struct record *record)
{
	char path[4200], line[4096];

	if (!read_line(".git/HEAD", line, sizeof(line)))
		return;
	if (text_starts(line, "ref: ")) {
		snprintf(path, sizeof(path), ".git/%s", line + 5);
		if (!read_line(path, line, sizeof(line)))
			return;
	}
	if (is_commit(line))
		snprintf(record->commit, sizeof(record->commit), "%.64s", line);
}

static void find_commit(struct record *record)
{
	char out[128];

	record->origin.git_dirty = -1;
	if (ask("git rev-parse --verify HEAD", out, sizeof(out)) == 0) {
		out[strcspn(out, "\n")] = '\0';
		if (is_commit(out))
			snprintf(record->commit, sizeof(record->commit),
				 "%.64s", out);
		if (ask("git status --porcelain --untracked-files=no", out,
			sizeof(out)) == 0)
			record->origin.git_dirty = *out != '\0';
	} else {
		read_git_folder(record);
	}
	if (*record->commit)
		record->origin.git_commit = record->commit;
}

void record_fill(struct record *record, const char *command)
{
	struct wh_run_origin *origin = &record->origin;

	memset(record, 0, sizeof(*record));
	origin->command = command;
	if (gethostname(record->host, sizeof(record->host) - 1) == 0 &&
	    text_is_name(record->host, strlen(record->host)))
		origin->host = record->host;
	if (getcwd(record->folder, sizeof(record->folder)) &&
	    text_is_name(record->folder, strlen(record->folder)))
		origin->folder = record->folder;
	snprintf(record->versions, sizeof(record->versions), "wh %s",
		 wh_version());
	origin->versions = record->versions;
	find_commit(record);
}
