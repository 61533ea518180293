/* File systems that lack something: loaded before the C library, told by the variable WITHOUT. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int refuses(const char *what) {
    const char *without = getenv("WITHOUT");
    return without != NULL && strstr(without, what) != NULL;
}

/* "locks": each is granted at once, as by NFS without its lock service; "ENOLCK": none is. */
int flock(int handle, int operation) {
    (void)handle;
    (void)operation;
    if (refuses("ENOLCK")) {
        errno = ENOLCK;
        return -1;
    }
    return 0;
}

/* "links": as FAT and exFAT. */
int link(const char *from, const char *to) {
    (void)from;
    (void)to;
    errno = EPERM;
    return -1;
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    (void)from_folder;
    (void)to_folder;
    (void)flags;
    return link(from, to);
}
