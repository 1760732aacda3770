/* csv_log.h: a table of figures, a line an epoch: Keras's CSVLogger.
 *
 *	epoch,accuracy,loss,val_loss		the head: names
 *	0,0.39,1.69,1.15			numbers; NA and the like are
 *none
 *
 * Cells may be quoted; they are parted by commas, semicolons or tabs, as the
 * head shows. CSVLogger counts epochs from 0, the names of ModelCheckpoint's
 * files from 1.
 */
#ifndef WH_CLI_CSV_LOG_H
#define WH_CLI_CSV_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_MAX_COLUMNS 64
#define CSV_MAX_LINE	(64 << 10)

struct csv_head {
	char *columns[CSV_MAX_COLUMNS]; /* owned */
	size_t n;
	char separator;
};

struct csv_row {
	int64_t epoch, step; /* 0 where the head has none */
	double values[CSV_MAX_COLUMNS];
	bool present[CSV_MAX_COLUMNS]; /* numbers that are metrics */
};

/** Takes the names of a line, which is changed. False for one that has none
 *  called `epoch` or `step`: it is no such table. */
bool csv_head_read(struct csv_head *head, char *line);
void csv_head_free(struct csv_head *head);
bool csv_has_column(const struct csv_head *head, const char *name);

/** False for a line, which is changed, that is not as the head says. */
bool csv_row_read(const struct csv_head *head, char *line, struct csv_row *row);

#endif
