package resolver

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"moongate/conf"
)

// DefaultPort is the port of servers given without one.
const DefaultPort = 53

// Parse reads the arguments of a "resolver" directive. lookup turns a server,
// which may be a name, into its addresses, with DefaultPort where it has none;
// the text of its error is completed as in `host not found in resolver "x"`.
// Errors are in the words of ngx_resolver_create(), without the position.
func Parse(args []string, lookup func(server string) ([]netip.AddrPort, error)) (Config, error) {
	var cfg Config
	for _, arg := range args {
		name, value, isParam := strings.Cut(arg, "=")
		if !isParam {
			name = ""
		}
		ok := true
		switch name {
		case "valid":
			cfg.Valid, ok = conf.ParseSec(value)
		case "ipv4":
			cfg.NoIPv4, ok = value == "off", value == "on" || value == "off"
		case "ipv6":
			cfg.NoIPv6, ok = value == "off", value == "on" || value == "off"
		default:
			addrs, err := lookup(arg)
			if err != nil {
				return cfg, fmt.Errorf("%w in resolver \"%s\"", err, arg)
			}
			cfg.Servers = append(cfg.Servers, addrs...)
		}
		if !ok {
			return cfg, errors.New("invalid parameter: " + arg)
		}
	}
	switch {
	case cfg.NoIPv4 && cfg.NoIPv6:
		return cfg, errors.New(`"ipv4" and "ipv6" cannot both be "off"`)
	case len(args) > 0 && len(cfg.Servers) == 0:
		return cfg, errors.New("no name servers defined")
	}
	return cfg, nil
}
