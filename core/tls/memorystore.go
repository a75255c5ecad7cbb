package tls

import "container/list"

// memoryStore keeps the sessions of one process (ssl_session_cache builtin).
type memoryStore struct {
	max     int
	entries map[string]*list.Element
	used    list.List // of *storedSession, the newest first
}

type storedSession struct {
	id      string
	session []byte
	expires int64
}

// NewMemoryStore makes a store of max sessions; 0 is without limit, as in
// OpenSSL.
func NewMemoryStore(max int) SessionStore {
	return &memoryStore{max: max, entries: make(map[string]*list.Element)}
}

// Put implements SessionStore.
func (m *memoryStore) Put(id [32]byte, session []byte, now, expires int64) {
	for el := m.used.Back(); el != nil; el = m.used.Back() {
		if s := el.Value.(*storedSession); s.expires > now && (m.max <= 0 || m.used.Len() < m.max) {
			break
		}
		m.remove(el)
	}
	s := &storedSession{string(id[:]), session, expires}
	m.entries[s.id] = m.used.PushFront(s)
}

// Get implements SessionStore.
func (m *memoryStore) Get(id []byte, now int64) []byte {
	el := m.entries[string(id)]
	if el == nil {
		return nil
	}
	s := el.Value.(*storedSession)
	if s.expires <= now {
		m.remove(el)
		return nil
	}
	return s.session
}

// Delete implements SessionStore.
func (m *memoryStore) Delete(id []byte) {
	if el := m.entries[string(id)]; el != nil {
		m.remove(el)
	}
}

func (m *memoryStore) remove(el *list.Element) {
	delete(m.entries, el.Value.(*storedSession).id)
	m.used.Remove(el)
}
