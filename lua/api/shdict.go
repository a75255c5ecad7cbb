package api

import (
	"moongate/conf"
	"moongate/core/process"
)

// Dict is a shared dictionary: a zone that lua_shared_dict declares.
type Dict struct {
	Name string
	Zone *process.Zone
}

// minDict is the least size of a shared dictionary in bytes.
const minDict = 8191

// dictTag marks the zones of shared dictionaries.
type dictTag struct{}

// sharedDict is "lua_shared_dict name size".
func sharedDict(cf *conf.Conf, m *MainConf) error {
	name := cf.Args[0]
	if name == "" {
		return cf.Errorf(`invalid lua shared dict name "%s"`, name)
	}
	size, ok := conf.ParseSize(cf.Args[1])
	if !ok || size <= minDict {
		return cf.Errorf(`invalid lua shared dict size "%s"`, cf.Args[1])
	}
	for _, d := range m.Dicts {
		if d.Name == name {
			return cf.Errorf(`lua_shared_dict "%s" is already defined as "%s"`, name, name)
		}
	}
	z, err := process.Of(cf.Cycle).AddZone(cf, name, size, dictTag{})
	if err != nil {
		return err
	}
	m.Dicts = append(m.Dicts, &Dict{Name: name, Zone: z})
	return nil
}
