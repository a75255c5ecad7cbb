package http

import "moongate/conf"

// CoreIn returns the settings of this package in a scope: those of a location for a location's, and of the http block
// for its own.
func CoreIn(sc *conf.Scope) *LocConf { return coreLoc.Of(sc) }
