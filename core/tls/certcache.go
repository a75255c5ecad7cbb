package tls

import (
	"container/list"
	"crypto"
	"crypto/x509"
	"os"
	"strings"
	"time"
)

// CertificateCache keeps certificates and keys whose names have variables
// (ssl_certificate_cache). It belongs to one loop.
type CertificateCache struct {
	max             int
	valid, inactive time.Duration
	entries         map[string]*list.Element
	used            list.List // of *cacheEntry, the most recently used first
}

type cacheEntry struct {
	name              string
	created, accessed time.Time
	modified          time.Time
	inode             os.FileInfo
	chain             []*x509.Certificate
	key               crypto.Signer
}

// NewCertificateCache makes a cache for max objects. One that was not used for
// inactive goes; one older than valid is read again if its file has changed.
func NewCertificateCache(max int, valid, inactive time.Duration) *CertificateCache {
	return &CertificateCache{max: max, valid: valid, inactive: inactive, entries: make(map[string]*list.Element)}
}

// Chain loads a certificate through the cache, which may be nil. fresh has it
// read again.
func (cc *CertificateCache) Chain(read Reader, name string, now time.Time, fresh bool) ([]*x509.Certificate, error) {
	if e := cc.find("c"+name, now, fresh); e != nil {
		return e.chain, nil
	}
	chain, err := LoadCertificate(read, name)
	if err == nil {
		cc.add(&cacheEntry{name: "c" + name, chain: chain}, now)
	}
	return chain, err
}

// Key is Chain for a private key. Keys that were encrypted are not kept.
func (cc *CertificateCache) Key(read Reader, name string, passwords [][]byte, now time.Time, fresh bool) (crypto.Signer, error) {
	if e := cc.find("k"+name, now, fresh); e != nil {
		return e.key, nil
	}
	key, encrypted, err := LoadKey(read, name, passwords)
	if err == nil && !encrypted {
		cc.add(&cacheEntry{name: "k" + name, key: key}, now)
	}
	return key, err
}

// find returns an entry that is good still.
func (cc *CertificateCache) find(name string, now time.Time, fresh bool) *cacheEntry {
	if cc == nil {
		return nil
	}
	el := cc.entries[name]
	if el == nil {
		return nil
	}
	e := el.Value.(*cacheEntry)
	if !strings.HasPrefix(name[1:], dataPrefix) && (fresh || now.Sub(e.created) > cc.valid) {
		if fresh || !e.unchanged() {
			cc.remove(el)
			return nil
		}
		e.created = now
	}
	e.accessed = now
	cc.used.MoveToFront(el)
	return e
}

// unchanged reports whether the file is the one that was read.
func (e *cacheEntry) unchanged() bool {
	fi, err := os.Stat(e.name[1:])
	return err == nil && e.inode != nil && os.SameFile(fi, e.inode) && fi.ModTime().Equal(e.modified)
}

func (cc *CertificateCache) add(e *cacheEntry, now time.Time) {
	if cc == nil {
		return
	}
	if fi, err := os.Stat(e.name[1:]); err == nil {
		e.inode, e.modified = fi, fi.ModTime()
	}
	e.created, e.accessed = now, now
	for i := 0; cc.used.Len() > 0 && i < 2; i++ {
		if oldest := cc.used.Back(); now.Sub(oldest.Value.(*cacheEntry).accessed) > cc.inactive {
			cc.remove(oldest)
		}
	}
	if cc.used.Len() >= cc.max {
		cc.remove(cc.used.Back())
	}
	cc.entries[e.name] = cc.used.PushFront(e)
}

func (cc *CertificateCache) remove(el *list.Element) {
	delete(cc.entries, el.Value.(*cacheEntry).name)
	cc.used.Remove(el)
}
