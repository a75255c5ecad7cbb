package process

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/log"
)

// maxPathLevels is how many levels of folders a path may have
// (NGX_MAX_PATH_LEVEL).
const maxPathLevels = 3

// Path is a folder that the server writes files of its own into, hashed into
// levels of subfolders: temporary files and caches (ngx_path_t).
type Path struct {
	// Name is the full path without a slash at its end.
	Name string
	// Levels are the lengths of the names of the subfolders, 0 where there
	// are no more.
	Levels [maxPathLevels]int

	// Owner tells the caches apart; nil for temporary files.
	Owner any
	// Manager, if set, is run by the cache manager process and says when it
	// wants to be run again; Loader is run once by the cache loader process
	// after a start or reload.
	Manager func(w *Worker) time.Duration
	Loader  func(w *Worker)

	file string // where it was declared
	line int
}

// AddPath registers a folder, which the master creates and gives to the
// workers' user. Declared twice it is the same path and must have the same
// levels and, for caches, the same owner (ngx_add_path). A default that no
// directive gives is added with cf.Directive nil.
func (c *Cycle) AddPath(cf *conf.Conf, p *Path) (*Path, error) {
	p.Name = strings.TrimSuffix(cf.Cycle.Path(p.Name), "/")
	if cf.Directive != nil {
		p.file, p.line = cf.Place()
	}
	for _, q := range c.paths {
		if q.Name == p.Name {
			return q, q.same(cf, p)
		}
	}
	c.paths = append(c.paths, p)
	return p, nil
}

// same complains when p is declared unlike q, which was declared before.
func (q *Path) same(cf *conf.Conf, p *Path) error {
	switch {
	case q.Owner != p.Owner:
		return cf.Errorf(`the same path name "%s" used in %s:%d and`, q.Name, q.file, q.line)
	case q.Levels == p.Levels:
		return nil
	case p.file == "" && q.file == "":
		return &conf.Error{Msg: `the default path name "` + q.Name + `" has the same name as another default path, ` +
			`but the different levels, you need to redefine one of them in http section`}
	case p.file == "":
		return &conf.Error{Msg: fmt.Sprintf(`the path name "%s" in %s:%d has the same name as default path, `+
			`but the different levels, you need to define default path in http section`, q.Name, q.file, q.line)}
	}
	return cf.Errorf(`the same path name "%s" in %s:%d has the different levels than`, q.Name, q.file, q.line)
}

// ParsePath reads "path [level1 [level2 [level3]]]" as the *_temp_path
// directives have it (ngx_conf_set_path_slot).
func ParsePath(cf *conf.Conf) (*Path, error) {
	p := &Path{Name: cf.Args[0]}
	left := int64(tempDigits)
	for i, arg := range cf.Args[1:] {
		n, ok := conf.ParseInt(arg)
		if left -= n; !ok || n == 0 || left < 0 || i == maxPathLevels {
			return nil, conf.ErrInvalidValue
		}
		p.Levels[i] = int(n)
	}
	return p, nil
}

// createPaths makes the folders, for the workers to write to
// (ngx_create_paths).
func (c *Cycle) createPaths() error {
	for _, p := range c.paths {
		if err := unix.Mkdir(p.Name, 0o700); err != nil && err != unix.EEXIST {
			c.parseLog.Log(log.Emerg, err, `mkdir() "%s" failed`, p.Name)
			return errReported
		}
		if !c.Core.User.Set {
			continue
		}
		if err := c.givePath(p.Name); err != nil {
			return err
		}
	}
	return nil
}

// givePath makes the workers' user the owner of a folder, able to use it.
func (c *Cycle) givePath(name string) error {
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		c.parseLog.Log(log.Emerg, err, `stat() "%s" failed`, name)
		return errReported
	}
	uid := c.Core.User.V.UID
	if st.Uid != uint32(uid) {
		if err := unix.Chown(name, uid, -1); err != nil {
			c.parseLog.Log(log.Emerg, err, `chown("%s", %d) failed`, name, uid)
			return errReported
		}
	}
	const all = unix.S_IRUSR | unix.S_IWUSR | unix.S_IXUSR
	if st.Mode&all != all {
		if err := unix.Chmod(name, (st.Mode|all)&^unix.S_IFMT); err != nil {
			c.parseLog.Log(log.Emerg, err, `chmod() "%s" failed`, name)
			return errReported
		}
	}
	return nil
}

// File is the name of a file in the path whose own name is a decimal or
// hexadecimal number: its last digits name the subfolders
// (ngx_create_hashed_filename).
func (p *Path) File(name string) string {
	var b strings.Builder
	b.WriteString(p.Name)
	end := len(name)
	for _, n := range p.Levels {
		if n == 0 || end < n {
			break
		}
		b.WriteByte('/')
		b.WriteString(name[end-n : end])
		end -= n
	}
	b.WriteByte('/')
	b.WriteString(name)
	return b.String()
}

// tempDigits is how many digits the name of a temporary file has, of which its
// subfolders are named.
const tempDigits = 10

// TempName is the base name of the next temporary file.
func TempName(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	return strings.Repeat("0", max(tempDigits-len(digits), 0)) + digits
}
