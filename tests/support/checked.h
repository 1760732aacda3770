/* Whether each access to memory is checked: by valgrind, or by a sanitizer.
 * All is 10 to 50 times as slow then, so loops over much data do less. */
#ifndef WH_TEST_CHECKED_H
#define WH_TEST_CHECKED_H

#include <stdbool.h>
#include <stdlib.h>

static inline bool is_checked(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	return true;
#endif
#endif
	return getenv("WH_UNDER_VALGRIND") != NULL;
}

#endif
