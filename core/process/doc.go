// Package process is the life of the server's processes: the master that reads
// the configuration, opens what it declares and keeps the workers running, and
// the workers that serve. It mirrors nginx's ngx_process_cycle.c,
// ngx_process.c, ngx_cycle.c and the core module of nginx.c; signals, log
// lines, pid files and the hand-over to a new binary are nginx's to the letter.
//
// # How processes come about
//
// Go cannot fork, so every process is this binary executed again. The master
// gives a new one its descriptors (listening sockets, logs, shared memory) and
// two memory files: the handoff, which says which descriptor is what, and the
// snapshot, which has every file that the master has read. The worker
// evaluates the configuration again from the snapshot. It thus needs no right
// to read certificates or keys, and cannot see another configuration than the
// master did. Modules are told of the difference by [conf.Cycle.Worker] and
// [Zone.Exists] only.
//
// A daemon is started the same way before the configuration is evaluated; the
// command waits until the server listens and has written its pid file.
//
// # What modules do here
//
// While the configuration is read a module declares with the [Cycle] what it
// needs: [Cycle.Listen], [Cycle.AddZone], [Cycle.AddPath], [Cycle.AddHelper],
// files in [Cycle.Files], and what it does when processes start and end
// ([Cycle.OnInit], [Cycle.OnStart], [Cycle.OnQuit], [Cycle.OnExit]). Nothing may be opened or started before OnInit, as the
// configuration may only be tested.
//
// # Differences from nginx
//
//   - The limit of open files is raised to the hard limit by the Go runtime.
//   - A reload lets go of the old workers once the new ones serve, not after
//     100 ms; when no new worker comes up the old ones stay.
//   - A worker that exits with status 2 is started again if it has served
//     before: that is how a Go program ends after a panic.
//   - SIGUSR2 finds a binary that was started by its bare name in PATH.
//   - Users and groups are looked up in /etc/passwd and /etc/group only.
package process
