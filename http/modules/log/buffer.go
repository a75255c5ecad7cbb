package log

import (
	"bytes"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/event"
	corelog "moongate/core/log"
	"moongate/core/process"
	"moongate/http"
)

const (
	// defaultGzipBuffer is the size of the buffer in bytes when only gzip is
	// asked for, bestSpeed the level when none is.
	defaultGzipBuffer = 64 << 10
	bestSpeed         = 1
)

// bufferParams are the parameters of access_log that all logs to one file
// have to agree about.
type bufferParams struct {
	size  int64 // bytes, 0 for no buffer
	flush time.Duration
	gzip  int // level, 0 for plain text
}

// buffer collects lines for a file: ngx_http_log_buf_t.
type buffer struct {
	bufferParams
	file  *corelog.File
	cycle *process.Cycle
	data  []byte
	loop  *event.Loop
	timer *event.Timer
	zip   *gzip.Writer
	out   bytes.Buffer
}

// setBuffer gives the file of the log a buffer if one is asked for.
func (a *accessLog) setBuffer(cf *conf.Conf, p *bufferParams) error {
	switch {
	case p.size == 0 && p.flush != 0:
		return cf.Errorf(`no buffer is defined for access_log "%s"`, cf.Args[0])
	case p.size == 0:
		if a.file != nil {
			a.buffer = mainSlot.Of(cf.Scope).buffers[a.file]
		}
		return nil
	case a.path != nil:
		return cf.Errorf("buffered logs cannot have variables in name")
	case a.syslog != nil:
		return cf.Errorf("logs to syslog cannot be buffered")
	}
	buffers := mainSlot.Of(cf.Scope).buffers
	if b := buffers[a.file]; b != nil {
		if b.bufferParams != *p {
			return cf.Errorf(`access_log "%s" already defined with conflicting parameters`, cf.Args[0])
		}
		a.buffer = b
		return nil
	}
	b := &buffer{bufferParams: *p, file: a.file, cycle: process.Of(cf.Cycle)}
	a.file.Flush = func(*corelog.File) { b.flushAll() }
	buffers[a.file], a.buffer = b, b
	return nil
}

// add appends a line, writing out first what leaves no room for it. A line that
// is longer than the buffer is written by itself.
func (b *buffer) add(a *accessLog, r *http.Request, line []byte) {
	if len(b.data)+len(line) > int(b.size) {
		if len(b.data) > 0 {
			b.writeFor(a, r, b.data)
			b.data = b.data[:0]
		}
		b.stopTimer()
	}
	if len(line) > int(b.size) {
		b.writeFor(a, r, line)
		return
	}
	if b.data == nil {
		b.data = make([]byte, 0, b.size)
	}
	if len(b.data) == 0 && b.flush != 0 {
		b.startTimer(r.Loop())
	}
	b.data = append(b.data, line...)
}

func (b *buffer) startTimer(l *event.Loop) {
	if b.timer == nil {
		b.loop, b.timer = l, event.NewTimer(b.flushAll)
	}
	l.SetTimer(b.timer, b.flush)
}

func (b *buffer) stopTimer() {
	if b.timer != nil {
		b.loop.DelTimer(b.timer)
	}
}

// writeFor writes out data when a request comes for which there is no room.
func (b *buffer) writeFor(a *accessLog, r *http.Request, data []byte) {
	n, size, err := b.write(data)
	a.written(r, b.file.Name, n, size, err)
}

// flushAll writes out everything: ngx_http_log_flush.
func (b *buffer) flushAll() {
	if len(b.data) == 0 {
		return
	}
	n, size, err := b.write(b.data)
	switch {
	case err != nil:
		b.cycle.Log().Log(corelog.Alert, err, `write() to "%s" failed`, b.file.Name)
	case n != size:
		b.cycle.Log().Log(corelog.Alert, nil, `write() to "%s" was incomplete: %d of %d`, b.file.Name, n, size)
	}
	b.data = b.data[:0]
	b.stopTimer()
}

// write writes data to the file, compressed as a gzip member of its own if so
// configured; size is how many bytes there were to write.
func (b *buffer) write(data []byte) (n, size int, err error) {
	if b.gzip != 0 {
		if data, err = b.compress(data); err != nil {
			return 0, 0, err
		}
	}
	n, err = unix.Write(b.file.FD(), data)
	return n, len(data), err
}

func (b *buffer) compress(data []byte) ([]byte, error) {
	b.out.Reset()
	if b.zip == nil {
		var err error
		if b.zip, err = gzip.NewWriterLevel(&b.out, b.gzip); err != nil {
			return nil, err
		}
	} else {
		b.zip.Reset(&b.out)
	}
	b.zip.ModTime = time.Unix(0, 0)
	if _, err := b.zip.Write(data); err != nil {
		return nil, err
	}
	err := b.zip.Close()
	return b.out.Bytes(), err
}
