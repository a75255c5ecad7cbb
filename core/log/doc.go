// Package log is nginx's error log (ngx_log.c, ngx_syslog.c) and the list of
// files that are opened again on USR1 (ngx_open_file_t, ngx_reopen_files).
//
// A [Logger] is an immutable chain of outputs, each with a level of its own,
// as the error_log directives of one configuration level define it. Code logs
// through an [Entry]: a logger together with the connection number and the
// [Context] that appends ", client: …, server: …" to each line.
//
// A line never exceeds [MaxLine] bytes; it is handed to every output with one
// write(2), whose failures are ignored: a server does not stop because its
// log cannot be written.
//
// Loggers, entries and clocks may be used from any goroutine; files are
// opened, reopened and closed by one goroutine only.
package log
