/* The parent: starts the child, and asks it. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apart/doors.h"
#include "apart/talk.h"
#include "apart/wire.h"
#include "base/auto.h"
#include "base/text.h"

struct apart_source {
	struct wh_source base; /* first: they are cast into each other */
	struct arena arena;
	pthread_mutex_t lock; /* one question at a time */
	const char *what;     /* parses: "libhdf5" */
	unsigned cpu_seconds; /* that it may take */
	uint8_t *shared;
	int fd;	   /* -1: not any more */
	pid_t pid; /* 0: it has ended */
};

/* ---- The child's end -------------------------------------------------------
 */

/* It may be at work still: for nobody, or with its end of the line closed, if
 * it was taken over. A status that it has already stays. */
static int end_child(struct apart_source *source)
{
	int status = 0;
	pid_t pid = source->pid;

	source->pid = 0;
	/* Where somebody else reaps our children, its number may be that of
	 * another process by now. */
	if (pid <= 0 || waitpid(pid, &status, WNOHANG))
		return status;
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	return status;
}

/* It said nothing: why. */
static enum wh_status tell_end(struct apart_source *source,
			       struct wh_error *err)
{
	int status, signal_;

	close(source->fd);
	source->fd = -1;
	status = end_child(source);
	signal_ = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	if (signal_ == SIGINT || signal_ == SIGTERM || signal_ == SIGHUP)
		return wh_fail(err, WH_ECANCELLED, "interrupted");
	if (signal_ == SIGXCPU)
		return wh_fail(err, WH_ECORRUPT,
			       "%s worked on it for more than %u seconds",
			       source->what, source->cpu_seconds);
	return wh_fail(err, WH_ECORRUPT,
		       "a damaged file: %s crashed on it (%s)", source->what,
		       signal_ ? strsignal(signal_) : "it ended early");
}

static void close_source(struct wh_source *base)
{
	struct apart_source *source = (struct apart_source *)base;

	if (source->fd >= 0)
		close(source->fd);
	end_child(source);
	if (source->shared)
		munmap(source->shared, TALK_PIECE);
	pthread_mutex_destroy(&source->lock);
	arena_free(&source->arena);
	free(source);
}

WH_DEFINE_AUTO(wh_source, wh_source_close);

/* ---- Asking ---------------------------------------------------------------
 */

static bool is_status(int32_t status)
{
	return status < 0 && status >= WH_EALARM;
}

/* What the child says is shown as a file's text would be. */
static enum wh_status take_message(struct apart_source *source,
				   const struct talk_reply *reply,
				   struct wh_error *err)
{
	char text[WH_ERROR_SIZE], shown[WH_ERROR_SIZE];
	enum wh_status status = WH_ECORRUPT;

	if (reply->length >= sizeof(text))
		return wh_fail(err, WH_ECORRUPT, "%s's process sends nonsense",
			       source->what);
	if (!talk_receive(source->fd, text, (size_t)reply->length))
		return tell_end(source, err);
	text_escape(text, (size_t)reply->length, shown, sizeof(shown));
	if (is_status(reply->status))
		status = (enum wh_status)reply->status;
	wh_fail(err, status, "%s", shown);
	if (err)
		err->sys_errno = reply->sys_errno;
	return status;
}

static enum wh_status take_reply(struct apart_source *source,
				 struct talk_reply *reply, struct wh_error *err)
{
	if (!talk_receive(source->fd, reply, sizeof(*reply)))
		return tell_end(source, err);
	return reply->status ? take_message(source, reply, err) : WH_OK;
}

/* Not by write: a child that is gone is no SIGPIPE for us. */
static bool send_request(int fd, const struct talk_request *request)
{
	const char *at = (const char *)request;
	size_t left = sizeof(*request);

	while (left) {
		ssize_t sent = send(fd, at, left, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		at += sent;
		left -= (size_t)sent;
	}
	return true;
}

static enum wh_status ask(struct apart_source *source,
			  const struct talk_request *request,
			  struct wh_error *err)
{
	struct talk_reply reply;

	if (source->fd < 0)
		return wh_fail(err, WH_ECORRUPT, "%s has crashed on the file",
			       source->what);
	if (!send_request(source->fd, request))
		return tell_end(source, err);
	return take_reply(source, &reply, err);
}

static enum wh_status read_piece(struct apart_source *source, uint32_t index,
				 uint64_t offset, void *buf, size_t len,
				 struct wh_error *err)
{
	struct talk_request request = {
		.what = TALK_READ,
		.tensor = index,
		.offset = offset,
		.length = len,
	};
	enum wh_status status;

	pthread_mutex_lock(&source->lock);
	status = ask(source, &request, err);
	if (!status)
		memcpy(buf, source->shared, len);
	pthread_mutex_unlock(&source->lock);
	return status;
}

static enum wh_status read_source(struct wh_source *base, uint32_t index,
				  uint64_t offset, void *buf, size_t len,
				  struct wh_error *err)
{
	uint8_t *out = buf;

	while (len) {
		size_t some = len < TALK_PIECE ? len : TALK_PIECE;

		WH_TRY(read_piece((struct apart_source *)base, index, offset,
				  out, some, err));
		out += some;
		offset += some;
		len -= some;
	}
	return WH_OK;
}

static enum wh_status check_unchanged(struct wh_source *base,
				      struct wh_error *err)
{
	struct apart_source *source = (struct apart_source *)base;
	const struct talk_request request = {.what = TALK_UNCHANGED};
	enum wh_status status;

	pthread_mutex_lock(&source->lock);
	status = ask(source, &request, err);
	pthread_mutex_unlock(&source->lock);
	return status;
}

static const struct wh_source_ops apart_ops = {
	.read = read_source,
	.unchanged = check_unchanged,
	.close = close_source,
	.concurrent = true,
};

/* ---- Opening ---------------------------------------------------------------
 */

static enum wh_status start(struct apart_source *source,
			    struct talk_service *service, struct wh_error *err)
{
	int ends[2];

	source->shared = mmap(NULL, TALK_PIECE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (source->shared == MAP_FAILED) {
		source->shared = NULL;
		return wh_fail_memory(err);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return wh_fail_errno(err, errno, "can't make a socket");
	service->shared = source->shared;
	service->fd = ends[1];
	source->pid = fork();
	if (source->pid == 0)
		talk_serve(service);
	close(ends[1]);
	source->fd = ends[0];
	if (source->pid > 0) {
		/* The child of another file sees no payloads of this one. */
		madvise(source->shared, TALK_PIECE, MADV_DONTFORK);
		return WH_OK;
	}
	source->pid = 0;
	return wh_fail_errno(err, errno, "can't start a process");
}

static enum wh_status take_manifest(struct apart_source *source,
				    struct wh_error *err)
{
	struct talk_reply reply;
	enum wh_status status;
	uint8_t *bytes;

	WH_TRY(take_reply(source, &reply, err));
	if (reply.length > TALK_MANIFEST)
		return wh_fail(err, WH_ECORRUPT, "%s's process sends nonsense",
			       source->what);
	bytes = malloc((size_t)reply.length + 1);
	if (!bytes)
		return wh_fail_memory(err);
	status = talk_receive(source->fd, bytes, (size_t)reply.length)
			 ? wire_decode(bytes, (size_t)reply.length,
				       &source->arena, &source->base.manifest,
				       err)
			 : tell_end(source, err);
	free(bytes);
	return status;
}

enum wh_status apart_load(apart_load_fn *load, const char *what,
			  const char *path, uint64_t size,
			  const struct wh_load_options *options,
			  struct wh_source **out, struct wh_error *err)
{
	struct apart_source *source = calloc(1, sizeof(*source));
	struct talk_service service = {.load = load,
				       .path = path,
				       .options = options,
				       .cpu_seconds = doors_cpu_seconds(size)};
	wh_auto(wh_source) held = NULL;

	if (!source)
		return wh_fail_memory(err);
	held = &source->base;
	source->base.ops = &apart_ops;
	source->what = what;
	source->fd = -1;
	pthread_mutex_init(&source->lock, NULL);
	source->cpu_seconds = service.cpu_seconds;
	WH_TRY(start(source, &service, err));
	WH_TRY(take_manifest(source, err));
	/* Unpacking takes as long as it takes. */
	if (options->isolation != WH_APART_LIMITED)
		doors_lift_time(source->pid);
	*out = wh_steal(&held);
	return WH_OK;
}
