/* apart/talk.h: what the two processes say to each other.
 *
 * First the child sends a reply with the manifest, or with why there is none.
 * Then it answers each request by a reply: bytes of a payload lie in memory
 * that both share, a piece at a time. It ends when nobody listens any more.
 */
#ifndef WH_APART_TALK_H
#define WH_APART_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apart/apart.h"

#define TALK_PIECE    ((size_t)1 << 20) /* bytes that are shared */
#define TALK_MANIFEST ((uint64_t)256 << 20)

enum talk_what { TALK_READ = 0, TALK_UNCHANGED };

struct talk_request {
	uint32_t what, tensor;
	uint64_t offset, length; /* at most TALK_PIECE */
};

struct talk_reply {
	int32_t status; /* enum wh_status */
	int32_t sys_errno;
	uint64_t length; /* of what follows: the message, or the manifest */
};

/** All `n` bytes; false if the other side is gone. */
bool talk_send(int fd, const void *bytes, size_t n);
bool talk_receive(int fd, void *bytes, size_t n);

/** The child's part: opens the checkpoint, sends what it is and serves it on
 *  `fd` until that is closed. */
struct talk_service {
	apart_load_fn *load;
	const char *path;
	const struct wh_load_options *options;
	unsigned cpu_seconds;
	uint8_t *shared;
	int fd;
};
_Noreturn void talk_serve(const struct talk_service *service);

#endif
