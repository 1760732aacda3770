/* base/c_locale.h: numbers, dates and patterns as in the C locale, whatever the
 * one of the program that we are part of says.
 */
#ifndef WH_BASE_C_LOCALE_H
#define WH_BASE_C_LOCALE_H

#include <locale.h>

static inline locale_t c_locale_enter(void)
{
	/* No memory is taken for this one, neither by glibc nor by musl. */
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);

	return c ? uselocale(c) : (locale_t)0;
}

static inline void c_locale_leave(const locale_t *before)
{
	locale_t c = *before ? uselocale(*before) : (locale_t)0;

	if (c)
		freelocale(c);
}

/** To the end of the block, for this thread: strtod, "%g", strptime, fnmatch,
 *  and what of jansson reads or prints numbers. */
#define USE_C_LOCALE                                                           \
	__attribute__((cleanup(c_locale_leave), unused))                       \
	const locale_t before_c_locale = c_locale_enter()

#endif
