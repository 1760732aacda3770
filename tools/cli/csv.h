/* csv.h: lines of comma-separated values (RFC 4180), without line ends in
 * cells. */
#ifndef WH_CLI_CSV_H
#define WH_CLI_CSV_H

#include <stddef.h>

/** Cuts the line, which is changed, into at most `max` cells and gives how
 *  many there are. Quotes around a cell go, doubled ones inside become one. */
size_t csv_cut(char *line, char separator, char **cells, size_t max);

/** ',', ';' or a tab: what the head of a table has most of. */
char csv_separator(const char *head);

#endif
