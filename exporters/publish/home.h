/* publish/home.h: where what a user keeps lies. */
#ifndef WH_PUBLISH_HOME_H
#define WH_PUBLISH_HOME_H

/** HOME; where that isn't set, as in systemd's services, the folder that the
 *  system's list of users gives. malloc'd, or NULL: there is none. */
char *home_folder(void);

#endif
