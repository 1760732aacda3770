/* The child: loads, then answers. */
#include "apart/talk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "apart/doors.h"
#include "apart/wire.h"
#include "base/error.h"
#include "base/write.h"

/* Of the child: the one descriptor that it may write to; -1 elsewhere. */
static int line = -1;

void apart_close_doors(void)
{
	static bool closed;

	if (line >= 0 && !closed)
		closed = true, doors_close(line);
}

bool talk_send(int fd, const void *bytes, size_t n)
{
	return write_on(fd, bytes, n);
}

bool talk_receive(int fd, void *bytes, size_t n)
{
	char *at = bytes;

	while (n) {
		ssize_t got = read(fd, at, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

/* ---- Becoming the child ---------------------------------------------------
 */

/* Ctrl-C ends it as it would end any program, and so does a crash, whatever
 * the program around us does then: the parent tells. */
static void reset_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		sigaction(i, &action, NULL); /* but SIGKILL's and its like */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Where close_range isn't there, or a sandbox refuses it. Linux lets nobody
 * have more unless its administrator says so. */
static void close_each(int first)
{
	struct rlimit limit;
	int fd, end = 1 << 20;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < (rlim_t)end)
		end = (int)limit.rlim_cur;
	for (fd = first; fd < end; fd++)
		close(fd);
}

/* Descriptors of the store, of a socket of the program around us: none of
 * them is a parser's business. */
static int keep_only(int given)
{
	/* It may be one of the first three, if those were closed. */
	int fd = fcntl(given, F_DUPFD_CLOEXEC, 4), i;
	int nothing = open("/dev/null", O_RDWR);

	for (i = 0; i < 3; i++)
		if (nothing < 0 || dup2(nothing, i) < 0)
			_exit(1);
	if (fd < 0 || dup2(fd, 3) != 3)
		_exit(1);
	if (close_range(4, ~0U, 0))
		close_each(4);
	return 3;
}

/* ---- Answering ------------------------------------------------------------
 */

static bool reply(int fd, enum wh_status status, const struct wh_error *err)
{
	struct talk_reply reply = {.status = status};

	if (status) {
		reply.sys_errno = err->sys_errno;
		reply.length = strlen(err->message);
	}
	return talk_send(fd, &reply, sizeof(reply)) &&
	       talk_send(fd, err->message, (size_t)reply.length);
}

static bool send_manifest(int fd, const struct wh_source *source)
{
	struct talk_reply head = {.status = WH_OK};
	struct wh_buf bytes = {0};
	struct wh_error err;
	enum wh_status status = wire_encode(&source->manifest, &bytes, &err);
	bool sent;

	if (!status && bytes.size > TALK_MANIFEST)
		status = wh_fail(&err, WH_EUNSUPPORTED,
				 "its names take more than 256 MiB");
	head.length = bytes.size;
	sent = status ? reply(fd, status, &err)
		      : talk_send(fd, &head, sizeof(head)) &&
				talk_send(fd, bytes.data, bytes.size);
	wh_buf_free(&bytes);
	return sent && !status;
}

static bool answer(const struct talk_service *service, struct wh_source *source)
{
	struct talk_request request;
	struct wh_error err = {0};
	enum wh_status status = WH_OK;

	if (!talk_receive(service->fd, &request, sizeof(request)))
		return false;
	if (request.what == TALK_READ)
		status = wh_source_read(source, request.tensor, request.offset,
					service->shared, (size_t)request.length,
					&err);
	else if (source->ops->unchanged)
		status = source->ops->unchanged(source, &err);
	return reply(service->fd, status, &err);
}

_Noreturn void talk_serve(const struct talk_service *given)
{
	struct talk_service service = *given;
	struct wh_source *source = NULL;
	struct wh_error err = {0};
	enum wh_status status;

	reset_signals();
	service.fd = line = keep_only(given->fd);
	doors_lower(service.cpu_seconds,
		    service.options->isolation == WH_APART_LIMITED);
	status = service.load(service.path, service.options, &source, &err);
	apart_close_doors();
	if (status || !source)
		reply(line, status, &err);
	else if (send_manifest(line, source))
		while (answer(&service, source))
			;
	/* Nothing of it is worth an orderly end: its memory goes at once. */
	_exit(0);
}
