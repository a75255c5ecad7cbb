package mp4

// crop reduces the tables of the track to the part: first the times tell which
// samples belong to it, then these which chunks.
func (t *trak) crop(m *movie) error {
	for _, f := range [...]func(*movie) error{t.cropTimes, t.cropSync, t.cropComposition, t.cropChunks, t.cropSizes, t.cropOffsets} {
		if err := f(m); err != nil {
			return err
		}
	}
	return nil
}

// cropTimes is for stts, the durations of runs of samples.
func (t *trak) cropTimes(m *movie) error {
	if t.stts == nil {
		return m.fault(`no mp4 stts atoms were found in "%s"`)
	}
	i, sample, rest, found := t.seekTime(units(m.start, t.timescale))
	if !found {
		return m.fault(`start time is out mp4 stts samples in "%s"`)
	}
	key, err := t.keyPrefix(m, sample)
	if err != nil {
		return err
	}
	t.startSample = sample - key
	for rest < key && i > 0 {
		t.prefix += rest * uint64(t.stts.at(i, 1))
		key -= rest
		i--
		rest = uint64(t.stts.at(i, 0))
	}
	key = min(key, rest)
	t.prefix += key * uint64(t.stts.at(i, 1))
	t.duration += t.prefix
	t.stts.set(i, 0, t.stts.at(i, 0)-uint32(rest-key))
	t.stts.from(i)

	if m.length == 0 {
		return nil
	}
	i, sample, rest, found = t.seekTime(units(m.length, t.timescale) + t.prefix)
	t.endSample = t.startSample + sample
	if found {
		t.stts.set(i, 0, uint32(rest))
		t.stts.to(i + 1)
	}
	return nil
}

// seekTime finds the sample at a time: the number of samples before it, and its
// place rest in the ith run. Without one, sample is the number of all.
func (t *trak) seekTime(time uint64) (i int, sample, rest uint64, found bool) {
	for ; i < t.stts.len(); i++ {
		count, duration := uint64(t.stts.at(i, 0)), uint64(t.stts.at(i, 1))
		if time < count*duration {
			rest = time / duration
			return i, sample + rest, rest, true
		}
		sample += count
		time -= count * duration
	}
	return i, sample, 0, false
}

// keyPrefix is how many samples the last key frame is before a sample.
func (t *trak) keyPrefix(m *movie, sample uint64) (prefix uint64, err error) {
	if !m.keyFrame || t.stss == nil {
		return 0, nil
	}
	sample++ // in stss the first sample is 1
	for i := range t.stss.len() {
		sync := uint64(t.stss.at(i, 0))
		if sync == 0 {
			return 0, m.fault(`zero sync sample in "%s"`)
		}
		if sync > sample {
			break
		}
		prefix = sample - sync
	}
	return prefix, nil
}

// cropSync is for stss, the numbers of the samples that are key frames.
func (t *trak) cropSync(m *movie) error {
	if t.stss == nil {
		return nil
	}
	t.stss.from(t.seekSync(t.startSample + 1))
	if m.length != 0 {
		t.stss.to(t.seekSync(t.endSample + 1))
	}
	for i := range t.stss.len() {
		t.stss.set(i, 0, t.stss.at(i, 0)-uint32(t.startSample))
	}
	return nil
}

// seekSync finds the first entry from a sample on.
func (t *trak) seekSync(sample uint64) int {
	i := 0
	for i < t.stss.len() && uint64(t.stss.at(i, 0)) < sample {
		i++
	}
	return i
}

// cropComposition is for ctts, the offsets of runs of samples.
func (t *trak) cropComposition(m *movie) error {
	if t.ctts == nil {
		return nil
	}
	if i, rest, ok := t.seekComposition(t.startSample); ok {
		t.ctts.set(i, 0, t.ctts.at(i, 0)-uint32(rest))
		t.ctts.from(i)
	} else {
		t.ctts.from(t.ctts.len())
	}
	if m.length == 0 {
		return nil
	}
	if i, rest, ok := t.seekComposition(t.endSample - t.startSample); ok {
		t.ctts.set(i, 0, uint32(rest))
		t.ctts.to(i + 1)
	}
	return nil
}

// seekComposition finds a sample: its place in the ith run.
func (t *trak) seekComposition(sample uint64) (i int, rest uint64, ok bool) {
	for i = range t.ctts.len() {
		count := uint64(t.ctts.at(i, 0))
		if sample < count {
			return i, sample, true
		}
		sample -= count
	}
	return 0, 0, false
}

// cropSizes is for stsz, the sizes of the samples. Those of the samples that
// the first chunk begins with and the last chunk ends with are added up.
func (t *trak) cropSizes(m *movie) error {
	if t.stsz == nil || t.uniformSize != 0 {
		return nil
	}
	n := uint64(t.stsz.len())
	if t.startSample >= n {
		return m.fault(`start time is out mp4 stsz samples in "%s"`)
	}
	t.startChunkSize = t.sum(t.startSample, t.startChunkSamples)
	if t.startChunkSize > uint64(m.size) {
		return m.fault(`too large mp4 start samples size in "%s"`)
	}
	if m.length == 0 {
		t.stsz.from(int(t.startSample))
		return nil
	}
	if t.endSample-t.startSample > n-t.startSample {
		return m.fault(`end time is out mp4 stsz samples in "%s"`)
	}
	t.endChunkSize = t.sum(t.endSample, t.endChunkSamples)
	if t.endChunkSize > uint64(m.size) {
		return m.fault(`too large mp4 end samples size in "%s"`)
	}
	t.stsz.to(int(t.endSample))
	t.stsz.from(int(t.startSample))
	return nil
}

// sum adds up the sizes of n samples before one.
func (t *trak) sum(sample, n uint64) (size uint64) {
	for i := sample - min(n, sample); i < sample; i++ {
		size += uint64(t.stsz.at(int(i), 0))
	}
	return size
}

// cropOffsets is for stco and co64, the places of the chunks in the file.
func (t *trak) cropOffsets(m *movie) error {
	name := "stco"
	if t.co64 {
		name = "co64"
	}
	switch {
	case t.stco == nil:
		return m.fault(`no mp4 stco atoms were found in "%s"`)
	case t.startChunk >= t.chunks:
		return m.fault(`start time is out mp4 ` + name + ` chunks in "%s"`)
	case m.length != 0 && t.endChunk > t.chunks:
		return m.fault(`end time is out mp4 ` + name + ` chunks in "%s"`)
	}
	var err error
	if t.startOffset, err = t.chunkOffset(m, t.startChunk, t.startChunkSize); err != nil {
		return err
	}
	if t.co64 {
		be.PutUint64(t.stco.data[8*t.startChunk:], uint64(t.startOffset))
	} else {
		t.stco.set(int(t.startChunk), 0, uint32(t.startOffset))
	}
	t.endOffset = m.mdatEnd
	end := t.chunks
	if m.length != 0 {
		end = max(t.endChunk, t.startChunk)
		if end > t.startChunk {
			if t.endOffset, err = t.chunkOffset(m, end-1, t.endChunkSize); err != nil {
				return err
			}
		}
	}
	t.stco.to(int(end))
	t.stco.from(int(t.startChunk))
	if end == t.startChunk {
		t.startOffset, t.endOffset = m.size, 0
	}
	return nil
}
