/* Programs that keep logins, docker-credential-NAME: the server on stdin, and
 * on stdout {"ServerURL": ..., "Username": ..., "Secret": ...}, or one line of
 * text and an exit code. Source: docker-credential-helpers, its README. */
#include "publish/oci.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/auto.h"

#define MAX_ANSWER ((size_t)64 * 1024)
#define MAX_SERVER 1024 /* the pipe takes it before anybody reads */
#define MAX_SHOWN  200	/* of why it failed */
#define NOT_FOUND  "credentials not found in native keychain"

/* 0, or what errno says. */
static int start(char *program, int in, int out, pid_t *child)
{
	char *words[] = {program, (char[]){"get"}, NULL};
	posix_spawn_file_actions_t actions;
	int why = posix_spawn_file_actions_init(&actions);

	if (why)
		return why;
	why = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	if (!why)
		why = posix_spawn_file_actions_adddup2(&actions, out,
						       STDOUT_FILENO);
	if (!why)
		why = posix_spawnp(child, program, &actions, NULL, words,
				   environ);
	posix_spawn_file_actions_destroy(&actions);
	return why;
}

/* Room is made once: what grows would leave secrets behind. */
static enum wh_status read_answer(int from, struct wh_buf *answer,
				  struct wh_error *err)
{
	ssize_t got = 1;

	WH_TRY(wh_buf_reserve(answer, MAX_ANSWER, err));
	while (got && answer->size < MAX_ANSWER) {
		got = read(from, (char *)answer->data + answer->size,
			   MAX_ANSWER - answer->size);
		if (got < 0 && errno != EINTR)
			return wh_fail_errno(err, errno, "its answer");
		answer->size += got > 0 ? (size_t)got : 0;
	}
	return answer->size < MAX_ANSWER
		       ? WH_OK
		       : wh_fail(err, WH_EINVAL, "its answer has no end");
}

static enum wh_status judge(pid_t child, const struct wh_buf *answer,
			    bool *found, struct wh_error *err)
{
	const char *text = (const char *)answer->data;
	size_t len = answer->size, shown = 0;
	int status = 0;
	pid_t ended;

	/* Where a program has its children reaped for it, the answer tells. */
	do
		ended = waitpid(child, &status, 0);
	while (ended < 0 && errno == EINTR);
	*found = status == 0;
	if (*found)
		return WH_OK;
	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	if (len == strlen(NOT_FOUND) && memcmp(text, NOT_FOUND, len) == 0)
		return WH_OK;
	/* What looks like an answer may hold a secret. */
	if (!len || memchr(text, '{', len))
		return wh_fail(err, WH_EINVAL, "it failed");
	while (shown < len && shown < MAX_SHOWN &&
	       !ascii_is_control(text[shown]))
		shown++;
	return wh_fail(err, WH_EINVAL, "it failed: %.*s", (int)shown, text);
}

struct pipes {
	int in[2], out[2]; /* the program's stdin and stdout */
};

static void shut(int *end)
{
	if (*end >= 0)
		close(*end);
	*end = -1;
}

static enum wh_status talk(char *program, const char *server,
			   struct pipes *pipes, struct wh_buf *answer,
			   bool *found, struct wh_error *err)
{
	size_t len = strlen(server);
	enum wh_status status;
	pid_t child;
	int why;

	/* Before it runs, since it may end without reading: no SIGPIPE. */
	if (write(pipes->in[1], server, len) != (ssize_t)len)
		return wh_fail_errno(err, errno, "its question");
	why = start(program, pipes->in[0], pipes->out[1], &child);
	if (why)
		return wh_fail(err, WH_EINVAL, "%s", strerror(why));
	shut(&pipes->in[1]);
	shut(&pipes->out[1]);
	status = read_answer(pipes->out[0], answer, err);
	shut(&pipes->out[0]); /* it ends where nobody reads */
	if (status) {
		judge(child, answer, found, NULL);
		return status;
	}
	return judge(child, answer, found, err);
}

enum wh_status oci_helper_get(const char *helper, const char *server,
			      struct wh_buf *answer, bool *found,
			      struct wh_error *err)
{
	struct pipes pipes = {{-1, -1}, {-1, -1}};
	char *program wh_free_auto = NULL;
	enum wh_status status;

	*found = false;
	if (strchr(helper, '/') || strlen(server) > MAX_SERVER)
		return wh_fail(err, WH_EINVAL, "no program has such a name");
	if (asprintf(&program, "docker-credential-%s", helper) < 0) {
		program = NULL;
		return wh_fail_memory(err);
	}
	if (pipe2(pipes.in, O_CLOEXEC) || pipe2(pipes.out, O_CLOEXEC))
		status = wh_fail_errno(err, errno, "a pipe");
	else
		status = talk(program, server, &pipes, answer, found, err);
	shut(&pipes.in[0]);
	shut(&pipes.in[1]);
	shut(&pipes.out[0]);
	shut(&pipes.out[1]);
	return status;
}
