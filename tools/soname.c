/* Prints the file in which the dynamic linker finds FUNCTION. meson.build runs
 * this twice: linked with the library, which tells the library's name, and
 * then, with SONAME, as store/base/late.c will: not linked with it, so that
 * no path that linking brought along (-rpath) helps to find it. Fails where the
 * library is a static one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define TEXT_OF(name) #name
#define NAME_OF(name) TEXT_OF(name)

#ifdef SONAME
static void *find(void)
{
	void *library = dlopen(SONAME, RTLD_LAZY | RTLD_LOCAL);

	return library ? dlsym(library, NAME_OF(FUNCTION)) : NULL;
}
#else
void FUNCTION(void);
/* Never called; it makes the linker keep the library. */
void (*volatile const kept)(void) = FUNCTION;

static void *find(void)
{
	return kept ? dlsym(RTLD_DEFAULT, NAME_OF(FUNCTION)) : NULL;
}
#endif

int main(void)
{
	void *found = find();
	Dl_info info;

	if (!found || !dladdr(found, &info) || !strstr(info.dli_fname, ".so"))
		return 1;
	puts(info.dli_fname);
	return 0;
}
