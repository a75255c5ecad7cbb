package authbasic

// maxHash bounds what is read of a user's hash.
const maxHash = 2048

// scanner looks for the line of a user in a password file, a piece after the
// other.
type scanner struct {
	user  string
	buf   [2048]byte // the next piece
	state scanState
	login int    // bytes of user that were there
	hash  []byte // what came behind "user:"
}

type scanState uint8

const (
	inLogin scanState = iota // comparing the beginning of a line with user
	inHash                   // behind it
	inRest                   // of a line that is of no interest
	atEnd                    // behind the hash
)

// scan looks at the first n bytes of buf; true when the hash is complete.
func (s *scanner) scan(n int) bool {
	for _, c := range s.buf[:n] {
		switch s.state {
		case inLogin:
			s.inLogin(c)
		case inHash:
			if c == '\n' || c == '\r' || c == ':' || len(s.hash) == maxHash {
				s.state = atEnd
				return true
			}
			s.hash = append(s.hash, c)
		case inRest:
			if c == '\n' {
				s.state, s.login = inLogin, 0
			}
		}
	}
	return false
}

func (s *scanner) inLogin(c byte) {
	switch {
	case c == '\n':
		s.login = 0
	case s.login == 0 && (c == '#' || c == '\r'):
		s.state = inRest
	case s.login == len(s.user) && c == ':':
		s.state = inHash
	case s.login < len(s.user) && c == s.user[s.login]:
		s.login++
	default:
		s.state = inRest
	}
}

// result returns the hash and whether the user was there.
func (s *scanner) result() (hash string, found bool) {
	return string(s.hash), s.state == inHash || s.state == atEnd
}
