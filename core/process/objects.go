package process

import (
	"golang.org/x/sys/unix"

	"moongate/conf"
)

// ObjectsModule decides whether a configuration passes certificates, keys and
// lists of revoked certificates on to the one that takes its place: nginx's
// ngx_openssl_cache_module.
var ObjectsModule = &conf.Module{
	Name:  "openssl_cache",
	Slots: []conf.AnySlot{objectsSlot},
	Directives: []conf.Directive{
		objectsSlot.Flag("ssl_object_cache_inheritable", conf.Main, func(o *objects) *conf.Opt[bool] { return &o.inherit }, false),
	},
}

type objects struct {
	inherit conf.Opt[bool]
	files   map[string]object
}

// object is what a file held that was read as one. Whether it was changed is
// told as nginx tells it: by its number, and by its time of modification in
// seconds.
type object struct {
	inode   uint64
	mtime   int64
	content []byte
}

var objectsSlot = &conf.Slot[objects]{}

// complete lets go of what is not passed on.
func (o *objects) complete() {
	if !o.inherit.V {
		o.files = nil
	}
}

// ReadObject is conf.Cycle.ReadFile for certificates, keys and lists of revoked
// certificates: those that the configuration in use has and passes on are read
// again only if their file was changed.
func (c *Cycle) ReadObject(name string) ([]byte, error) {
	name = c.Conf.ConfPath(name)
	var st unix.Stat_t
	if c.source == nil || c.source.replaying() || unix.Stat(name, &st) != nil {
		return c.Conf.Source.ReadFile(name)
	}
	if c.old != nil {
		kept, ok := objectsSlot.Of(c.old.Conf.Scope).files[name]
		if ok && kept.inode == st.Ino && kept.mtime == st.Mtim.Sec {
			c.source.files[name] = answer{content: kept.content}
		}
	}
	content, err := c.source.ReadFile(name)
	if o := objectsSlot.Of(c.Conf.Scope); err == nil {
		if o.files == nil {
			o.files = make(map[string]object)
		}
		o.files[name] = object{st.Ino, st.Mtim.Sec, content}
	}
	return content, err
}
