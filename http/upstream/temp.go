package upstream

import (
	"golang.org/x/sys/unix"

	"moongate/core/log"
	"moongate/http"
)

// spill moves bytes from memory into the temporary file, to make room; false
// if that is not possible.
func (p *pipe) spill() bool {
	c := p.e.Conf
	from := p.unsent()
	size := int64(0)
	n := from
	for n < len(p.queue) {
		s := &p.queue[n]
		if s.buf == nil {
			n++
			continue
		}
		more := size + int64(len(s.b))
		// The segments of one buffer go together, else it does not get free.
		if (more > c.TempWriteSize.V || p.tempSize+more > c.MaxTempSize.V) && (n == 0 || p.queue[n-1].buf != s.buf) {
			break
		}
		size = more
		n++
	}
	if size == 0 {
		return false
	}
	return p.toFile(from, n)
}

// save writes all that is in memory to the file that is going to be kept.
func (p *pipe) save() bool { return p.toFile(p.unsent(), len(p.queue)) }

// unsent is the first segment that is not being sent.
func (p *pipe) unsent() int {
	if p.writing {
		return min(len(p.e.out), len(p.queue))
	}
	return 0
}

// toFile writes the segments from … n-1 that are in memory to the file. A
// failure ends the exchange.
func (p *pipe) toFile(from, n int) bool {
	if p.temp == nil && !p.openTemp() {
		p.abort = true
		return false
	}
	kept := p.queue[:from]
	for i := from; i < n; i++ {
		s := p.queue[i]
		if s.buf != nil {
			off := p.tempSize
			if !p.writeTemp(s.b) {
				p.abort = true
				return false
			}
			p.held -= int64(len(s.b))
			if s.buf.use--; s.buf.use == 0 {
				p.recycle(s.buf)
			}
			s = segment{off: off, end: p.tempSize}
		}
		if last := len(kept) - 1; last >= from && kept[last].buf == nil && kept[last].end == s.off {
			kept[last].end = s.end
			continue
		}
		kept = append(kept, s)
	}
	rest := copy(p.queue[len(kept):], p.queue[n:])
	end := len(kept) + rest
	clear(p.queue[end:])
	p.queue = p.queue[:end]
	return true
}

// openTemp makes the temporary file.
func (p *pipe) openTemp() bool {
	e, keep := p.e, http.TempAnonymous
	if p.store {
		keep = http.TempClean
	}
	f, err := p.createTemp(keep)
	if err != nil {
		e.R.Logf(log.Crit, err, "%s", err)
		return false
	}
	p.temp = f
	if !p.store {
		e.R.Conn.Action = "reading upstream"
		e.R.Logf(log.Warn, nil, "an upstream response is buffered to a temporary file %s", f.Name)
	}
	return !e.Cacheable || p.writeTemp(e.buf[:e.entry.BodyStart])
}

func (p *pipe) createTemp(keep http.TempKeep) (*http.TempFile, error) {
	if e := p.e; e.Cacheable {
		return e.entry.Temp(e.Conf.TempPath.V)
	}
	return p.e.Conf.TempPath.V.Create(keep)
}

func (p *pipe) writeTemp(b []byte) bool {
	for len(b) > 0 {
		n, err := unix.Pwrite(p.temp.FD, b, p.tempSize)
		if err != nil {
			p.e.R.Logf(log.Crit, err, `pwrite() "%s" failed`, p.temp.Name)
			return false
		}
		b = b[n:]
		p.tempSize += int64(n)
	}
	return true
}
