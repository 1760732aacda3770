/* support/assert.h: cmocka, and checks that print the subject's own error. */
#ifndef WH_TESTS_ASSERT_H
#define WH_TESTS_ASSERT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <weighhouse/error.h>

/** assert_ok(call(&err), &err): shows err's message where the call failed. */
#define assert_ok(call, err)                                                   \
	do {                                                                   \
		enum wh_status status_ = (call);                               \
		if (status_)                                                   \
			fail_msg("%s: %s (%s)", #call, (err)->message,         \
				 wh_status_text(status_));                     \
	} while (0)

/** assert_fails(call(&err), &err, WH_ECORRUPT, "part of the message") */
#define assert_fails(call, err, expected, part)                                \
	do {                                                                   \
		enum wh_status status_ = (call);                               \
		if (status_ != (expected))                                     \
			fail_msg("%s: %s instead of %s: %s", #call,            \
				 wh_status_text(status_),                      \
				 wh_status_text(expected),                     \
				 status_ ? (err)->message : "");               \
		if (!strstr((err)->message, (part)))                           \
			fail_msg("%s: \"%s\" lacks \"%s\"", #call,             \
				 (err)->message, (part));                      \
	} while (0)

#endif
