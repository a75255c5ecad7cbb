package http

import "golang.org/x/sys/unix"

// sysFstatat is fstatat, which amd64 names after its structure.
const sysFstatat = unix.SYS_NEWFSTATAT
