/* version.h: the library's version. */
#ifndef WEIGHHOUSE_VERSION_H
#define WEIGHHOUSE_VERSION_H

#include <weighhouse/error.h>

#define WH_VERSION_MAJOR 0
#define WH_VERSION_MINOR 1
#define WH_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

/** "0.1.0": of the library that is linked, not of this header. */
WH_API const char *wh_version(void);

#ifdef __cplusplus
}
#endif
#endif
