/* apart/doors.h: what a process may still do. */
#ifndef WH_APART_DOORS_H
#define WH_APART_DOORS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Enough for what libhdf5 is let do: chunks of 64 MiB, reads of 64 MiB. */
#define DOORS_MEMORY ((uint64_t)2 << 30) /* beyond what is in use already */
#define DOORS_CPU_S  10u		 /* and one more for each of: */
#define DOORS_SECOND ((uint64_t)4 << 20)

/** Limits memory and CPU time; no core file. The time can be lifted again,
 *  unless it is limited for good. */
void doors_lower(unsigned cpu_seconds, bool for_good);
/** What reading so many bytes may take. */
unsigned doors_cpu_seconds(uint64_t size);

/** Lifts the limit of CPU time of a child. */
void doors_lift_time(pid_t pid);

/** No new descriptor, no file that grows, and, where the kernel filters calls,
 * none of them but those that read, that manage memory, and that write to `fd`.
 * Can't be undone. False where there is no filter. */
bool doors_close(int fd);

#endif
