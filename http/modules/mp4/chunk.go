package mp4

// chunkTable is stsc: from which chunk on chunks have how many samples. A part
// may begin and end within a chunk, which then has an entry of its own.
type chunkTable struct {
	header     []byte
	entries    []chunkEntry
	start, end *chunkEntry
}

type chunkEntry struct{ chunk, samples, id uint32 }

func newChunkTable(raw *table) *chunkTable {
	c := &chunkTable{header: raw.header, entries: make([]chunkEntry, raw.len())}
	for i := range c.entries {
		c.entries[i] = chunkEntry{raw.at(i, 0), raw.at(i, 1), raw.at(i, 2)}
	}
	return c
}

// append appends the atom.
func (c *chunkTable) append(b []byte) []byte {
	all := make([]chunkEntry, 0, len(c.entries)+2)
	if c.start != nil {
		all = append(all, *c.start)
	}
	all = append(all, c.entries...)
	if c.end != nil {
		all = append(all, *c.end)
	}
	return container(b, "stsc", func(b []byte) []byte {
		b = be.AppendUint32(append(b, c.header...), uint32(len(all)))
		for _, e := range all {
			b = be.AppendUint32(be.AppendUint32(be.AppendUint32(b, e.chunk), e.samples), e.id)
		}
		return b
	})
}

// chunkPlace is where a sample is: in the entry i, so many samples behind its
// first.
type chunkPlace struct {
	i      int
	sample uint64
	// next is the chunk that the entry does not cover any more, before how many
	// samples the chunks before it have.
	next, before uint64
}

// seek finds the chunk of a sample; which is "start" or "end", for messages.
func (c *chunkTable) seek(m *movie, t *trak, sample uint64, which string) (p chunkPlace, err error) {
	p.sample = sample
	if c.start != nil {
		p.before = uint64(c.start.samples)
	}
	for p.i = 0; ; p.i++ {
		e := c.entries[p.i]
		last := p.i == len(c.entries)-1
		p.next = t.chunks + 1
		if !last {
			p.next = uint64(c.entries[p.i+1].chunk)
		}
		if p.next < uint64(e.chunk) {
			return p, m.fault(`unordered mp4 stsc chunks in "%s"`)
		}
		n := (p.next - uint64(e.chunk)) * uint64(e.samples)
		switch {
		case p.sample < n:
		case last && p.sample > n:
			return p, m.fault(which + ` time is out mp4 stsc chunks in "%s"`)
		case !last:
			p.sample -= n
			if p.next > uint64(e.chunk) {
				p.before = uint64(e.samples)
			}
			continue
		}
		switch {
		case e.samples == 0:
			return p, m.fault(`zero number of samples in "%s"`)
		case e.chunk == 0:
			return p, m.fault(`zero chunk in "%s"`)
		}
		return p, nil
	}
}

// cropChunks is for stsc.
func (t *trak) cropChunks(m *movie) error {
	c := t.stsc
	switch {
	case c == nil:
		return m.fault(`no mp4 stsc atoms were found in "%s"`)
	case len(c.entries) == 0:
		return m.fault(`zero number of entries in stsc atom in "%s"`)
	}
	if err := t.cropFirstChunk(m, c); err != nil {
		return err
	}
	if m.length != 0 {
		if err := t.cropLastChunk(m, c); err != nil {
			return err
		}
	}
	for i := range c.entries {
		c.entries[i].chunk -= uint32(t.startChunk)
	}
	return nil
}

func (t *trak) cropFirstChunk(m *movie, c *chunkTable) error {
	p, err := c.seek(m, t, t.startSample, "start")
	if err != nil {
		return err
	}
	c.entries = c.entries[p.i:]
	e := &c.entries[0]
	t.startChunk = uint64(e.chunk) - 1 + p.sample/uint64(e.samples)
	t.startChunkSamples = p.sample % uint64(e.samples)
	e.chunk = uint32(t.startChunk + 1)
	if t.startChunkSamples == 0 {
		return nil
	}
	left := e.samples - uint32(t.startChunkSamples)
	if p.next-t.startChunk == 2 { // the entry has this chunk only
		e.samples = left
		return nil
	}
	c.start = &chunkEntry{1, left, e.id}
	e.chunk++
	return nil
}

func (t *trak) cropLastChunk(m *movie, c *chunkTable) error {
	sample := t.endSample - t.startSample
	if c.start != nil {
		c.start.samples = uint32(min(uint64(c.start.samples), sample))
		sample -= uint64(c.start.samples)
	}
	p, err := c.seek(m, t, sample, "end")
	if err != nil {
		return err
	}
	e := c.entries[p.i]
	target := uint64(e.chunk) - 1 + p.sample/uint64(e.samples)
	rest := p.sample % uint64(e.samples)
	if p.sample == 0 {
		c.entries, t.endChunkSamples = c.entries[:p.i], p.before
	} else {
		c.entries, t.endChunkSamples = c.entries[:p.i+1], uint64(e.samples)
	}
	t.endChunk = target
	if rest == 0 {
		return nil
	}
	t.endChunk, t.endChunkSamples = target+1, rest
	if uint64(e.chunk)+1-target == 2 { // the entry begins with this chunk
		c.entries[p.i].samples = uint32(rest)
		return nil
	}
	c.end = &chunkEntry{uint32(t.endChunk - t.startChunk), uint32(rest), e.id}
	return nil
}
