package http

// Groups returns the number of groups of the expression.
func (x *Regex) Groups() int { return x.groups() }

// Find matches s and puts the offsets of the match and of its groups into
// pairs, -1 for a group that took no part; the request's captures stay as they
// are. The error is as with Match.
func (x *Regex) Find(s string, pairs []int) (bool, error) {
	return x.result(x.re.MatchString(s, 0, pairs), s)
}
