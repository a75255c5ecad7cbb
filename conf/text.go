package conf

import (
	"strconv"
	"strings"
)

var contextNames = []struct {
	c    Context
	name string
}{
	{Main, "main"}, {Events, "events"}, {HTTPMain, "http"}, {HTTPServer, "server"}, {HTTPLocation, "location"},
	{HTTPServerIf, "if in server"}, {HTTPLocationIf, "if in location"}, {HTTPLimitExcept, "limit_except"},
	{HTTPUpstream, "upstream"}, {StreamMain, "stream"}, {StreamServer, "stream server"},
	{StreamUpstream, "stream upstream"}, {MailMain, "mail"}, {MailServer, "mail server"},
}

// String lists the contexts as nginx's documentation does: "http, server".
func (c Context) String() string {
	var names []string
	for _, n := range contextNames {
		if c&n.c != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ", ")
}

// String describes the arguments: "1 or 2", "on | off", "any, block".
func (a Arity) String() string {
	var forms []string
	for n := range 8 {
		if a&(1<<n) != 0 {
			forms = append(forms, strconv.Itoa(n))
		}
	}
	switch {
	case a&AnyArgs != 0:
		forms = []string{"any"}
	case a&FlagArg != 0:
		forms = []string{"on \\| off"}
	case a&OneMore != 0:
		forms = []string{"1 or more"}
	case a&TwoMore != 0:
		forms = []string{"2 or more"}
	}
	s := strings.Join(forms, " or ")
	switch {
	case a&Braces != 0:
		return strings.TrimPrefix(s+", block", ", ")
	case a&LuaBraces != 0:
		return "{ Lua }"
	}
	return s
}
