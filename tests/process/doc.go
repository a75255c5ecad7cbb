// Package process holds the tests of processes and logs that the text of a
// specification cannot say: a binary that is replaced while it serves, a syslog
// server, the memory of a worker, a disk that is full. They run against
// Moongate, or against a real nginx (see spec.FindTarget).
package process
