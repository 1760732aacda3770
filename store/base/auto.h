/* base/auto.h: freed at scope exit; ownership leaves by wh_steal(&p).
 *
 *	wh_auto(wh_plan) plan = NULL;
 *
 * needs `wh_plan_auto`, which WH_DEFINE_AUTO makes beside the type.
 */
#ifndef WH_BASE_AUTO_H
#define WH_BASE_AUTO_H

#include <stdlib.h>
#include <unistd.h>

#define wh_auto(type) __attribute__((cleanup(type##_auto))) struct type *

#define WH_DEFINE_AUTO(type, release)                                          \
	static inline void type##_auto(struct type **p)                        \
	{                                                                      \
		release(*p);                                                   \
	}                                                                      \
	struct type

static inline void *wh_steal_(void *pp)
{
	void **slot = pp, *taken = *slot;

	*slot = NULL;
	return taken;
}
#define wh_steal(pp) ((__typeof__(*(pp)))wh_steal_(pp))

static inline void free_auto_(void *pp)
{
	free(*(void **)pp);
}
/** char *wh_free_auto text = strdup(...); */
#define wh_free_auto __attribute__((cleanup(free_auto_)))

static inline void close_auto_(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
/** For descriptors whose close cannot lose data (read-only ones). */
#define wh_close_auto __attribute__((cleanup(close_auto_)))

#endif
