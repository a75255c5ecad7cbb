// Package conf gives a parsed configuration its meaning: which directives
// exist, where they may stand, how many arguments they take, how their values
// are read, kept and inherited. It knows the contexts of nginx.conf but no
// directive; those are rows in the tables of the modules.
//
// Every complaint is made here, in the words of nginx's ngx_conf_file.c, so
// that a message looks the same whichever module the directive belongs to.
package conf

// Context is the set of places where a directive may stand.
type Context uint32

// The contexts of nginx, one bit each.
const (
	Main Context = 1 << iota
	Events
	HTTPMain
	HTTPServer
	HTTPLocation
	HTTPUpstream
	HTTPServerIf
	HTTPLocationIf
	HTTPLimitExcept
	StreamMain
	StreamServer
	StreamUpstream
	MailMain
	MailServer
)

// Frequent unions.
const (
	// HTTPAny is http, server and location.
	HTTPAny = HTTPMain | HTTPServer | HTTPLocation
	// HTTPAnyIf is HTTPAny and "if" inside a location.
	HTTPAnyIf = HTTPAny | HTTPLocationIf
	// Anywhere is every context; only "include" stands there.
	Anywhere = ^Context(0)
)

// Family says which kind of configuration a module belongs to. Slots of one
// family are numbered together, and a Scope holds the slots of one family.
type Family uint8

// The families, named after the blocks that open them.
const (
	Core Family = iota
	HTTP
	Stream
	Mail
	families
)

// Level is the height at which a slot lives within its family: one value for
// the whole block, one per server, or one per location. The Core family uses
// LevelMain only.
type Level uint8

// The three levels of a block.
const (
	LevelMain Level = iota
	LevelServer
	LevelLocation
	levels
)

// Arity is the set of argument counts that a directive accepts, and how it is
// terminated.
type Arity uint32

// Argument counts; they combine.
const (
	NoArgs Arity = 1 << iota
	Take1
	Take2
	Take3
	Take4
	Take5
	Take6
	Take7
	// OneMore and TwoMore accept any number from there upwards.
	OneMore
	TwoMore
	// AnyArgs accepts every number.
	AnyArgs
	// FlagArg is one argument, "on" or "off".
	FlagArg
	// Braces: the directive opens a { block }.
	Braces
	// LuaBraces: the directive is followed by { Lua source }, which counts as
	// its last argument.
	LuaBraces

	Take12   = Take1 | Take2
	Take13   = Take1 | Take3
	Take23   = Take2 | Take3
	Take34   = Take3 | Take4
	Take123  = Take1 | Take2 | Take3
	Take1234 = Take123 | Take4
)

// takes reports whether n arguments are acceptable.
func (a Arity) takes(n int) bool {
	switch {
	case a&AnyArgs != 0:
		return true
	case a&FlagArg != 0 && n == 1, a&OneMore != 0 && n >= 1, a&TwoMore != 0 && n >= 2:
		return true
	case n <= 7:
		return a&(1<<n) != 0
	}
	return false
}

// Opt is a value together with whether it was set. After merging V always
// holds the value in effect: the one set here, the inherited one or the
// default.
type Opt[T any] struct {
	V   T
	Set bool
}

// Put sets the value.
func (o *Opt[T]) Put(v T) { o.V, o.Set = v, true }

// Inherit gives o the parent's value, or def, unless it has one of its own.
func (o *Opt[T]) Inherit(parent *Opt[T], def T) {
	switch {
	case o.Set:
	case parent.Set:
		*o = *parent
	default:
		o.V = def
	}
}
