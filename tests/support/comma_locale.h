/* support/comma_locale.h: a locale with a decimal comma and German days, which
 * no machine has to have installed: localedef, of the C library, makes it.
 */
#ifndef WH_TESTS_COMMA_LOCALE_H
#define WH_TESTS_COMMA_LOCALE_H

#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define COMMA_SOURCE                                                           \
	"escape_char /\n"                                                      \
	"LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \".\"\n"               \
	"grouping 3;3\nEND LC_NUMERIC\n"                                       \
	"LC_TIME\nabday \"So\";\"Mo\";\"Di\";\"Mi\";\"Do\";\"Fr\";\"Sa\"\n"    \
	"day \"Sonntag\";\"Montag\";\"Dienstag\";\"Mittwoch\";"                \
	"\"Donnerstag\";\"Freitag\";\"Samstag\"\n"                             \
	"abmon \"Jan\";\"Feb\";\"Mrz\";\"Apr\";\"Mai\";\"Jun\";\"Jul\";"       \
	"\"Aug\";\"Sep\";\"Okt\";\"Nov\";\"Dez\"\n"                            \
	"mon \"Januar\";\"Februar\";\"Maerz\";\"April\";\"Mai\";\"Juni\";"     \
	"\"Juli\";\"August\";\"September\";\"Oktober\";\"November\";"          \
	"\"Dezember\"\n"                                                       \
	"d_t_fmt \"%c\"\nd_fmt \"%d.%m.%Y\"\nt_fmt \"%T\"\n"                   \
	"am_pm \"\";\"\"\nt_fmt_ampm \"\"\nEND LC_TIME\n"

static inline bool write_comma_locale(const char *folder)
{
	char path[64];
	FILE *file;
	int i;

	snprintf(path, sizeof(path), "%s/source", folder);
	file = fopen(path, "w");
	if (!file || fputs(COMMA_SOURCE, file) < 0 || fclose(file))
		return false;
	snprintf(path, sizeof(path), "%s/charmap", folder);
	file = fopen(path, "w");
	if (!file)
		return false;
	fputs("<code_set_name> ASCII\n<escape_char> /\nCHARMAP\n", file);
	for (i = 0; i < 128; i++)
		fprintf(file, "<U%04X> /x%02x c\n", (unsigned)i, (unsigned)i);
	fputs("END CHARMAP\n", file);
	return fclose(file) == 0;
}

/** Until `setlocale(LC_ALL, "C")`. False, and said, where it can't be made:
 *  other C libraries than glibc have no such locale. */
static inline bool use_comma_locale(void)
{
	char folder[] = "/tmp/wh-locale-XXXXXX", command[256];
	bool used = false;

	if (!mkdtemp(folder))
		return false;
	snprintf(command, sizeof(command),
		 "cd %s && localedef --no-archive -c -f ./charmap -i ./source "
		 "./comma >log 2>&1",
		 folder);
	/* It ends with 1, for warnings of what isn't defined. */
	if (write_comma_locale(folder) && system(command) >= 0 &&
	    setenv("LOCPATH", folder, 1) == 0)
		used = setlocale(LC_NUMERIC, "comma") &&
		       setlocale(LC_TIME, "comma");
	unsetenv("LOCPATH");
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command))
		used = false;
	if (!used)
		fputs("no locale with a decimal comma: not tried\n", stderr);
	return used;
}

#endif
