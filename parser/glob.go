package parser

import (
	"os"
	"slices"
	"strings"
)

// glob is glob(3) without flags in the C locale, which is what ngx_open_glob calls. It differs from path/filepath: a
// leading period must be matched by a period, "[!a]" negates, "[[:alpha:]]" is a class, a "[" without "]" is an
// ordinary byte, and the result is sorted as a whole. Directories that cannot be read match nothing.
func glob(pattern string) []string {
	prefixes := []string{""}
	for rest := pattern; rest != ""; {
		var part, slashes string
		part, rest = untilSlash(rest)
		if n := len(rest) - len(strings.TrimLeft(rest, "/")); n > 0 {
			slashes, rest = rest[:n], rest[n:]
		}
		var next []string
		for _, prefix := range prefixes {
			for _, name := range expandPart(prefix, part) {
				if path := prefix + name + slashes; slashes == "" || isDir(path) {
					next = append(next, path)
				}
			}
		}
		prefixes = next
	}
	slices.Sort(prefixes)
	return prefixes
}

func untilSlash(s string) (part, rest string) {
	if i := strings.IndexByte(s, '/'); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// expandPart returns the names in the directory prefix that match one component of a pattern.
func expandPart(prefix, part string) []string {
	if !strings.ContainsAny(part, `*?[\`) {
		if _, err := os.Lstat(prefix + part); part != "" && err != nil {
			return nil
		}
		return []string{part}
	}
	dir := prefix
	if dir == "" {
		dir = "."
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1) // what could be read counts
	names = append(names, ".", "..")
	return slices.DeleteFunc(names, func(name string) bool {
		return name[0] == '.' && !strings.HasPrefix(strings.TrimPrefix(part, `\`), ".") || !match(part, name)
	})
}
