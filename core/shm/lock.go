package shm

import (
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mutex is a lock in memory shared by processes: the holder's pid, compared
// and swapped, with a futex to wait on. Unlocked it is all zeroes.
//
// A holder may be killed. [Mutex.ForceUnlock] by whoever reaps it frees the
// lock; so does a waiter that finds the holder gone. The next holder learns
// of it from Lock.
//
// The counterpart is nginx's ngx_shmtx_t.
type Mutex struct {
	word atomic.Uint32 // the holder's pid, and lockWaiters
	died atomic.Uint32 // 1: a holder was killed and nobody was told yet
}

const (
	// lockWaiters says somebody may sleep on the word; it lies above all
	// pids (the kernel's limit is 2^22).
	lockWaiters = 1 << 31

	// lockSpin is how often a waiter looks before it sleeps: a holder on
	// another processor is out of the lock within a microsecond.
	lockSpin = 200

	// lockCheck is how often a sleeping waiter looks after the holder.
	lockCheck = 100 * time.Millisecond
)

// ownPid never changes: Go processes do not fork.
var ownPid = uint32(os.Getpid())

// Lock waits until the lock is free and takes it. It reports whether a former
// holder was killed while it had the lock; this is told once.
func (m *Mutex) Lock() (holderDied bool) {
	if !m.word.CompareAndSwap(0, ownPid) {
		m.lockSlow()
	}
	return m.died.Load() != 0 && m.died.Swap(0) != 0
}

// TryLock takes the lock if it is free.
func (m *Mutex) TryLock() (ok, holderDied bool) {
	if !m.word.CompareAndSwap(0, ownPid) {
		return false, false
	}
	return true, m.died.Load() != 0 && m.died.Swap(0) != 0
}

// Unlock frees the lock, which this process holds.
func (m *Mutex) Unlock() {
	if m.word.Swap(0)&lockWaiters != 0 {
		m.wake()
	}
}

// ForceUnlock frees the lock if the process pid, which no longer runs, holds
// it, and reports whether it did.
func (m *Mutex) ForceUnlock(pid int) bool {
	for {
		word := m.word.Load()
		if word&^lockWaiters != uint32(pid) || pid <= 0 {
			return false
		}
		// Told before the lock is free, or the next holder could miss it.
		m.died.Store(1)
		if m.word.CompareAndSwap(word, 0) {
			if word&lockWaiters != 0 {
				m.wake()
			}
			return true
		}
	}
}

func (m *Mutex) lockSlow() {
	for range lockSpin {
		if m.word.Load() == 0 && m.word.CompareAndSwap(0, ownPid) {
			return
		}
	}
	for {
		word := m.word.Load()
		if word == 0 {
			// Others may sleep still: keep the bit, at the cost of one
			// needless wake-up by the last of them.
			if m.word.CompareAndSwap(0, ownPid|lockWaiters) {
				return
			}
			continue
		}
		if word&lockWaiters == 0 && !m.word.CompareAndSwap(word, word|lockWaiters) {
			continue
		}
		if m.wait(word|lockWaiters) && gone(word&^lockWaiters) {
			m.ForceUnlock(int(word &^ lockWaiters))
		}
	}
}

// wait sleeps until the word changes from what was seen, and reports whether
// it slept for as long as lockCheck.
func (m *Mutex) wait(seen uint32) (timedOut bool) {
	timeout := unix.NsecToTimespec(int64(lockCheck))
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&m.word)),
		futexWait, uintptr(seen), uintptr(unsafe.Pointer(&timeout)), 0, 0)
	return errno == unix.ETIMEDOUT
}

func (m *Mutex) wake() {
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&m.word)), futexWake, 1, 0, 0, 0)
}

// The futex is shared between processes: without FUTEX_PRIVATE_FLAG.
const (
	futexWait = 0
	futexWake = 1
)

// gone reports whether no process has the pid. A killed one that its parent
// has not reaped yet is still there; the parent forces the lock itself.
func gone(pid uint32) bool {
	return unix.Kill(int(pid), 0) == unix.ESRCH
}

// Lock takes the zone's lock.
//
// When a former holder was killed, the zone is as it left it. If it was in
// the midst of changing the structure (see [Zone.Begin]), nothing in the zone
// can be trusted: it is reset, that is emptied, and the function given to
// OnReset builds the initial contents again. Otherwise the zone is sound,
// values changed in place possibly excepted.
func (z *Zone) Lock() {
	if z.hdr.lock.Lock() {
		z.recover()
	}
}

// TryLock takes the zone's lock if it is free.
func (z *Zone) TryLock() bool {
	ok, holderDied := z.hdr.lock.TryLock()
	if holderDied {
		z.recover()
	}
	return ok
}

// Unlock frees the zone's lock. After a panic in the midst of a change it
// resets the zone first, as Lock does after a kill.
func (z *Zone) Unlock() {
	z.recover()
	z.hdr.lock.Unlock()
}

// ForceUnlock frees the lock if the process pid, which no longer runs, holds
// it. The master calls it for every zone when a worker is gone, and logs
// `shared memory zone "NAME" was locked by PID` where it returns true.
func (z *Zone) ForceUnlock(pid int) bool { return z.hdr.lock.ForceUnlock(pid) }

// Begin says that the zone's structure is being changed, until the matching
// End: a process killed in between makes the next holder reset the zone. The
// functions of this package say so themselves; a change made of several of
// them that may not be seen half done needs a pair around it. Pairs nest.
func (z *Zone) Begin() {
	atomic.StoreUint32(&z.hdr.mutating, z.hdr.mutating+1)
}

// End ends what Begin began. It is not to be deferred: after a panic Unlock has
// to see that the change was not ended.
func (z *Zone) End() {
	atomic.StoreUint32(&z.hdr.mutating, z.hdr.mutating-1)
}

// recover resets the zone if a change was begun and not ended.
func (z *Zone) recover() {
	if atomic.LoadUint32(&z.hdr.mutating) != 0 {
		z.reset()
	}
}

func (z *Zone) reset() {
	// Killed meanwhile, the next holder starts over.
	atomic.StoreUint32(&z.hdr.mutating, 1)
	z.format()
	z.hdr.generation++
	if z.onReset != nil {
		z.onReset()
	}
	atomic.StoreUint32(&z.hdr.mutating, 0)
}
