/* Prints the name under which the dynamic linker finds the library that has
 * FUNCTION. meson.build runs it, linked with that library; it fails where
 * that is a static one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

void FUNCTION(void);

#define TEXT_OF(name) #name
#define NAME_OF(name) TEXT_OF(name)

int main(int argc, char **argv)
{
	void *found = dlsym(RTLD_DEFAULT, NAME_OF(FUNCTION));
	Dl_info info;

	/* Never called; it makes the linker keep the library. */
	if (argc > 1 && !argv[0])
		FUNCTION();
	if (!found || !dladdr(found, &info) || !strstr(info.dli_fname, ".so"))
		return 1;
	puts(strrchr(info.dli_fname, '/') + 1);
	return 0;
}
