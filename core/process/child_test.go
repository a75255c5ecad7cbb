package process

import (
	"os"
	"os/signal"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTellStuckChild: a child that does not read its commands gets the signal
// itself, and the master is not kept waiting for it.
func TestTellStuckChild(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	for err == nil {
		_, err = unix.Write(pair[0], []byte{commandReopen})
	}
	if err != unix.EAGAIN {
		t.Fatal(err)
	}
	channel := os.NewFile(uintptr(pair[0]), "channel")
	defer channel.Close()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGUSR1)
	defer signal.Stop(signals)
	if !new(master).tell(&child{pid: os.Getpid(), channel: channel}, unix.SIGUSR1) {
		t.Error("the child was not told")
	}
	<-signals
}
