package upstream

import (
	"errors"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
)

// StorePath says whether responses are kept as files, and where: a path with
// variables, or that of root or alias.
type StorePath struct {
	on   bool
	path *http.Complex
}

// parseStore reads "PREFIX_store on | off | path".
func (c *Conf) parseStore(cf *conf.Conf, prefix string) (StorePath, error) {
	arg := cf.Args[0]
	if arg == "off" {
		return StorePath{}, nil
	}
	if c.Cache.On() {
		return StorePath{}, errors.New(`is incompatible with "` + prefix + `_cache"`)
	}
	c.kept = keptStored
	switch arg {
	case "on":
		return StorePath{on: true}, nil
	case "":
		return StorePath{}, cf.Errorf("empty path")
	default:
		path, err := http.CompileArg(cf, arg)
		return StorePath{true, path}, err
	}
}

// keep moves the file with a complete response to its place: nginx's
// ngx_http_upstream_store.
func (p *pipe) keep() {
	e := p.e
	if e.Cacheable && !p.filed {
		p.filed = true
		p.keepFile()
	}
	if !e.Conf.Store.V.on || e.In.Status != int(http.StatusOK) ||
		e.In.ContentLength != -1 && e.In.ContentLength != p.tempSize {
		return
	}
	if p.temp == nil && !p.openTemp() {
		return
	}
	path := ""
	if s := e.Conf.Store.V.path; s != nil {
		path = s.Eval(e.R)
	} else {
		path, _ = e.R.MapPath()
	}
	if path == "" {
		return
	}
	if e.In.LastModified >= 0 {
		t := unix.NsecToTimeval(e.In.LastModified * int64(second))
		if err := unix.Futimes(p.temp.FD, []unix.Timeval{t, t}); err != nil {
			e.R.Logf(log.Crit, err, `futimes() "%s" failed`, p.temp.Name)
		}
	}
	access := e.Conf.StoreAccess.V
	if err := unix.Fchmod(p.temp.FD, access); err != nil {
		e.R.Logf(log.Crit, err, `chmod() "%s" failed`, p.temp.Name)
		return
	}
	p.temp.Move(e.R, e.Conf.TempPath.V, path, folderAccess(access))
}

// folderAccess lets those into a folder who may read the files in it.
func folderAccess(access uint32) uint32 { return access | access&0o444>>2 }
