package http

import "golang.org/x/sys/unix"

// sysFstatat is fstatat.
const sysFstatat = unix.SYS_FSTATAT
