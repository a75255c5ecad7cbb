package http

import "time"

// NewOpenFileCache makes a cache for up to limit files, which are dropped when
// nobody asked for them for the time inactive.
func NewOpenFileCache(limit int, inactive time.Duration) *OpenFileCache {
	return newOpenFileCache(limit, int64(inactive/second))
}

// LogFileCache says how long the descriptors of logs whose names hold variables
// are kept: open_log_file_cache. Cache is nil when they are not.
type LogFileCache struct {
	Cache   *OpenFileCache
	Valid   time.Duration
	MinUses int64
}

// OpenCacheFile opens a file of a cache of responses for the rest of the
// request, or from open_file_cache unless the file there is not the one with
// the inode uniq; 0 is any.
func (r *Request) OpenCacheFile(path string, uniq uint64) (FileInfo, *FileError) {
	l := r.Core
	return r.openQuery(l.OpenFileCache.V, &fileQuery{
		path: path, log: r.Log, directIO: DirectIOOff, readAhead: l.ReadAhead.V, want: uniq,
		valid: int64(l.OpenFileCacheValid.V / second), minUses: l.OpenFileCacheMinUses.V,
	})
}

// OpenLog opens a file to append to, which it creates if need be, for the rest
// of the request: ngx_open_cached_file with of.log.
func (r *Request) OpenLog(path string, o LogFileCache) (FileInfo, *FileError) {
	return r.openQuery(o.Cache, &fileQuery{
		path: path, log: r.Log, append: true, directIO: DirectIOOff, links: r.Core.DisableSymlinks.V.check(r, path),
		valid: int64(o.Valid / second), minUses: o.MinUses,
	})
}
