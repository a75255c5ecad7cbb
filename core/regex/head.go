package regex

import "strings"

// headOf returns what every subject begins with that a pattern matches from its
// start: the plain text behind its "^", empty where that is not certain. In a
// chain of rules most patterns fail on it, and comparing it costs a tenth of a
// match.
func headOf(pattern string, options Options) string {
	const harmless = Caseless | DotAll | Ungreedy | DollarEndOnly | DupNames | Anchored
	rest, ok := strings.CutPrefix(pattern, "^")
	if !ok || options&^harmless != 0 || hasAlternative(rest) {
		return ""
	}
	var head []byte
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		switch {
		case strings.IndexByte("*+?{", c) >= 0: // the last one may be absent
			return string(head[:max(len(head)-1, 0)])
		case c == '\\' && i+1 < len(rest) && isPunctuation(rest[i+1]):
			i++
			c = rest[i]
		case strings.IndexByte(`\.[]()|^$`, c) >= 0:
			return string(head)
		}
		head = append(head, c)
	}
	return string(head)
}

func isPunctuation(c byte) bool {
	return c > ' ' && c < 0x7f && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9')
}

// hasAlternative reports whether a pattern may have alternatives outside of
// groups. It does not look into what it does not know.
func hasAlternative(p string) bool {
	if strings.IndexByte(p, '|') < 0 {
		return false
	}
	depth := 0
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '|':
			if depth == 0 {
				return true
			}
		case '(':
			if strings.HasPrefix(p[i:], "(*") ||
				strings.HasPrefix(p[i:], "(?") && !strings.HasPrefix(p[i:], "(?:") && !strings.HasPrefix(p[i:], "(?<") {
				return true
			}
			depth++
		case ')':
			depth--
		case '[':
			return true
		case '\\':
			if i++; i < len(p) && !isPunctuation(p[i]) && strings.IndexByte("dDwWsSbB", p[i]) < 0 {
				return true
			}
		}
	}
	return false
}

// begins reports whether a subject has the head of the pattern.
func (re *Regex) begins(subject string) bool {
	if len(subject) < len(re.head) {
		return false
	}
	if !re.fold {
		return subject[:len(re.head)] == re.head
	}
	for i := range len(re.head) {
		a, b := subject[i], re.head[i]
		if a == b {
			continue
		}
		if lower := a | 0x20; lower != b|0x20 || lower < 'a' || lower > 'z' {
			return false
		}
	}
	return true
}
