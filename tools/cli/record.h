/* record.h: what is recorded of where a run was started.
 *
 * Host, folder, command line, the Git commit of the folder and whether tracked
 * files differ from it (by the program git if there is one; else the commit
 * alone, read from .git), and versions. Never environment variables. In the
 * command line, the value of an option or assignment whose name speaks of a
 * secret (key, token, password, secret, credential, auth) becomes "***".
 */
#ifndef WH_CLI_RECORD_H
#define WH_CLI_RECORD_H

#include <weighhouse/run.h>

struct record {
	struct wh_run_origin origin;
	char host[256], folder[4096], commit[65], versions[256];
};

/** `command` is borrowed. */
void record_fill(struct record *record, const char *command);

/** This process's own; malloc'd, NULL if it is not known. */
char *record_own_command(void);

/** The words as a shell would take them again, without secrets; malloc'd. */
char *record_command(int n_words, char *const *words);

#endif
